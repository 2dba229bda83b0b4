-- CA1 to CA9: how and when a cancellation reaches a task.
local case = require "spec.support.case"
local lucio = require "lucio"

local function no_op() end

-- Awaits and logs name, message and tick of the CancelledError, which goes on.
local function await_cancelled(t, name, what)
  local ok, e = pcall(what.await, what)
  t.log(name, ok, e.name, e.args[1], t.tick())
  error(e, 0)
end

describe("cancel", function()
  case("CA1: of a done task returns false and counts nothing", function(t)
    local task = lucio.create_task(function() return "kept" end)
    task:await()
    assert.is_false(task:cancel())
    assert.are.equal(0, task:cancelling())
    assert.are.equal("kept", task:result())
    task = lucio.create_task(no_op)
    task:cancel()
    t.raises(lucio.CancelledError, task.await, task)
    assert.is_false(task:cancel())
    assert.are.equal(1, task:cancelling())
  end)

  case("CA1: of a task that is not done returns true and counts each time", function()
    local task = lucio.create_task(lucio.sleep, 100)
    assert.are.equal(0, task:cancelling())
    for i = 1, 3 do
      assert.is_true(task:cancel())
      assert.are.equal(i, task:cancelling())
    end
    lucio.sleep(0)
    assert.is_true(task:cancelled())
  end)

  case("CA2: cancels the awaited future at once, the task a tick later", function(t)
    local f = lucio.Future()
    local task = lucio.create_task(await_cancelled, t, "task", f)
    lucio.sleep(0)
    task:cancel("message")
    t.log("main", f:cancelled(), task:done(), task:cancelled(), t.tick())
    t.raises(lucio.CancelledError, task.await, task)
    t.log("main", task:cancelled(), t.tick())
    t.same_lines {
      "main true false false 1", "task false CancelledError message 2", "main true 3",
    }
  end)

  case("CA2: is not visible in cancelled() while the body cleans up", function(t)
    local task = lucio.create_task(function()
      local _ <close> = setmetatable({}, {__close = function() lucio.sleep(0) end})
      lucio.sleep(100)
    end)
    lucio.sleep(0)
    task:cancel()
    for _ = 1, 3 do
      t.log(t.tick(), task:done(), task:cancelled(), task:cancelling())
      lucio.sleep(0)
    end
    -- main runs behind the task's clean-up in tick 3
    t.same_lines {"1 false false 1", "2 false false 1", "3 true true 1"}
  end)

  case("CA3: goes down to the innermost task at once and comes up tick by tick", function(t)
    local f = lucio.Future()
    local a = lucio.create_task(await_cancelled, t, "a", f)
    local b = lucio.create_task(await_cancelled, t, "b", a)
    local c = lucio.create_task(await_cancelled, t, "c", b)
    lucio.sleep(0)
    c:cancel("message")
    t.log("main", f:cancelled(), a:cancelling(), b:cancelling(), c:cancelling(), t.tick())
    t.raises(lucio.CancelledError, c.await, c)
    t.log("main", a:cancelled(), b:cancelled(), c:cancelled(), t.tick())
    t.same_lines {
      "main true 1 1 1 1", "a false CancelledError message 2", "b false CancelledError message 3",
      "c false CancelledError message 4", "main true true true 5",
    }
  end)

  case("CA3: ends tasks that await each other in a cycle", function()
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = lucio.create_task(function() tasks[i % 3 + 1]:await() end)
    end
    lucio.sleep(0)
    assert.is_true(tasks[1]:cancel("stop"))
    lucio.wait(tasks)
    for i = 1, 3 do assert.is_true(tasks[i]:cancelled()) end
  end)

  case("CA4: of a task that sleeps 0 raises at its next step", function(t)
    local task = lucio.create_task(function()
      local ok, e = pcall(lucio.sleep, 0)
      t.log(ok, e.args[1], t.tick())
      error(e, 0)
    end)
    lucio.sleep(0)
    task:cancel("message")
    assert.is_false(task:cancelled())
    lucio.sleep(0)
    t.log(task:cancelled(), t.tick())
    t.same_lines {"false message 2", "true 2"}
  end)

  case("CA4: replaces a result that is already set; the future keeps it", function(t)
    local f = lucio.Future()
    local task = lucio.create_task(await_cancelled, t, "task", f)
    lucio.sleep(0)
    f:set_result("kept")
    assert.is_true(task:cancel("message"))
    t.raises(lucio.CancelledError, task.await, task)
    assert.are.equal("kept", f:result())
    t.same_lines {"task false CancelledError message 2"}
  end)

  case("CA4: replaces an error that is already set", function(t)
    local f = lucio.Future()
    local task = lucio.create_task(await_cancelled, t, "task", f)
    lucio.sleep(0)
    f:set_exception(lucio.ValueError("x"))
    task:cancel("message")
    t.raises(lucio.CancelledError, task.await, task)
    assert.are.equal("x", tostring(f:exception()))
    t.same_lines {"task false CancelledError message 2"}
  end)

  case("CA5: of a task that has not started runs no line of it", function(t)
    local task = lucio.create_task(function()
      local _ <close> = setmetatable({}, {__close = function() t.log("clean-up") end})
      t.log("body")
    end)
    task:cancel("message")
    assert.is_false(task:done())
    local e = t.raises(lucio.CancelledError, task.await, task)
    assert.are.equal("message", e.args[1])
    assert.are.equal(2, t.tick())
    t.same_lines {}
  end)

  case("CA5: of an unstarted coroutine's task leaves the coroutine used up", function(t)
    local coroutine = lucio.async(function() t.log("body") end)()
    local task = lucio.create_task(coroutine)
    task:cancel()
    t.raises(lucio.CancelledError, task.await, task)
    t.raises(lucio.RuntimeError, lucio.await, coroutine)
    t.same_lines {}
  end)
end)

