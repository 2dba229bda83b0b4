-- CA10 to CA20: what a task makes of a cancellation, and who else sees it.
local case = require "spec.support.case"
local lucio = require "lucio"

local function no_op() end

-- A task that swallows the CancelledError of `wait` and then runs `go_on`.
local function swallower(wait, go_on)
  return lucio.create_task(function()
    pcall(wait)
    return go_on()
  end)
end

describe("a task that catches its CancelledError", function()
  case("CA10: goes on, waits and ends normally", function(t)
    local task = swallower(function() lucio.sleep(100) end, function()
      lucio.sleep(0)
      lucio.sleep(1)
      return "normal", lucio.current_task():cancelling()
    end)
    lucio.sleep(0)
    task:cancel()
    assert.are.same({"normal", 1}, {task:await()})
    assert.is_false(task:cancelled())
    t.same_lines {}
  end)

  case("CA10: can be cancelled again", function(t)
    local task = swallower(function() lucio.sleep(100) end, function() lucio.sleep(100) end)
    lucio.sleep(0)
    task:cancel("one")
    lucio.sleep(0)
    assert.is_false(task:done())
    task:cancel("two")
    assert.are.equal("two", t.raises(lucio.CancelledError, task.await, task).args[1])
    assert.are.equal(2, task:cancelling())
  end)

  case("CA11: gives its value to who awaits it, who is not interrupted", function(t)
    local inner
    local outer = lucio.create_task(function()
      inner = swallower(function() lucio.sleep(100) end, function() return "value" end)
      t.log(inner:await(), t.tick(), lucio.current_task():cancelling(), inner:cancelling())
      lucio.sleep(0)
      return "end"
    end)
    lucio.sleep(0)
    lucio.sleep(0)
    outer:cancel() -- tick 2
    assert.are.equal("end", outer:await())
    assert.is_false(outer:cancelled())
    t.same_lines {"value 4 1 1"}
  end)

  case("CA18: and raises another error fails with that", function(t)
    local e = lucio.ValueError("instead")
    local task = swallower(function() lucio.sleep(100) end, function() error(e) end)
    lucio.sleep(0)
    task:cancel()
    t.raises(e, task.await, task)
    assert.is_false(task:cancelled())
  end)
end)

describe("something that two tasks await", function()
  local function await_logged(t, name, what)
    local _, e = pcall(what.await, what)
    t.log(name, e.name, e.args[1], t.tick(), lucio.current_task():cancelling())
    error(e, 0)
  end

  case("CA12: a task is cancelled with one of them, and the other sees it", function(t)
    local child = lucio.create_task(lucio.sleep, 100)
    local a = lucio.create_task(await_logged, t, "a", child)
    local b = lucio.create_task(await_logged, t, "b", child)
    lucio.sleep(0)
    a:cancel("message")
    lucio.wait {a, b}
    t.log(a:cancelled(), b:cancelled(), child:cancelled(), child:cancelling())
    t.same_lines {
      "a CancelledError message 3 1", "b CancelledError message 3 0", "true true true 1",
    }
  end)

  case("CA12: a future is cancelled with one of them, and the other sees it", function(t)
    local f = lucio.Future()
    local a = lucio.create_task(await_logged, t, "a", f)
    local b = lucio.create_task(await_logged, t, "b", f)
    lucio.sleep(0)
    b:cancel("message")
    lucio.wait {a, b}
    t.log(a:cancelled(), b:cancelled())
    t.same_lines {
      "a CancelledError message 2 0", "b CancelledError message 2 1", "true true",
    }
  end)

  case("CA13: a future cancelled by a third party ends its awaiters cancelled", function(t)
    local f = lucio.Future()
    local task = lucio.create_task(f.await, f)
    lucio.sleep(0)
    f:cancel("third")
    assert.are.equal("third", t.raises(lucio.CancelledError, task.await, task).args[1])
    assert.is_true(task:cancelled())
    assert.are.equal(0, task:cancelling())
  end)
end)

