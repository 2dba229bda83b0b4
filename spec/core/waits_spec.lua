-- What holds for every wait: its result, a cancel before and after the wake, a timeout around it,
-- waiting while a block is closed, collection while suspended, the end of the loop.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"
local waits = require "spec.support.waits"

local function check_result(w, ...)
  assert.are.same(w.result, table.pack(...))
end

-- Lets everything that is under way come to rest.
local function settle()
  for _ = 1, 8 do lucio.sleep(0) end
end

for _, entry in ipairs(waits) do
  local make, id = entry.make, entry.id

  describe(entry.name, function()
    case(id .. ": gives its result one tick after the wake", function(t)
      local w = make()
      local task = lucio.create_task(w.wait)
      settle()
      assert.is_false(task:done())
      local before = t.tick()
      w.wake()
      if not entry.timer then
        for _ = 0, entry.late or 0 do lucio.sleep(0) end
        assert.is_true(task:done())
        assert.are.equal(before + 1 + (entry.late or 0), t.tick())
      end
      check_result(w, task:await())
      if w.after then w.after() end
    end)

    case(id .. ": cancelled before the wake, raises a tick later with the message", function(t)
      local w, message = make(), {}
      local task = lucio.create_task(w.wait)
      settle()
      task:cancel(message)
      assert.is_false(task:done())
      lucio.sleep(0)
      for _ = 1, entry.late or 0 do lucio.sleep(0) end
      local e = t.raises(lucio.CancelledError, task.result, task)
      assert.are.equal(message, e.args[1])
    end)

    if not entry.once then
      case(id .. ": cancelled before the wake, leaves the wake to another", function()
        local w = make()
        local cancelled = lucio.create_task(w.wait)
        settle()
        cancelled:cancel()
        settle()
        assert.is_true(cancelled:cancelled())
        local other = lucio.create_task(w.wait)
        settle()
        assert.is_false(other:done())
        w.wake()
        settle()
        check_result(w, other:result())
        if w.after then w.after() end
      end)

      case(id .. ": cancelled after the wake of the same tick, raises", function()
        local w = make()
        local cancelled = lucio.create_task(w.wait)
        settle()
        w.wake()
        cancelled:cancel()
        settle()
        assert.is_true(cancelled:cancelled())
      end)
    end

    if not entry.once and not entry.met then
      case(id .. ": cancelled in the tick before the wake, leaves it to another", function()
        local w = make()
        local cancelled, other = lucio.create_task(w.wait), lucio.create_task(w.wait)
        settle()
        cancelled:cancel()
        w.wake()
        settle()
        assert.is_true(cancelled:cancelled())
        check_result(w, other:result())
        if w.after then w.after() end
      end)

      case(id .. ": cancelled after the wake of the same tick, leaves it to another", function()
        local w = make()
        local cancelled, other = lucio.create_task(w.wait), lucio.create_task(w.wait)
        settle()
        w.wake()
        cancelled:cancel()
        settle()
        assert.is_true(cancelled:cancelled())
        check_result(w, other:result())
        if w.after then w.after() end
      end)
    end

    case(id .. ": cancelled and uncancelled, does not go on waiting", function(t)
      local w = make()
      local task = lucio.create_task(function()
        local ok, e = pcall(w.wait)
        t.log(ok, e.name)
        lucio.current_task():uncancel()
        return "went on"
      end)
      settle()
      task:cancel()
      settle()
      assert.are.equal("went on", task:result())
      t.same_lines {"false CancelledError"}
    end)

    case(id .. ": under a timeout that expires, raises TimeoutError at the deadline", function(t)
      local w, loop = make(), lucio.get_running_loop()
      local start = loop:time()
      t.raises(lucio.TimeoutError, lucio.wait_for, w.wait, 0.25)
      assert.are.equal(0.25, loop:time() - start)
      if not entry.once then
        local other = lucio.create_task(w.wait)
        lucio.sleep(1)
        w.wake()
        settle()
        check_result(w, other:result())
        if w.after then w.after() end
      end
    end)

    case(id .. ": under a timeout that does not expire, gives its result", function()
      local w = make()
      local armed = lucio.stats().timers
      local task = lucio.create_task(function()
        local timeout <close> = lucio.timeout(10)
        local r = table.pack(w.wait())
        assert.is_false(timeout:expired())
        return table.unpack(r, 1, r.n)
      end)
      lucio.sleep(1)
      w.wake()
      check_result(w, task:await())
      assert.are.equal(armed, lucio.stats().timers)
    end)

    if not entry.timer and not entry.met then
      case(id .. ": woken and timed out in one tick, raises TimeoutError", function(t)
        local w, loop = make(), lucio.get_running_loop()
        -- Timers of one deadline run in the order they were made: the wake first.
        local deadline = loop:time() + 1
        loop:call_at(deadline, function() lucio.create_task {w.wake, eager_start = true} end)
        t.raises(lucio.TimeoutError, function()
          local _ <close> = lucio.timeout_at(deadline)
          w.wait()
        end)
        settle()
      end)
    end

    case(id .. ": works while a block is closed that a cancel left", function(t)
      local w = make()
      local task = lucio.create_task(function()
        local _ <close> = setmetatable({}, {__close = function(_, e)
          check_result(w, w.wait())
          t.log(e.name)
        end})
        lucio.sleep(10)
      end)
      settle()
      task:cancel()
      settle()
      assert.is_false(task:done())
      w.wake()
      if entry.timer then lucio.sleep(1) else settle() end
      assert.is_true(task:cancelled())
      t.same_lines {"CancelledError"}
    end)

    case(id .. ": works inside a coroutine.wrap, below other generators", function(t)
      local w = make()
      local task = lucio.create_task(function()
        local inner = coroutine.wrap(function()
          coroutine.yield("before")
          check_result(w, w.wait())
          coroutine.yield("after")
        end)
        for v in coroutine.wrap(function() for v in inner do coroutine.yield(v) end end) do
          t.log(v)
        end
      end)
      settle()
      t.same_lines {"before"}
      w.wake()
      if entry.timer then lucio.sleep(1) else settle() end
      assert.is_true(task:done())
      task:await()
      t.same_lines {"before", "after"}
    end)

    case(id .. ": holds a task that nothing else refers to", function(t)
      local function start()
        local w = make()
        lucio.create_task(function()
          check_result(w, w.wait())
          t.log("went on")
        end)
        return w.wake
      end
      local wake = start()
      settle()
      for _ = 1, 3 do collectgarbage() end
      settle()
      wake()
      lucio.sleep(1)
      t.same_lines {"went on"}
    end)

    it(id .. ": gets CancelledError when the loop ends, and is collected then", function()
      local before, ended = lucio.stats(), nil
      local weak = setmetatable({}, {__mode = "k"})
      lucio.run(function()
        local w = make()
        weak[w] = true
        lucio.create_task(function()
          local _ <close> = setmetatable({}, {__close = function(_, e) ended = e.name end})
          w.wait()
        end)
        settle()
        for _ = 1, 3 do collectgarbage() end
      end)
      assert.are.equal("CancelledError", ended)
      for _ = 1, 3 do collectgarbage() end
      assert.is_nil(next(weak))
      assert.are.equal(before.anchors, lucio.stats().anchors)
    end)
  end)
end