describe("cancelling oneself", function()
  case("CA6: lets awaits of done things pass and ends the first that waits", function(t)
    local done, pending = lucio.Future(), lucio.Future()
    done:set_result()
    local task = lucio.create_task(function()
      lucio.current_task():cancel("self")
      done:await()
      lucio.await(no_op)
      t.log("passed", t.tick())
      local _, e = pcall(pending.await, pending)
      t.log(e.args[1], t.tick(), pending:cancelled(), lucio.current_task():cancelling())
    end)
    lucio.sleep(0)
    t.log("main", pending:cancelled(), t.tick())
    task:await()
    t.same_lines {"passed 1", "main true 1", "self 2 true 1"}
  end)

  case("CA6: arrives a tick later in a sleep of 0", function(t)
    local task = lucio.create_task(function()
      lucio.current_task():cancel("self")
      local _, e = pcall(lucio.sleep, 0)
      t.log(e.args[1], t.tick())
    end)
    task:await()
    t.same_lines {"self 2"}
  end)

  case("CA7: and returning is a cancellation, the value is lost", function(t)
    local task = lucio.create_task(function()
      lucio.current_task():cancel("self")
      return "lost"
    end)
    assert.are.equal("self", t.raises(lucio.CancelledError, task.await, task).args[1])
    assert.is_true(task:cancelled())
  end)

  case("CA7: and raising another error fails with that", function(t)
    local e = lucio.ValueError("x")
    local task = lucio.create_task(function()
      lucio.current_task():cancel("self")
      error(e)
    end)
    t.raises(e, task.await, task)
    assert.is_false(task:cancelled())
  end)
end)

describe("several cancels", function()
  -- Logs each CancelledError that reaches the task.
  local function victim(t, wait)
    return lucio.create_task(function()
      for _ = 1, 2 do
        local ok, e = pcall(wait)
        if not ok then t.log(e.args[1]) end
        wait = function() lucio.sleep(0) end
      end
      return lucio.current_task():cancelling()
    end)
  end

  case("CA8: are one error, with the first message if a future was cancelled", function(t)
    local f = lucio.Future()
    local task = victim(t, function() f:await() end)
    lucio.sleep(0)
    task:cancel("one")
    task:cancel("two")
    assert.are.equal(2, task:await())
    t.same_lines {"one"}
  end)

  case("CA8: are one error, with the last message if the task was runnable", function(t)
    local task = victim(t, function() lucio.sleep(0) end)
    lucio.sleep(0)
    task:cancel("one")
    task:cancel("two")
    assert.are.equal(2, task:await())
    t.same_lines {"two"}
  end)

  case("CA8: before the start end the task with the last message", function(t)
    local task = lucio.create_task(no_op)
    task:cancel("one")
    task:cancel("two")
    assert.are.equal("two", t.raises(lucio.CancelledError, task.await, task).args[1])
    assert.are.equal(2, task:cancelling())
  end)
end)

describe("a CancelledError raised by the body", function()
  case("CA9: makes the task cancelled and is what its awaiter gets", function(t)
    local e = lucio.CancelledError("unasked")
    local task = lucio.create_task(function() error(e) end)
    t.raises(e, task.await, task)
    assert.is_true(task:cancelled())
    assert.are.equal(0, task:cancelling())
    for _ = 1, 2 do
      assert.are.equal("unasked", t.raises(lucio.CancelledError, task.result, task).args[1])
    end
  end)

  case("CA9: may be of a class of the program's own", function(t)
    local Stopped = lucio.exception("Stopped", lucio.CancelledError)
    local task = lucio.create_task(function() error(Stopped("why")) end)
    t.raises(Stopped, task.await, task)
    assert.is_true(task:cancelled())
  end)
end)
