-- LP13 to LP19, LP22, LP26: running, stopping and closing a loop.
-- Specified in C: LP20 (call_soon_threadsafe), and of LP19 what speaks of executors.
local case = require "spec.support.case"
local own_loop = require "spec.support.own_loop"
local lucio = require "lucio"

local function no_op() end

describe("stop", function()
  own_loop("LP13: lets the batch finish and keeps what the batch scheduled", function(loop, t)
    loop:call_soon(function()
      t.log("first")
      loop:stop()
      loop:call_soon(t.log, "scheduled by the first")
    end)
    loop:call_soon(t.log, "second")
    loop:run_forever()
    t.log("stopped")
    loop:stop()
    loop:run_forever()
    t.same_lines {"first", "second", "stopped", "scheduled by the first"}
  end)

  own_loop("LP14: before run_forever gives exactly one tick that does not wait", function(loop, t)
    local start = loop:time()
    loop:call_later(5, t.log, "timer")
    loop:call_soon(function()
      t.log("first")
      loop:call_soon(t.log, "second")
    end)
    loop:stop()
    loop:run_forever()
    t.same_lines {"first"}
    assert.are.equal(start, loop:time())
  end)

  own_loop("LP14: with nothing to do returns at once", function(loop)
    local start = loop:time()
    loop:call_later(5, no_op)
    loop:stop()
    loop:run_forever()
    assert.are.equal(start, loop:time())
  end)

  own_loop("LP14: is forgotten when the loop returns", function(loop, t)
    loop:stop()
    loop:run_forever()
    local f = loop:create_future()
    loop:call_later(2, f.set_result, f, "value")
    t.log(loop:run_until_complete(f))
    t.same_lines {"value"}
  end)
end)

describe("run_until_complete", function()
  own_loop("LP15: runs the rest of the batch in which it stops, no more", function(loop, t)
    local tick = 0
    local function turn()
      tick = tick + 1
      loop:call_soon(turn)
    end
    loop:call_soon(turn)
    local f = loop:create_future()
    loop:call_soon(function()
      f:set_result("value")
      t.log("done", tick)
      loop:call_soon(function()
        t.log("rest", tick)
        loop:call_soon(t.log, "too late")
      end)
    end)
    t.log(loop:run_until_complete(f))
    t.same_lines {"done 1", "rest 2", "value"}
  end)

  own_loop("LP15: gives a task created in the last step its first step", function(loop, t)
    local task
    loop:run_until_complete(function()
      task = lucio.create_task(function()
        t.log("first step")
        lucio.sleep(0)
        t.log("second step")
      end)
    end)
    t.same_lines {"first step"}
    loop:run_until_complete(task)
    t.same_lines {"first step", "second step"}
  end)

  own_loop("LP15: of a done future runs one batch", function(loop, t)
    local f = loop:create_future()
    f:set_result("value")
    loop:call_soon(function()
      t.log("soon")
      loop:call_soon(t.log, "too late")
    end)
    t.log(loop:run_until_complete(f))
    t.same_lines {"soon", "value"}
  end)

  own_loop("LP16: takes a function, a coroutine, a task and a future", function(loop)
    local function body() return 1, nil, 3 end
    local f = loop:create_future()
    f:set_result(1, nil, 3)
    for _, awaitable in ipairs {body, lucio.async(body)(), loop:create_task(body), f} do
      assert.are.same(table.pack(1, nil, 3), table.pack(loop:run_until_complete(awaitable)))
    end
  end)

  own_loop("LP16: raises the error of what it ran", function(loop, t)
    local e = lucio.ValueError("inside")
    local got = t.raises(lucio.ValueError, loop.run_until_complete, loop, function() error(e) end)
    assert.is_true(rawequal(e, got))
    local f = loop:create_future()
    f:cancel("why")
    got = t.raises(lucio.CancelledError, loop.run_until_complete, loop, f)
    assert.are.equal("why", got.args[1])
  end)

  own_loop("LP16: refuses what cannot be awaited", function(loop, t)
    for _, value in ipairs {42, "text", {}, true} do
      t.raises(lucio.TypeError, loop.run_until_complete, loop, value)
    end
    t.raises(lucio.TypeError, loop.run_until_complete, loop, nil)
    assert.is_false(loop:is_running())
  end)

  own_loop("LP16: refuses another loop's future", function(loop, t)
    local other = lucio.new_event_loop()
    t.raises(lucio.ValueError, loop.run_until_complete, loop, other:create_future())
    local task = other:create_task(no_op)
    t.raises(lucio.ValueError, loop.run_until_complete, loop, task)
    other:run_until_complete(task)
    other:close()
  end)

  own_loop("LP17: raises when the loop stops first, and a later run is unaffected",
    function(loop, t)
      local f = loop:create_future()
      loop:call_soon(loop.stop, loop)
      t.raises(lucio.RuntimeError, loop.run_until_complete, loop, f)
      assert.is_false(f:done())
      -- the future ends in the first tick of the next run, which must not end with it
      loop:call_soon(f.set_result, f, 1)
      local function count(n)
        t.log(n)
        if n == 4 then loop:stop() else loop:call_soon(count, n + 1) end
      end
      loop:call_soon(count, 1)
      loop:run_forever()
      t.same_lines {"1", "2", "3", "4"}
    end)
end)

