-- SEMANTICS WA8-WA12: as_completed, in the style of `async for` (WA10).
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

local ValueError, TypeError = lucio.ValueError, lucio.TypeError

-- gives up n iterations
local function pass(n)
  for _ = 1, n do lucio.sleep(0) end
end

local function finished(v)
  local fut = lucio.Future()
  fut:set_result(v)
  return fut
end

-- a task that returns v after n seconds
local function after(n, v)
  return lucio.create_task(lucio.sleep, n, v)
end

describe("as_completed", function()
  case("WA8: a single awaitable is a TypeError", function(t)
    t.raises(TypeError, lucio.as_completed, lucio.Future())
    t.raises(TypeError, lucio.as_completed, function() end)
    t.raises(TypeError, lucio.as_completed, lucio.async(function() end)())
    t.raises(TypeError, lucio.as_completed, nil)
  end)

  case("WA8: a bad item is a TypeError that leaves no task behind", function(t)
    local ran = false
    t.raises(TypeError, lucio.as_completed, {function() ran = true end, 42})
    pass(2)
    assert.is_false(ran)
  end)

  case("WA8: duplicates collapse", function()
    local a, b = finished(1), finished(2)
    local seen = 0
    for _ in lucio.as_completed{a, b, a, a} do seen = seen + 1 end
    assert.are.equal(2, seen)
  end)

  case("WA8: a function that stands twice is called twice", function()
    local runs, seen = 0, 0
    local function count() runs = runs + 1 end
    for _ in lucio.as_completed{count, count} do seen = seen + 1 end
    assert.are.equal(2, seen)
    assert.are.equal(2, runs)
  end)

  case("WA8: the children start with the call, not with the first step of the loop", function()
    local ran = false
    local iterator = lucio.as_completed{function() ran = true end}
    pass(1)
    assert.is_true(ran)
    for fut in iterator do assert.is_true(fut:done()) end
  end)

  case("WA9: the k-th step gives the k-th completion", function(t)
    for fut in lucio.as_completed{after(3, "c"), after(1, "a"), after(2, "b")} do
      t.log(fut:result())
    end
    t.same_lines{"a", "b", "c"}
  end)

  case("WA9: resumes two iterations after a completion", function(t)
    local a, b = lucio.Future(), lucio.Future()
    lucio.create_task(function()
      pass(1)
      b:set_result("b") -- in iteration 2
      pass(3)
      a:set_result("a") -- in iteration 5
    end)
    for fut in lucio.as_completed{a, b} do t.log(fut:await(), t.tick()) end
    t.log("end", t.tick())
    t.same_lines{"b 4", "a 7", "end 7"}
  end)

  case("WA9: what completed together takes no further iteration", function(t)
    local a, b = finished("a"), finished("b")
    for fut in lucio.as_completed{b, a} do t.log(fut:await(), t.tick()) end
    t.same_lines{"b 2", "a 2"}
  end)

  case("WA10: gives the caller's own tasks and futures, already done", function()
    local fut = lucio.Future()
    local task = lucio.create_task(function()
      fut:set_result("future")
      pass(2)
      return "task", "second"
    end)
    local seen = {}
    for item in lucio.as_completed{task, fut} do
      assert.is_true(item:done())
      seen[#seen + 1] = item
    end
    assert.are.equal(2, #seen)
    assert.is_true(rawequal(fut, seen[1]))
    assert.is_true(rawequal(task, seen[2]))
    assert.are.same({"task", "second"}, {seen[2]:await()})
  end)

  case("WA10: coroutines, functions and awaitable objects come as new tasks", function(t)
    local object = setmetatable({}, {__await = function() return "object" end})
    local list = {lucio.async(function(v) return v end)("coroutine"),
      function() return "function" end, object}
    for task in lucio.as_completed(list) do
      assert.is_true(lucio.isfuture(task))
      t.log(task:result(), task:get_name() ~= nil)
    end
    t.same_lines{"coroutine true", "function true", "object true"}
  end)

  case("WA10: the error of a child is raised by its future, not by the iterator", function(t)
    local boom = ValueError("boom")
    local results = {}
    for fut in lucio.as_completed{function() error(boom) end, function() return "fine" end} do
      local ok, v = pcall(fut.result, fut)
      if not ok then assert.is_true(rawequal(boom, v)) end
      results[#results + 1] = ok
      t.raises("the body", error, "the body", 0)
    end
    assert.are.same({false, true}, results)
  end)

  case("WA11: at the timeout the iterator raises TimeoutError, children run on", function(t)
    local loop = lucio.get_running_loop()
    local start = loop:time()
    local fast, slow = after(1, "fast"), after(5, "slow")
    t.raises(lucio.TimeoutError, function()
      for fut in lucio.as_completed({slow, fast}, {timeout = 2}) do t.log(fut:result()) end
    end)
    assert.are.equal(2, loop:time() - start)
    assert.are.equal(0, slow:cancelling())
    assert.are.equal("slow", slow:await())
    t.same_lines{"fast"}
  end)

  case("WA11: the timer is made by the call, so the time of the body counts", function(t)
    local loop = lucio.get_running_loop()
    local start = loop:time()
    t.raises(lucio.TimeoutError, function()
      for _ in lucio.as_completed({after(1), after(9)}, {timeout = 2}) do lucio.sleep(0.75) end
    end)
    assert.are.equal(2, loop:time() - start)
  end)

  case("WA11: what was done by then is given before the TimeoutError", function(t)
    t.raises(lucio.TimeoutError, function()
      local list = {after(1, "a"), after(2, "b"), after(9)}
      for fut in lucio.as_completed(list, {timeout = 3}) do
        t.log(fut:result())
        lucio.sleep(4)
      end
    end)
    t.same_lines{"a", "b"}
  end)

  case("WA11: the timer is dropped when all are done, consumed or not", function()
    local fut = lucio.Future()
    local before = lucio.stats().timers
    local iterator = lucio.as_completed({fut}, {timeout = 100})
    assert.are.equal(before + 1, lucio.stats().timers)
    fut:set_result("v")
    pass(1)
    assert.are.equal(before, lucio.stats().timers)
    for item in iterator do assert.are.equal("v", item:result()) end
  end)

  case("WA12: breaking out cancels nothing", function()
    local slow, task = lucio.Future(), lucio.create_task(pass, 3)
    for fut in lucio.as_completed({slow, finished(1), task}, {timeout = 50}) do
      assert.are.equal(1, fut:result())
      if fut:done() then break end
    end
    assert.is_false(slow:done())
    task:await()
    assert.is_false(task:cancelled())
  end)

  case("WA12: breaking out of the for drops what the iterator held", function()
    local fut = lucio.Future()
    local text, timers = tostring(fut), lucio.stats().timers
    for item in lucio.as_completed({fut, finished(1)}, {timeout = 50}) do
      if item:done() then break end
    end
    assert.are.equal(text, tostring(fut))
    assert.are.equal(timers, lucio.stats().timers)
  end)

  case("WA12: an iterator kept aside can be resumed after a break", function(t)
    local iterator = lucio.as_completed{after(1, "a"), after(2, "b"), after(3, "c")}
    for fut in iterator do
      t.log("first", fut:result())
      if fut:done() then break end
    end
    for fut in iterator do t.log("second", fut:result()) end
    t.same_lines{"first a", "second b", "second c"}
  end)

  case("WA12: an empty list ends at once", function(t)
    for _ in lucio.as_completed{} do t.log("item") end
    for _ in lucio.as_completed({}, {timeout = 1}) do t.log("item") end
    assert.are.equal(0, t.tick())
    t.same_lines{}
  end)

  case("WA12: cancelling the one who iterates leaves the children running", function(t)
    local fut = lucio.Future()
    local text = tostring(fut)
    local task = lucio.create_task(function()
      for _ in lucio.as_completed({fut}, {timeout = 50}) do t.log("item") end
    end)
    pass(2)
    task:cancel()
    pass(2)
    assert.is_true(task:cancelled())
    assert.is_false(fut:done())
    assert.are.equal(text, tostring(fut))
    t.same_lines{}
  end)
end)
