local lucio = require "lucio"
local retry = require "retry"
local testing = require "lucio.testing"

describe("retry.call", function()
  before_each(testing.virtual_clock)

  local function now() return lucio.get_running_loop():time() end

  -- Fails so often, then returns how often it was called.
  local function flaky(failures)
    local calls = 0
    return function()
      calls = calls + 1
      lucio.sleep(0.5)
      if calls <= failures then error(lucio.OSError("no answer")) end
      return calls
    end
  end

  it("returns what the function returns", function()
    assert.are.equal(1, retry.call(flaky(0), 3, 1))
  end)

  it("waits longer after each failure", function()
    local start = now()
    assert.are.equal(12, retry.call(flaky(11), 12, 1))
    assert.are.equal(2047 + 12 * 0.5, now() - start) -- more than half an hour
  end)

  it("raises the last error", function()
    testing.assert_raises("no answer", retry.call, flaky(3), 3, 1)
  end)

  it("does not try again after a mistake", function()
    local start = now()
    testing.assert_raises(lucio.ValueError, retry.call, function()
      error(lucio.ValueError("bad address"))
    end, 3, 1)
    assert.are.equal(start, now())
  end)

  it("can be cancelled in a pause", function()
    local task = lucio.create_task(retry.call, flaky(3), 3, 1000)
    lucio.sleep(60)
    task:cancel()
    testing.assert_raises(lucio.CancelledError, task.await, task)
  end)
end)
