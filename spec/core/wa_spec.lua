-- SEMANTICS WA1-WA7: wait.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

local ValueError, TypeError = lucio.ValueError, lucio.TypeError
local FIRST_COMPLETED, FIRST_EXCEPTION = lucio.FIRST_COMPLETED, lucio.FIRST_EXCEPTION

-- gives up n iterations
local function pass(n)
  for _ = 1, n do lucio.sleep(0) end
end

-- asserts that a list holds just these objects, in this order
local function same_list(expected, list)
  assert.are.equal(#expected, #list)
  for i, item in ipairs(expected) do
    assert.is_true(rawequal(item, list[i]), "item " .. i .. " differs")
    assert.is_true(list:has(item))
  end
end

local function finished(v)
  local fut = lucio.Future()
  fut:set_result(v)
  return fut
end

-- runs fn in the iteration n from now
local function at_tick(n, fn)
  return lucio.create_task(function()
    pass(n - 1)
    fn()
  end)
end

describe("wait: arguments", function()
  case("WA1: a single future, task, coroutine or function is a TypeError", function(t)
    local task = lucio.create_task(function() end)
    t.raises(TypeError, lucio.wait, lucio.Future())
    t.raises(TypeError, lucio.wait, task)
    t.raises(TypeError, lucio.wait, lucio.async(function() end)())
    t.raises(TypeError, lucio.wait, function() end)
    t.raises(TypeError, lucio.wait, nil)
  end)

  case("WA1: an empty list is a ValueError", function(t)
    t.raises(ValueError, lucio.wait, {})
    t.raises(ValueError, lucio.wait, {n = 0})
  end)

  case("WA1: a bad return_when is a ValueError", function(t)
    t.raises(ValueError, lucio.wait, {lucio.Future()}, {return_when = "SOMETIMES"})
  end)

  case("WA1: a bad item is a TypeError that leaves no task behind", function(t)
    local ran = false
    t.raises(TypeError, lucio.wait, {function() ran = true end, 42})
    local e = t.raises(TypeError, lucio.wait, {lucio.Future(), nil, lucio.Future(), n = 3})
    assert.matches("2", tostring(e), 1, true)
    pass(2)
    assert.is_false(ran)
  end)

  case("WA1: an unknown option is an error that names it", function(t)
    local e = t.raises(lucio.Exception, lucio.wait, {lucio.Future()}, {time_out = 1})
    assert.matches("time_out", tostring(e), 1, true)
  end)

  case("WA1: coroutines and functions become tasks", function()
    local object = setmetatable({}, {__await = function() return "object" end})
    local done, pending = lucio.wait{
      function() return "function" end,
      lucio.async(function(v) return v end)("coroutine"),
      object,
    }
    assert.are.equal(0, #pending)
    assert.are.equal(3, #done)
    local results = {}
    for i, task in ipairs(done) do
      assert.is_true(lucio.isfuture(task))
      results[i] = task:result()
    end
    assert.are.same({"function", "coroutine", "object"}, results)
  end)
end)

describe("wait: done and pending", function()
  case("WA2: both keep the order of the argument, whatever finishes first", function()
    local a, b, c, d = lucio.Future(), lucio.Future(), lucio.Future(), lucio.Future()
    at_tick(2, function()
      d:set_result()
      b:set_result()
    end)
    local done, pending = lucio.wait({a, b, c, d}, {return_when = FIRST_COMPLETED})
    same_list({b, d}, done)
    same_list({a, c}, pending)
    assert.is_false(done:has(a))
    assert.is_false(pending:has(b))
  end)

  case("WA2: duplicates collapse", function()
    local a, b = finished(1), finished(2)
    local done, pending = lucio.wait{b, a, b, a}
    same_list({b, a}, done)
    same_list({}, pending)
  end)

  case("WA2: a coroutine that stands twice is one task, a function that does is called twice",
    function()
      local runs = 0
      local function count() runs = runs + 1 end
      local coro = lucio.async(count)()
      local done = lucio.wait{coro, count, coro, count}
      assert.are.equal(3, #done)
      assert.are.equal(3, runs)
    end)

  case("WA3: errors of children are not raised", function()
    local boom = ValueError("boom")
    local bad = lucio.create_task(function() error(boom) end)
    local cancelled = lucio.Future()
    cancelled:cancel()
    local done = lucio.wait{bad, cancelled}
    same_list({bad, cancelled}, done)
    assert.is_true(rawequal(boom, bad:exception()))
  end)

  case("WA3: a timeout neither raises nor cancels the children", function()
    local loop = lucio.get_running_loop()
    local fast = lucio.create_task(lucio.sleep, 1)
    local slow = lucio.create_task(lucio.sleep, 5, "late")
    local start = loop:time()
    local done, pending = lucio.wait({slow, fast}, {timeout = 2})
    assert.are.equal(2, loop:time() - start)
    same_list({fast}, done)
    same_list({slow}, pending)
    assert.are.equal(0, slow:cancelling())
    assert.are.equal("late", slow:await())
    assert.are.equal(5, loop:time() - start)
  end)

  case("WA3: no timeout is left when all are done before it", function()
    local before = lucio.stats().timers
    lucio.wait({function() end}, {timeout = 100})
    assert.are.equal(before, lucio.stats().timers)
  end)

  case("WA4: suspends for two iterations even if all are done", function(t)
    lucio.wait{finished(1), finished(2)}
    assert.are.equal(2, t.tick())
  end)

  case("WA4: with timeout 0 the same, finished or not", function(t)
    lucio.wait({finished(1)}, {timeout = 0})
    assert.are.equal(2, t.tick())
    local done, pending = lucio.wait({lucio.Future()}, {timeout = 0})
    assert.are.equal(4, t.tick())
    assert.are.equal(0, #done)
    assert.are.equal(1, #pending)
  end)

  case("WA4: resumes two iterations after the last child, one after the timer", function(t)
    local fut = lucio.Future()
    at_tick(3, function() fut:set_result() end)
    lucio.wait{fut}
    assert.are.equal(5, t.tick())
    lucio.get_running_loop():call_later(1, t.start_ticks)
    lucio.wait({lucio.Future()}, {timeout = 1})
    assert.are.equal(1, t.tick())
  end)

  case("WA5: whatever finishes before the caller resumes counts as done", function(t)
    local a, b, c = lucio.Future(), lucio.Future(), lucio.Future()
    at_tick(2, function()
      a:set_result()
      pass(1)
      b:set_result()
      pass(1) -- the caller goes first in this iteration
      c:set_result()
    end)
    local done, pending = lucio.wait({a, b, c}, {return_when = FIRST_COMPLETED})
    assert.are.equal(4, t.tick())
    same_list({a, b}, done)
    same_list({c}, pending)
  end)

  case("WA6: FIRST_EXCEPTION returns at the first failure", function(t)
    local a, b, c = lucio.Future(), lucio.Future(), lucio.Future()
    at_tick(1, function()
      a:set_result()
      pass(1)
      b:set_exception(ValueError("boom"))
    end)
    local done, pending = lucio.wait({a, b, c}, {return_when = FIRST_EXCEPTION})
    assert.are.equal(4, t.tick())
    same_list({a, b}, done)
    same_list({c}, pending)
    assert.is_true(lucio.isinstance(b:exception(), ValueError))
  end)

  case("WA6: a bare value that was raised counts as a failure", function()
    local bad = lucio.create_task(function() error("text") end)
    local left = lucio.Future()
    local done = lucio.wait({left, bad}, {return_when = FIRST_EXCEPTION})
    same_list({bad}, done)
    assert.is_true(lucio.isinstance(bad:exception(), lucio.LuaError))
  end)

  case("WA6: a cancelled child does not end FIRST_EXCEPTION", function(t)
    local a, b = lucio.Future(), lucio.Future()
    at_tick(1, function()
      a:cancel()
      pass(4)
      b:set_result()
    end)
    local done = lucio.wait({a, b}, {return_when = FIRST_EXCEPTION})
    assert.are.equal(7, t.tick())
    same_list({a, b}, done)
  end)

  case("WA6: ALL_COMPLETED waits for all, failures included", function(t)
    local bad = lucio.create_task(function() error(ValueError("boom")) end)
    local slow = lucio.create_task(pass, 3)
    local done = lucio.wait({bad, slow}, {return_when = lucio.ALL_COMPLETED})
    assert.are.equal(6, t.tick())
    same_list({bad, slow}, done)
    assert.is_true(lucio.isinstance(bad:exception(), ValueError))
  end)
end)

describe("wait: leaving", function()
  case("WA7: cancelling the one who waits leaves the children running", function(t)
    local fut = lucio.Future()
    local child = lucio.create_task(function() pass(6) end)
    local waiter = lucio.create_task(function() lucio.wait({fut, child}, {timeout = 10}) end)
    pass(2)
    waiter:cancel()
    local e = t.raises(lucio.CancelledError, waiter.await, waiter)
    assert.are.equal(4, t.tick())
    assert.is_true(lucio.isinstance(e, lucio.CancelledError))
    assert.is_false(fut:done())
    child:await()
    assert.is_false(child:cancelled())
  end)

  case("WA7: repeated waits leave nothing on the futures", function()
    local fut = lucio.Future()
    local text = tostring(fut)
    for _ = 1, 3 do lucio.wait({fut, function() end}, {return_when = FIRST_COMPLETED}) end
    lucio.wait({fut}, {timeout = 1})
    local waiter = lucio.create_task(lucio.wait, {fut})
    pass(2)
    waiter:cancel()
    pass(2)
    assert.is_true(waiter:cancelled())
    assert.are.equal(text, tostring(fut))
  end)
end)
