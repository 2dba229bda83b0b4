-- SEMANTICS TO11, TO13: a timeout's deadline moved, its text form; and one that nobody closes.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

local RuntimeError, TimeoutError = lucio.RuntimeError, lucio.TimeoutError

-- gives up n iterations
local function pass(n)
  for _ = 1, n do lucio.sleep(0) end
end

local function now()
  return lucio.get_running_loop():time()
end

-- fn(timeout) inside of a block that holds lucio.timeout(delay)
local function block(delay, fn)
  local tm <close> = lucio.timeout(delay)
  fn(tm)
end

describe("timeout:reschedule", function()
  case("TO11: moves the deadline, later or earlier", function(t)
    local start = now()
    block(1, function(tm)
      tm:reschedule(start + 3)
      assert.are.equal(start + 3, tm:when())
      lucio.sleep(2)
      assert.is_false(tm:expired())
    end)
    assert.are.equal(start + 2, now())
    t.raises(TimeoutError, block, 9, function(tm)
      tm:reschedule(start + 4)
      lucio.sleep(8)
    end)
    assert.are.equal(start + 4, now())
  end)

  case("TO11: nil disables it, a number arms one that was disabled", function(t)
    local start, timers = now(), lucio.stats().timers
    block(1, function(tm)
      tm:reschedule(nil)
      assert.is_nil(tm:when())
      assert.are.equal(timers, lucio.stats().timers)
      lucio.sleep(2)
    end)
    t.raises(TimeoutError, block, nil, function(tm)
      tm:reschedule(start + 5)
      lucio.sleep(9)
    end)
    assert.are.equal(start + 5, now())
  end)

  case("TO11: a past deadline fires through call_soon", function(t)
    t.raises(TimeoutError, block, 9, function(tm)
      lucio.get_running_loop():call_soon(function() t.log("before", tm:expired(), t.tick()) end)
      tm:reschedule(now())
      t.log("body", tm:expired(), t.tick())
      lucio.get_running_loop():call_soon(function() t.log("behind", tm:expired(), t.tick()) end)
      lucio.sleep(9)
    end)
    t.log("after", t.tick())
    t.same_lines{"body false 0", "before false 1", "behind true 1", "after 2"}
  end)

  case("TO11: when() keeps the deadline after the end", function()
    local start, tm = now(), nil
    block(2, function(x) tm = x end)
    assert.are.equal(start + 2, tm:when())
  end)

  case("TO11: of a finished one it is a RuntimeError that names the state", function(t)
    local tm
    block(1, function(x) tm = x end)
    local e = t.raises(RuntimeError, tm.reschedule, tm, now() + 1)
    assert.matches("finished", tostring(e), 1, true)
  end)

  case("TO11: of an expiring and of an expired one too", function(t)
    local tm
    t.raises(TimeoutError, block, 1, function(x)
      tm = x
      local ok, cancelled = pcall(lucio.sleep, 5)
      assert.is_false(ok)
      local e = t.raises(RuntimeError, tm.reschedule, tm, now() + 1)
      assert.matches("expiring", tostring(e), 1, true)
      error(cancelled, 0)
    end)
    local e = t.raises(RuntimeError, tm.reschedule, tm, nil)
    assert.matches("expired", tostring(e), 1, true)
  end)

  case("TO11: a deadline that is no number is a TypeError, the old one stays", function(t)
    block(1, function(tm)
      local when = tm:when()
      t.raises(lucio.TypeError, tm.reschedule, tm, "later")
      assert.are.equal(when, tm:when())
    end)
  end)
end)

describe("tostring(timeout)", function()
  case("TO13: shows that it is active, with the deadline", function()
    block(1.5, function(tm)
      local text = tostring(tm)
      assert.matches("Timeout", text, 1, true)
      assert.matches("active", text, 1, true)
      local shown = tonumber(text:match("when=([%d.]+%d)"))
      assert.is_not_nil(shown, text)
      assert.is_true(math.abs(shown - tm:when()) < 0.001, text)
    end)
  end)

  case("TO13: shows expiring, expired and finished", function(t)
    local tm
    t.raises(TimeoutError, block, 1, function(x)
      tm = x
      local ok, cancelled = pcall(lucio.sleep, 5)
      assert.is_false(ok)
      assert.matches("expiring", tostring(x), 1, true)
      error(cancelled, 0)
    end)
    assert.matches("expired", tostring(tm), 1, true)
    block(1, function(x) tm = x end)
    assert.matches("finished", tostring(tm), 1, true)
  end)
end)

describe("a timeout that is never closed", function()
  case("TO: is disarmed when its task ends", function()
    local timers = lucio.stats().timers
    local task = lucio.create_task(function()
      lucio.timeout(5)
      pass(1)
      assert.are.equal(timers + 1, lucio.stats().timers)
      return "fine"
    end)
    assert.are.equal("fine", task:await())
    assert.are.equal(timers, lucio.stats().timers)
    lucio.sleep(6)
    assert.is_false(task:cancelled())
  end)

  case("TO: that fires before raises an error that names the line that made it", function()
    local line = debug.getinfo(1, "l").currentline + 2
    local task = lucio.create_task(function()
      lucio.timeout(1)
      lucio.sleep(5)
    end)
    local ok, e = pcall(task.await, task)
    assert.is_false(ok)
    assert.matches("to_reschedule_spec.lua:" .. line, tostring(e), 1, true)
  end)
end)