describe("a running loop", function()
  case("LP18: cannot be run again, nor can another loop", function(t)
    local loop, task = lucio.get_running_loop(), lucio.current_task()
    local other = lucio.new_event_loop()
    local before = lucio.stats().tasks
    for _, which in ipairs {loop, other} do
      t.raises(lucio.RuntimeError, which.run_forever, which)
      t.raises(lucio.RuntimeError, which.run_until_complete, which, no_op)
    end
    t.raises(lucio.RuntimeError, lucio.run, no_op)
    assert.are.equal(before, lucio.stats().tasks)
    assert.are.equal(loop, lucio.get_running_loop())
    assert.are.equal(task, lucio.current_task())
    assert.is_true(loop:is_running())
    assert.is_false(other:is_running())
    lucio.sleep(0)
    assert.are.equal(loop, lucio.get_running_loop())
    other:close()
  end)

  case("LP18: cannot be run from a callback either", function(t)
    local loop = lucio.get_running_loop()
    local other = lucio.new_event_loop()
    loop:call_soon(function()
      t.raises(lucio.RuntimeError, loop.run_forever, loop)
      t.raises(lucio.RuntimeError, other.run_forever, other)
      t.log(lucio.get_running_loop() == loop)
    end)
    lucio.sleep(0)
    t.same_lines {"true"}
    other:close()
  end)

  case("LP19: cannot be closed", function(t)
    local loop = lucio.get_running_loop()
    t.raises(lucio.RuntimeError, loop.close, loop)
    assert.is_false(loop:is_closed())
    lucio.sleep(0)
  end)

  own_loop("LP18: tells that it runs, and that it ended", function(loop, t)
    assert.is_false(loop:is_running())
    loop:call_soon(function()
      t.log(loop:is_running(), lucio.get_running_loop() == loop)
      loop:stop()
    end)
    loop:run_forever()
    assert.is_false(loop:is_running())
    t.same_lines {"true true"}
  end)
end)

describe("close", function()
  own_loop("LP19: discards what is queued and may be repeated", function(loop, t)
    loop:call_soon(t.log, "soon")
    loop:call_later(0, t.log, "timer")
    assert.is_false(loop:is_closed())
    loop:close()
    assert.is_true(loop:is_closed())
    loop:close()
    t.same_lines {}
  end)

  own_loop("LP19: makes every later use raise RuntimeError", function(loop, t)
    loop:close()
    t.raises(lucio.RuntimeError, loop.call_soon, loop, no_op)
    t.raises(lucio.RuntimeError, loop.call_later, loop, 1, no_op)
    t.raises(lucio.RuntimeError, loop.call_at, loop, 1, no_op)
    t.raises(lucio.RuntimeError, loop.run_forever, loop)
    t.raises(lucio.RuntimeError, loop.run_until_complete, loop, no_op)
    t.raises(lucio.RuntimeError, loop.create_task, loop, no_op)
  end)

  own_loop("LP19: leaves handles that may still be cancelled", function(loop)
    local soon, timer = loop:call_soon(no_op), loop:call_later(5, no_op)
    loop:close()
    soon:cancel()
    timer:cancel()
    assert.is_true(soon:cancelled() and timer:cancelled())
  end)

  own_loop("LP19: drops the callbacks that it discards", function(loop)
    local alive = setmetatable({}, {__mode = "k"})
    local function schedule()
      local soon, timer = function() return alive end, function() return loop end
      alive[soon], alive[timer] = true, true
      loop:call_soon(soon)
      loop:call_later(5, timer)
    end
    schedule()
    loop:close()
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(alive))
  end)
end)

describe("KeyboardInterrupt and SystemExit", function()
  for _, name in ipairs {"KeyboardInterrupt", "SystemExit"} do
    own_loop("LP22: " .. name .. " from a callback leaves the run at once", function(loop, t)
      local e = lucio[name]()
      loop:call_soon(t.log, "first")
      loop:call_soon(function() error(e) end)
      loop:call_soon(t.log, "rest")
      local got = t.raises(lucio[name], loop.run_forever, loop)
      assert.is_true(rawequal(e, got))
      assert.is_false(loop:is_running())
      t.log("again")
      loop:call_soon(loop.stop, loop)
      loop:run_forever()
      t.same_lines {"first", "again", "rest"}
    end)
  end

  own_loop("LP22: the rest stays in front of what is queued later", function(loop, t)
    loop:call_soon(function() error(lucio.KeyboardInterrupt()) end)
    loop:call_soon(t.log, "a")
    loop:call_soon(t.log, "b")
    t.raises(lucio.KeyboardInterrupt, loop.run_forever, loop)
    loop:call_soon(t.log, "c")
    loop:stop()
    loop:run_forever()
    t.same_lines {"a", "b", "c"}
  end)
end)

describe("run_forever", function()
  own_loop("LP26: goes on until it is stopped", function(loop)
    local start = loop:time()
    loop:call_later(3600, loop.stop, loop)
    loop:run_forever()
    assert.are.equal(start + 3600, loop:time())
  end)

  own_loop("LP26: with nothing scheduled does not return", function(loop, t)
    -- under the virtual clock to wait for ever is an error
    t.raises(lucio.RuntimeError, loop.run_forever, loop)
    assert.is_false(loop:is_running())
  end)
end)

describe("get_running_loop", function()
  case("LP26: gives the loop in tasks and callbacks", function(t)
    local loop = lucio.get_running_loop()
    loop:call_soon(function() t.log(lucio.get_running_loop() == loop) end)
    lucio.create_task(function() t.log(lucio.get_running_loop() == loop) end)
    lucio.sleep(0)
    t.same_lines {"true", "true"}
  end)

  -- The command runs this file inside a task, stock Lua does not.
  if not pcall(lucio.get_running_loop) then
    it("LP26: raises RuntimeError outside of a loop", function()
      local ok, e = pcall(lucio.get_running_loop)
      assert.is_false(ok)
      assert.is_true(lucio.isinstance(e, lucio.RuntimeError))
    end)
  end
end)
