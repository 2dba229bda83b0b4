-- lucio.testing: what specs use whether Busted runs them or not.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"
local testing = require "lucio.testing"

describe("lucio.testing", function()
  case("is a field of lucio", function()
    assert.are.equal(testing, lucio.testing)
  end)
end)

describe("lucio.testing.ticks", function()
  case("lets so many iterations pass", function(t)
    local before = t.tick()
    testing.ticks(3)
    assert.are.equal(before + 3, t.tick())
    testing.ticks(0)
    assert.are.equal(before + 3, t.tick())
    testing.ticks()
    assert.are.equal(before + 4, t.tick())
  end)

  case("refuses what is no count", function(t)
    t.raises("bad argument #1 to 'ticks' (integer expected, got string)", testing.ticks, "2")
    t.raises("bad argument #1 to 'ticks' (must be 0 or more)", testing.ticks, -1)
  end)
end)

describe("lucio.testing.wait_all_blocked", function()
  local function settled()
    lucio.sleep(1) -- past the ticker of the case, which keeps the loop busy
  end

  case("returns when every other task waits", function()
    settled()
    local event, steps = lucio.Event(), 0
    local task = lucio.create_task(function()
      for _ = 1, 5 do
        lucio.sleep(0)
        steps = steps + 1
      end
      event:wait()
      steps = steps + 10
    end)
    testing.wait_all_blocked()
    assert.are.equal(5, steps)
    event:set()
    testing.wait_all_blocked()
    assert.are.equal(15, steps)
    assert.is_true(task:done())
  end)

  case("waits for callbacks too", function()
    settled()
    local loop, calls = lucio.get_running_loop(), 0
    local function again()
      calls = calls + 1
      if calls < 7 then loop:call_soon(again) end
    end
    loop:call_soon(again)
    testing.wait_all_blocked()
    assert.are.equal(7, calls)
  end)

  case("does not wait for timers", function()
    settled()
    local loop = lucio.get_running_loop()
    local task = lucio.create_task(lucio.sleep, 10)
    local now = loop:time()
    testing.wait_all_blocked()
    assert.are.equal(now, loop:time())
    assert.is_false(task:done())
    task:cancel()
  end)

  case("returns in two tasks at once", function()
    settled()
    lucio.gather(testing.wait_all_blocked, testing.wait_all_blocked)
  end)

  case("that is cancelled keeps no other from returning", function()
    settled()
    local loop = lucio.get_running_loop()
    local busy = true
    local function turn() if busy then loop:call_soon(turn) end end
    turn()
    local task = lucio.create_task(testing.wait_all_blocked)
    testing.ticks(3)
    task:cancel()
    testing.ticks(2)
    busy = false
    testing.wait_all_blocked()
    assert.is_true(task:cancelled())
  end)
end)

describe("lucio.testing.assert_raises", function()
  case("returns the error of that class", function()
    local e = lucio.ValueError("text")
    assert.are.equal(e, testing.assert_raises(lucio.ValueError, error, e))
    assert.are.equal(e, testing.assert_raises(lucio.Exception, error, e))
    assert.are.equal(e, testing.assert_raises(e, error, e))
    assert.are.equal(e, testing.assert_raises("ex", error, e))
  end)

  case("waits for what it calls", function()
    local e = testing.assert_raises(lucio.TimeoutError, lucio.wait_for, lucio.Future(), 1)
    assert.are.equal("TimeoutError", e.name)
  end)

  case("fails where nothing is raised", function()
    local ok, e = pcall(testing.assert_raises, lucio.ValueError, function() end)
    assert.is_false(ok)
    assert.matches("expected ValueError to be raised, but the call returned", tostring(e), 1, true)
  end)

  case("fails where something else is raised", function()
    local ok, e = pcall(testing.assert_raises, lucio.ValueError, error, lucio.TypeError("text"))
    assert.is_false(ok)
    assert.matches("expected ValueError to be raised, got TypeError: text", tostring(e), 1, true)
  end)

  case("refuses bad arguments", function(t)
    t.raises(lucio.TypeError, testing.assert_raises, nil, error)
    t.raises("bad argument #2 to 'assert_raises' (function expected, got nil)",
      testing.assert_raises, lucio.ValueError)
  end)
end)

describe("lucio.testing.virtual_clock", function()
  case("needs a running loop, set_timeout a case of Busted", function(t)
    t.raises("set_timeout: no case of Busted is running", testing.set_timeout, 3)
    t.raises("bad argument #1 to 'set_timeout' (number of seconds expected, got nil)",
      testing.set_timeout)
    t.raises("bad argument #1 to 'set_timeout' (seconds must be above 0)", testing.set_timeout, 0)
  end)

  case("is kept where it is on already", function()
    local loop = lucio.get_running_loop()
    local now = loop:time()
    testing.virtual_clock()
    assert.are.equal(now, loop:time())
  end)
end)

describe("lucio.testing.stream_pair", function()
  case("gives two ends that are connected to each other", function()
    local a, b = testing.stream_pair()
    a.writer:write("question\n")
    assert.are.equal("question\n", b.reader:readline())
    b.writer:write("answer")
    b.writer:write_eof()
    assert.are.equal("answer", a.reader:read())
    assert.are.equal("<StreamEnd open>", tostring(a))
    a:close()
    b:close()
    assert.are.equal("<StreamEnd closing>", tostring(a))
  end)

  case("ends one end when the other closes", function()
    local a, b = testing.stream_pair()
    a:close()
    assert.are.equal("", b.reader:read())
    b:close()
  end)

  case("closes with its block", function()
    do
      local a, b = testing.stream_pair()
      local _ <close> = a
      local _ <close> = b
    end
  end)

  case("tells the other end of a lost connection", function(t)
    local a, b = testing.stream_pair()
    b.writer:write("never read")
    a:abort()
    t.raises(lucio.ConnectionResetError, b.reader.read, b.reader)
    b.writer:close()
    pcall(b.writer.wait_closed, b.writer)
  end)

  case("takes no time of the virtual clock, and lets it jump", function(t)
    local a, b = testing.stream_pair()
    local loop = lucio.get_running_loop()
    local now = loop:time()
    a.writer:write(("x"):rep(1000000))
    local size = 0
    local reading = lucio.create_task(function()
      while size < 1000000 do size = size + #b.reader:read(65536) end
    end)
    a.writer:drain()
    reading:await()
    assert.are.equal(now, loop:time())
    t.raises(lucio.TimeoutError, lucio.wait_for, function() return b.reader:read(1) end, 3600)
    assert.are.equal(now + 3600, loop:time())
    a:close()
    b:close()
  end)

  case("has the limit of its option", function(t)
    local a, b = testing.stream_pair {limit = 4}
    a.writer:write("too long\n")
    t.raises(lucio.LimitOverrunError, b.reader.readuntil, b.reader, "\n")
    a:close()
    b:close()
  end)

  case("refuses other options", function(t)
    t.raises("bad argument #1 to 'stream_pair' (unknown option 'size')", testing.stream_pair,
      {size = 1})
    t.raises("bad argument #1 to 'stream_pair' (table of options expected, got number)",
      testing.stream_pair, 1)
    t.raises("bad argument #1 to 'stream_pair' (must be 1 or more)", testing.stream_pair,
      {limit = 0})
  end)

  case("that is cancelled leaves nothing", function()
    local task = lucio.create_task(testing.stream_pair)
    lucio.sleep(0)
    task:cancel()
    lucio.wait {task}
  end)

  it("needs a task", function()
    local running = pcall(lucio.get_running_loop)
    if not running then
      assert.has_error(function() testing.stream_pair() end)
    end
  end)
end)