describe("uncancel", function()
  case("CA14: subtracts, not below 0, and returns the rest", function()
    local task = lucio.create_task(lucio.sleep, 100)
    assert.are.equal(0, task:uncancel())
    lucio.sleep(0)
    task:cancel()
    task:cancel()
    task:cancel()
    assert.are.equal(2, task:uncancel())
    assert.are.equal(2, task:cancelling())
    assert.are.equal(1, task:uncancel())
    assert.are.equal(0, task:uncancel())
    assert.are.equal(0, task:uncancel())
    assert.are.equal(0, task:cancelling())
    lucio.sleep(0)
  end)

  case("CA14: to 0 withdraws a request that was not delivered", function(t)
    local task = lucio.create_task(function()
      lucio.sleep(0)
      t.log("went on", t.tick())
    end)
    task:cancel()
    task:uncancel()
    lucio.sleep(0)
    task:cancel()
    task:cancel()
    task:uncancel()
    assert.are.equal(0, task:uncancel())
    task:await()
    assert.is_false(task:cancelled())
    t.same_lines {"went on 2"}
  end)

  case("CA14: to 1 withdraws nothing", function(t)
    local task = lucio.create_task(lucio.sleep, 0)
    lucio.sleep(0)
    task:cancel()
    task:cancel()
    assert.are.equal(1, task:uncancel())
    t.raises(lucio.CancelledError, task.await, task)
    assert.are.equal(1, task:cancelling())
  end)

  case("CA14: does not undo a future that was cancelled", function(t)
    local f = lucio.Future()
    local task = lucio.create_task(f.await, f)
    lucio.sleep(0)
    task:cancel()
    assert.are.equal(0, task:uncancel())
    t.raises(lucio.CancelledError, task.await, task)
    assert.is_true(task:cancelled())
  end)

  case("CA14: changes nothing in a done task but the count", function(t)
    local task = lucio.create_task(no_op)
    task:cancel()
    t.raises(lucio.CancelledError, task.await, task)
    assert.are.equal(1, task:cancelling())
    assert.are.equal(0, task:uncancel())
    assert.is_true(task:cancelled())
  end)
end)

describe("the message of a cancel", function()
  local values = {table = {}, number = 42, boolean = false, text = "text"}

  for kind, value in pairs(values) do
    case("CA15: may be a " .. kind .. " and passes every level", function(t)
      local a = lucio.create_task(lucio.sleep, 100)
      local b = lucio.create_task(function() a:await() end)
      local c = lucio.create_task(function() b:await() end)
      lucio.sleep(0)
      c:cancel(value)
      for _, task in ipairs {c, b, a} do
        for _ = 1, 2 do
          local e = t.raises(lucio.CancelledError, task.await, task)
          assert.is_true(rawequal(value, e.args[1]))
        end
      end
    end)
  end

  case("CA15: is none when it is nil", function(t)
    local task = lucio.create_task(no_op)
    task:cancel(nil)
    local e = t.raises(lucio.CancelledError, task.await, task)
    assert.are.equal(0, #e.args)
    assert.are.equal("", tostring(e))
  end)
end)

describe("a CancelledError", function()
  case("CA16: is no ordinary error", function()
    local e = lucio.CancelledError()
    assert.is_false(lucio.isinstance(e, lucio.Exception))
    assert.is_true(lucio.isinstance(e, lucio.BaseException))
    assert.is_true(lucio.isinstance(e, lucio.CancelledError))
  end)

  case("CA16: passes through lucio.pcall in a retry loop", function(t)
    local task = lucio.create_task(function()
      for i = 1, 10 do
        lucio.pcall(function()
          t.log("try", i)
          lucio.sleep(1)
          error("failed", 0)
        end)
      end
    end)
    lucio.sleep(1.5)
    task:cancel()
    t.raises(lucio.CancelledError, task.await, task)
    t.same_lines {"try 1", "try 2"}
  end)

  case("CA17: may arrive again in the clean-up, and interrupts that", function(t)
    local task = lucio.create_task(function()
      local _ <close> = setmetatable({}, {__close = function(_, e)
        t.log("clean-up", e.args[1], t.tick())
        local ok, again = pcall(lucio.sleep, 100)
        t.log(ok, again.args[1], t.tick())
        error(again, 0)
      end})
      lucio.sleep(100)
    end)
    lucio.sleep(0)
    task:cancel("one")
    lucio.sleep(0)
    lucio.sleep(0)
    task:cancel("two") -- tick 3
    assert.are.equal("two", t.raises(lucio.CancelledError, task.await, task).args[1])
    t.log(t.tick(), task:cancelling())
    t.same_lines {"clean-up one 2", "false two 4", "5 2"}
  end)

  case("CA19: seen by the awaiter is the one raised in the task", function(t)
    local inside
    local function wait_here()
      local ok, e = pcall(lucio.sleep, 100)
      inside = e
      error(e, 0)
      return ok
    end
    local task = lucio.create_task(function()
      local value = wait_here()
      return value
    end)
    lucio.sleep(0)
    task:cancel("message")
    local e = t.raises(lucio.CancelledError, task.await, task)
    assert.is_true(rawequal(inside, e))
    assert.is_string(e.traceback)
    assert.is_truthy(e.traceback:find("wait_here", 1, true), e.traceback)
  end)

  case("CA20: never reaches the task inside of cancel", function(t)
    local task = lucio.create_task(function()
      local _ <close> = setmetatable({}, {__close = function() t.log("clean-up") end})
      lucio.sleep(100)
    end)
    lucio.sleep(0)
    t.log("before")
    task:cancel()
    t.log("behind")
    lucio.sleep(0)
    t.same_lines {"before", "behind", "clean-up"}
  end)
end)
