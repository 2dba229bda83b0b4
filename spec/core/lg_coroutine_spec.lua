-- LG8: awaits made inside a user's own coroutine.
local case = require "spec.support.case"
local lucio = require "lucio"

-- A value for a <close> variable.
local function closing(fn)
  return setmetatable({}, {__close = fn})
end

describe("an await in a user's own coroutine", function()
  case("LG8: is bridged through to the task", function(t)
    local generator = coroutine.wrap(function()
      for i = 1, 3 do
        lucio.sleep(0)
        coroutine.yield(i)
      end
    end)
    for i in generator do t.log(i, t.tick()) end
    t.same_lines {"1 1", "2 2", "3 3"}
  end)

  case("LG8: is bridged through generators two and three deep", function(t)
    local function counter(n, inner)
      return coroutine.wrap(function()
        for i = 1, n do
          lucio.sleep(0)
          coroutine.yield(inner and inner() * 10 + i or i)
        end
      end)
    end
    local two = counter(2, counter(2))
    for i in two do t.log(i, t.tick()) end
    t.start_ticks()
    local three = counter(2, counter(2, counter(2)))
    for i in three do t.log(i, t.tick()) end
    t.same_lines {"11 2", "22 4", "111 3", "222 6"}
  end)

  case("LG8: suspends the whole task, others run", function(t)
    lucio.create_task(function()
      t.log("other", t.tick())
      lucio.sleep(0)
      t.log("other", t.tick())
    end)
    local generator = coroutine.wrap(function()
      lucio.sleep(0)
      t.log("generator", t.tick(), lucio.current_task() ~= nil)
      lucio.sleep(0)
      coroutine.yield("item")
    end)
    t.log(generator(), t.tick())
    t.same_lines {"other 1", "generator 1 true", "other 2", "item 2"}
  end)

  case("LG8: works under coroutine.resume as well", function(t)
    local co = coroutine.create(function(a)
      local b = coroutine.yield(lucio.sleep(0, a + 1))
      return lucio.sleep(0, b + 1)
    end)
    assert.are.same({true, 2}, {coroutine.resume(co, 1)})
    assert.are.same({true, 11}, {coroutine.resume(co, 10)})
    assert.are.equal("dead", coroutine.status(co))
    assert.are.equal(2, t.tick())
  end)

  case("LG8: raises there when the task is cancelled, cleaning up inside out", function(t)
    local task = lucio.create_task(function()
      local _ <close> = closing(function(_, e) t.log("task", e.name) end)
      local generator = coroutine.wrap(function()
        local _ <close> = closing(function(_, e)
          lucio.sleep(0)
          t.log("generator", e.name)
        end)
        lucio.sleep(100)
      end)
      generator()
    end)
    lucio.sleep(0)
    lucio.sleep(0)
    task:cancel()
    t.raises(lucio.CancelledError, task.await, task)
    t.same_lines {"generator CancelledError", "task CancelledError"}
  end)

  case("LG8: passes the error of the awaited thing to the generator", function(t)
    local f = lucio.Future()
    lucio.get_running_loop():call_soon(f.set_exception, f, lucio.ValueError("inside"))
    local generator = coroutine.wrap(function()
      local ok, e = pcall(f.await, f)
      coroutine.yield(tostring(ok) .. " " .. tostring(e))
    end)
    assert.are.equal("false inside", generator())
    t.same_lines {}
  end)
end)
