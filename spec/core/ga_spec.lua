-- SEMANTICS GA: gather. A gather that suspends its caller stands for awaiting asyncio's outer
-- future; where a rule cancels the outer one, a task suspended in gather is cancelled.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

local ValueError = lucio.ValueError

-- gives up n iterations
local function pass(n)
  for _ = 1, n do lucio.sleep(0) end
end

local function is(e, class)
  assert.is_true(lucio.isinstance(e, class))
end

describe("gather: arguments", function()
  case("GA1: takes every kind of awaitable and keeps the order of the arguments", function()
    local fut = lucio.Future()
    local task = lucio.create_task(function()
      pass(3)
      fut:set_result("future")
      return "task"
    end)
    local coro = lucio.async(function(v) return v end)("coroutine")
    local object = setmetatable({}, {__await = function()
      lucio.sleep(0)
      return "object"
    end})
    local list = lucio.gather(fut, task, coro, object, function() return "function" end)
    assert.are.same({"future", "task", "coroutine", "object", "function", n = 5}, list)
  end)

  case("GA1: the table form takes the same", function()
    local list = lucio.gather{function() return 1 end, function() return 2 end}
    assert.are.same({1, 2, n = 2}, list)
  end)

  case("GA1: wraps at once, so that the children start together, in argument order", function(t)
    local function child(name)
      return function() t.log(name, t.tick(), #lucio.all_tasks()) end
    end
    local before = #lucio.all_tasks()
    lucio.gather(child "a", child "b", child "c")
    assert.are.equal(1, before)
    t.same_lines{"a 1 4", "b 1 3", "c 1 2"}
  end)

  case("GA1: results may be nil, of several results the first is taken", function()
    local list = lucio.gather(function() end, function() return 1, 2 end, function() end)
    assert.are.equal(3, list.n)
    assert.are.equal(1, list[2])
    assert.is_nil(list[1])
    assert.is_nil(list[3])
  end)

  case("GA2: without arguments gives an empty list and does not suspend", function(t)
    assert.are.same({n = 0}, lucio.gather())
    assert.are.same({n = 0}, lucio.gather{})
    assert.are.same({n = 0}, lucio.gather{return_exceptions = true})
    assert.are.equal(0, t.tick())
  end)

  case("GA2: of finished futures does not suspend", function(t)
    local a, b = lucio.Future(), lucio.Future()
    a:set_result(1)
    b:set_result(2)
    assert.are.same({1, 2, n = 2}, lucio.gather(a, b))
    assert.are.equal(0, t.tick())
  end)

  case("GA2: of a failed future raises at once, though another is pending", function(t)
    local bad, pending = lucio.Future(), lucio.Future()
    local boom = ValueError("boom")
    bad:set_exception(boom)
    t.raises(boom, lucio.gather, pending, bad)
    assert.are.equal(0, t.tick())
    assert.is_false(pending:done())
  end)

  case("GA3: a future, task or coroutine that stands twice is one", function()
    local runs = 0
    local function count(v)
      runs = runs + 1
      return v
    end
    local fut = lucio.Future()
    fut:set_result("f")
    local task = lucio.create_task(count, "t")
    local coro = lucio.async(count)("c")
    local list = lucio.gather(coro, fut, task, coro, task, fut)
    assert.are.same({"c", "f", "t", "c", "t", "f", n = 6}, list)
    assert.are.equal(2, runs)
  end)

  case("GA3: a plain function that stands twice is called twice", function()
    local runs = 0
    local function count()
      runs = runs + 1
      return runs
    end
    assert.are.same({1, 2, n = 2}, lucio.gather(count, count))
  end)

  case("GA12: what is not awaitable raises TypeError and leaves no task behind", function(t)
    local ran = false
    local function child() ran = true end
    local e = t.raises(lucio.TypeError, lucio.gather, child, 42)
    assert.matches("#2", tostring(e), 1, true)
    assert.matches("gather", tostring(e), 1, true)
    t.raises(lucio.TypeError, lucio.gather, child, nil)
    t.raises(lucio.TypeError, lucio.gather, {child, "x"})
    assert.are.equal(1, #lucio.all_tasks())
    pass(2)
    assert.is_false(ran)
  end)

  case("GA12: a hole in the list is a TypeError that names the index", function(t)
    local fut = lucio.Future()
    local e = t.raises(lucio.TypeError, lucio.gather, {fut, nil, fut, n = 3})
    assert.matches("2", tostring(e), 1, true)
  end)

  case("GA12: an unknown option is an error that names it", function(t)
    local e = t.raises(lucio.Exception, lucio.gather, {lucio.Future(), return_exeptions = true})
    assert.matches("return_exeptions", tostring(e), 1, true)
  end)

  case("GA12: children of two loops raise ValueError", function(t)
    local other = lucio.new_event_loop()
    local theirs, ours = other:create_future(), lucio.Future()
    t.raises(ValueError, lucio.gather, ours, theirs)
    t.raises(ValueError, lucio.gather, {theirs, ours})
    other:close()
  end)
end)

describe("gather: outcome", function()
  case("GA4: the caller resumes two iterations after the last child is done", function(t)
    local function child(name, n)
      return lucio.create_task(function()
        pass(n)
        t.log(name, t.tick())
      end)
    end
    local fast, slow = child("fast", 1), child("slow", 3)
    lucio.gather(slow, fast)
    t.log("gathered", t.tick())
    t.same_lines{"fast 2", "slow 4", "gathered 6"}
  end)

  case("GA4: an awaiter of a task that gathers resumes one iteration later still", function(t)
    local fut = lucio.Future()
    local outer = lucio.create_task(lucio.gather, fut)
    pass(2)
    fut:set_result(1)
    outer:await()
    assert.are.equal(2 + 3, t.tick())
  end)

  case("GA5: the first failure is raised as it is; the siblings run on uncancelled", function(t)
    local boom = ValueError("boom")
    local slow = lucio.create_task(function()
      pass(5)
      t.log("slow", t.tick())
    end)
    local bad = lucio.create_task(function()
      pass(1)
      error(boom)
    end)
    t.raises(boom, lucio.gather, slow, bad)
    t.log("raised", t.tick())
    assert.is_false(slow:done())
    assert.are.equal(0, slow:cancelling())
    slow:await()
    t.same_lines{"raised 4", "slow 6"}
  end)

  case("GA5: later failures of the siblings count as retrieved", function(t)
    local function fail(n)
      return function()
        pass(n)
        error(ValueError("after " .. n), 0)
      end
    end
    local e = t.raises(ValueError, lucio.gather, fail(3), fail(1), fail(2))
    assert.are.equal("after 1", tostring(e))
    pass(4)
    collectgarbage()
    collectgarbage()
    pass(2)
    assert.are.equal(0, #t.reports)
  end)

  case("GA5: a table that is no error object is raised unchanged", function(t)
    local value = {}
    t.raises(value, lucio.gather, function() error(value) end)
  end)

  case("GA6: a child cancelled on its own raises CancelledError in the caller", function(t)
    local sibling, fut = lucio.Future(), lucio.Future()
    local child = lucio.create_task(function() fut:await() end)
    lucio.get_running_loop():call_soon(function() child:cancel("alone") end)
    local e = t.raises(lucio.CancelledError, lucio.gather, sibling, child)
    assert.are.equal("alone", e.args[1])
    assert.are.equal(4, t.tick())
    assert.are.equal(0, lucio.current_task():cancelling())
    assert.is_false(sibling:done())
  end)

  case("GA6: a task that gathers and lets that through ends cancelled", function()
    local fut = lucio.Future()
    local outer = lucio.create_task(lucio.gather, fut)
    pass(2)
    fut:cancel()
    pass(3)
    assert.is_true(outer:cancelled())
    assert.are.equal(0, outer:cancelling())
  end)

  case("GA7: return_exceptions makes errors and cancellations items of the list", function()
    local boom = ValueError("boom")
    local cancelled = lucio.Future()
    cancelled:cancel("stop")
    local list = lucio.gather{
      function() error(boom) end,
      cancelled,
      function() return "fine" end,
      return_exceptions = true,
    }
    assert.are.equal(3, list.n)
    assert.is_true(rawequal(boom, list[1]))
    is(list[2], lucio.CancelledError)
    assert.are.equal("stop", list[2].args[1])
    assert.are.equal("fine", list[3])
  end)

  case("GA7: an item that was a bare value comes wrapped in LuaError", function()
    local value = {}
    local list = lucio.gather{
      function() error("text", 0) end,
      function() error(value) end,
      return_exceptions = true,
    }
    is(list[1], lucio.LuaError)
    assert.are.equal("text", list[1].value)
    is(list[2], lucio.LuaError)
    assert.is_true(rawequal(value, list[2].value))
  end)

  case("GA7: with return_exceptions a failure does not end the wait early", function(t)
    lucio.gather{
      function() error(ValueError("boom")) end,
      function() pass(4) end,
      return_exceptions = true,
    }
    assert.are.equal(7, t.tick())
  end)
end)

describe("gather: context", function()
  case("GA1 CX7: each wrapped child has a copy of the caller's context", function()
    local var = lucio.ContextVar("var", "default")
    var:set("caller")
    local function child(v)
      return function()
        local seen = var:get()
        var:set(v)
        pass(1)
        return seen .. " " .. var:get()
      end
    end
    local list = lucio.gather(child "a", child "b")
    assert.are.same({"caller a", "caller b", n = 2}, list)
    assert.are.equal("caller", var:get())
  end)
end)
