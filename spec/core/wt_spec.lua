-- SEMANTICS WT: wait_for.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

local ValueError, TypeError = lucio.ValueError, lucio.TypeError
local CancelledError, TimeoutError = lucio.CancelledError, lucio.TimeoutError

-- gives up n iterations
local function pass(n)
  for _ = 1, n do lucio.sleep(0) end
end

local function is(e, class)
  assert.is_true(lucio.isinstance(e, class))
end

-- loop time since the first call
local function stopwatch()
  local loop = lucio.get_running_loop()
  local start = loop:time()
  return function() return loop:time() - start end
end

-- a task that waits; when it is cancelled, n iterations go by before it calls fn(error)
local function cleaning(n, fn)
  return lucio.create_task(function()
    local ok, e = pcall(lucio.await, lucio.Future())
    assert(not ok)
    pass(n)
    return fn(e)
  end)
end

local function again(e) error(e, 0) end

describe("wait_for: arguments", function()
  case("WT1: what is not awaitable is a TypeError that says so", function(t)
    local e = t.raises(TypeError, lucio.wait_for, nil, 1)
    assert.matches("bad argument #1 to 'wait_for' (awaitable expected, got nil)", tostring(e), 1,
      true)
    t.raises(TypeError, lucio.wait_for, 42, 1)
  end)

  case("WT1: so is a timeout that is no number, and NaN is a ValueError", function(t)
    local ran = false
    local function child() ran = true end
    local e = t.raises(TypeError, lucio.wait_for, child, "soon")
    assert.matches("bad argument #2 to 'wait_for'", tostring(e), 1, true)
    t.raises(ValueError, lucio.wait_for, child, 0 / 0)
    pass(2)
    assert.is_false(ran)
  end)

  case("WT1: without a timeout it is a plain await", function(t)
    local fut = lucio.Future()
    local timers = lucio.stats().timers
    lucio.create_task(function()
      pass(1)
      assert.are.equal(timers, lucio.stats().timers)
      fut:set_result("a", nil, "c") -- in iteration 2
    end)
    assert.are.same({"a", nil, "c", n = 3}, table.pack(lucio.wait_for(fut)))
    assert.are.equal(3, t.tick())
    assert.are.equal("v", lucio.wait_for(function() return "v" end, nil))
    assert.are.equal(3, t.tick())
    t.raises(ValueError, lucio.wait_for, function() error(ValueError("boom")) end, nil)
  end)
end)

describe("wait_for with a timeout that has passed", function()
  case("WT2: a finished input returns its result without an iteration", function(t)
    local fut = lucio.Future()
    fut:set_result(1, 2)
    assert.are.same({1, 2}, {lucio.wait_for(fut, 0)})
    assert.are.same({1, 2}, {lucio.wait_for(fut, -1)})
    assert.are.equal(0, t.tick())
  end)

  case("WT2: or raises its error", function(t)
    local boom, fut = ValueError("boom"), lucio.Future()
    fut:set_exception(boom)
    t.raises(boom, lucio.wait_for, fut, 0)
    assert.are.equal(0, t.tick())
  end)

  case("WT2: a function or coroutine never runs", function(t)
    local ran = false
    local function child() ran = true end
    t.raises(TimeoutError, lucio.wait_for, child, 0)
    assert.are.equal(3, t.tick())
    t.raises(TimeoutError, lucio.wait_for, lucio.async(child)(), -1)
    assert.are.equal(6, t.tick())
    pass(2)
    assert.is_false(ran)
  end)

  case("WT2: a pending future is cancelled", function(t)
    local fut = lucio.Future()
    local e = t.raises(TimeoutError, lucio.wait_for, fut, 0)
    is(e.cause, CancelledError)
    assert.is_true(fut:cancelled())
    assert.are.equal(2, t.tick())
  end)

  case("WT2: a task is cancelled and awaited to its end", function(t)
    local task = cleaning(3, again)
    pass(2)
    t.raises(TimeoutError, lucio.wait_for, task, 0)
    assert.is_true(task:cancelled())
    -- cancelled at 2, resumes at 3, ends at 6
    assert.are.equal(8, t.tick())
  end)

  case("WT5: a task that swallows the cancel gives its value", function()
    local task = cleaning(1, function() return "kept", 2 end)
    pass(2)
    assert.are.same({"kept", 2}, {lucio.wait_for(task, 0)})
  end)

  case("WT5: a task that turns it into another error raises that", function(t)
    local boom = ValueError("boom")
    local task = cleaning(1, function() error(boom) end)
    pass(2)
    t.raises(boom, lucio.wait_for, task, 0)
  end)
end)

describe("wait_for with a timeout to come", function()
  case("WT3: a function runs in the calling task and context", function()
    local var = lucio.ContextVar("var", 0)
    local me = lucio.current_task()
    local task = lucio.wait_for(function()
      var:set(1)
      pass(1)
      return lucio.current_task()
    end, 5)
    assert.is_true(rawequal(me, task))
    assert.are.equal(1, var:get())
    local inside = lucio.wait_for(lucio.async(function() return lucio.current_task() end)(), 5)
    assert.is_true(rawequal(me, inside))
    assert.are.equal(1, #lucio.all_tasks())
  end)

  case("WT3: one that never suspends costs no iteration and no timer", function(t)
    local timers = lucio.stats().timers
    assert.are.same({1, 2}, {lucio.wait_for(function() return 1, 2 end, 5)})
    t.raises(ValueError, lucio.wait_for, function() error(ValueError("boom")) end, 5)
    assert.are.equal(0, t.tick())
    assert.are.equal(timers, lucio.stats().timers)
  end)

  case("WT3: a result in time is returned one iteration later, the timer dropped", function(t)
    local fut = lucio.Future()
    local timers = lucio.stats().timers
    lucio.get_running_loop():call_soon(function() fut:set_result("v") end)
    assert.are.equal("v", lucio.wait_for(fut, 5))
    assert.are.equal(2, t.tick())
    assert.are.equal(timers, lucio.stats().timers)
    assert.are.equal(0, lucio.current_task():cancelling())
  end)

  case("WT4: on expiry a future is cancelled and TimeoutError raised", function(t)
    local clock = stopwatch()
    local fut = lucio.Future()
    lucio.get_running_loop():call_later(2, t.start_ticks)
    local e = t.raises(TimeoutError, lucio.wait_for, fut, 2)
    assert.are.equal(1, t.tick())
    assert.are.equal(2, clock())
    is(e.cause, CancelledError)
    assert.is_true(fut:cancelled())
    assert.are.equal(0, lucio.current_task():cancelling())
  end)

  case("WT4: a task is cancelled and waited for, however long that takes", function(t)
    local clock = stopwatch()
    local task = lucio.create_task(function()
      local ok, e = pcall(lucio.await, lucio.Future())
      assert(not ok)
      lucio.sleep(10)
      t.start_ticks()
      error(e, 0)
    end)
    local e = t.raises(TimeoutError, lucio.wait_for, task, 1)
    assert.are.equal(1, t.tick())
    assert.are.equal(11, clock())
    is(e.cause, CancelledError)
    assert.is_true(task:cancelled())
  end)

  case("WT4: a function is interrupted where it is suspended", function(t)
    local clock = stopwatch()
    t.raises(TimeoutError, lucio.wait_for, function()
      local _ <close> = setmetatable({}, {__close = function(_, e)
        t.log("closing", e.name)
        lucio.sleep(1)
      end})
      lucio.sleep(10)
    end, 1)
    assert.are.equal(2, clock())
    t.same_lines{"closing CancelledError"}
  end)

  case("WT5: what swallows the cancel and returns has its value returned", function()
    local task = cleaning(1, function() return "kept", 2 end)
    assert.are.same({"kept", 2}, {lucio.wait_for(task, 1)})
    assert.are.equal("inside", lucio.wait_for(function()
      pcall(lucio.sleep, 10)
      return "inside"
    end, 1))
    assert.are.equal(0, lucio.current_task():cancelling())
  end)

  case("WT5: what turns it into another error has that raised", function(t)
    local boom = ValueError("boom")
    local function fail() error(boom) end
    t.raises(boom, lucio.wait_for, cleaning(1, fail), 1)
    t.raises(boom, lucio.wait_for, function()
      pcall(lucio.sleep, 10)
      fail()
    end, 1)
    assert.are.equal(0, lucio.current_task():cancelling())
  end)

  case("WT6: cancelling the caller cancels the inner and raises when it has ended", function(t)
    local inner = cleaning(2, again)
    local caller = lucio.create_task(function()
      local ok, e = pcall(lucio.wait_for, inner, 5)
      t.log(ok, e.name, e.args[1], inner:done(), t.tick())
      error(e, 0)
    end)
    pass(3)
    caller:cancel("stop")
    pass(4)
    assert.is_true(inner:cancelled())
    assert.is_true(caller:cancelled())
    assert.are.equal(1, caller:cancelling())
    -- cancelled at 3, inner resumes at 4, ends at 6
    t.same_lines{"false CancelledError stop true 7"}
  end)

  case("WT6: an inner cancelled by others raises CancelledError", function(t)
    local fut = lucio.Future()
    lucio.get_running_loop():call_soon(function() fut:cancel("other") end)
    local e = t.raises(CancelledError, lucio.wait_for, fut, 5)
    assert.are.equal("other", e.args[1])
    assert.are.equal(0, lucio.current_task():cancelling())
  end)

  case("WT9: shield keeps a future from the expiry", function(t)
    local fut = lucio.Future()
    t.raises(TimeoutError, lucio.wait_for, lucio.shield(fut), 1)
    assert.is_false(fut:done())
    fut:set_result("v")
    assert.are.equal("v", fut:await())
  end)
end)

describe("wait_for: races", function()
  case("WT7: result and expiry in one iteration, the result first: TimeoutError", function(t)
    local loop, fut = lucio.get_running_loop(), lucio.Future()
    loop:call_later(1, function() fut:set_result("v") end)
    t.raises(TimeoutError, lucio.wait_for, fut, 1)
    assert.are.equal("v", fut:result())
    assert.are.equal(0, lucio.current_task():cancelling())
  end)

  case("WT7: the expiry first: the future is cancelled", function(t)
    local loop, fut = lucio.get_running_loop(), lucio.Future()
    local when = loop:time() + 1
    loop:call_soon(function()
      loop:call_at(when, function() t.log(pcall(fut.set_result, fut, "v")) end)
    end)
    t.raises(TimeoutError, lucio.wait_for, fut, 1)
    assert.is_true(fut:cancelled())
    assert.matches("^false", t.lines[1])
  end)

  case("WT7: once the caller has resumed the result stands", function()
    local loop, fut = lucio.get_running_loop(), lucio.Future()
    loop:call_later(0.5, function() fut:set_result("v") end)
    assert.are.equal("v", lucio.wait_for(fut, 1))
    lucio.sleep(2)
    assert.are.equal(0, lucio.current_task():cancelling())
  end)

  case("WT8: result and a cancel of the caller in one iteration: CancelledError", function()
    local fut = lucio.Future()
    local caller = lucio.create_task(lucio.wait_for, fut, 5)
    pass(2)
    fut:set_result("v")
    caller:cancel()
    pass(1)
    assert.is_true(caller:cancelled())
    assert.are.equal("v", fut:result())
  end)

  for _, first in ipairs{"expiry", "cancel"} do
    case("WT8: expiry and a cancel in one iteration, the " .. first .. " first: CancelledError",
      function(t)
        local loop, fut = lucio.get_running_loop(), lucio.Future()
        local when = loop:time() + 1
        local caller
        local function cancel() caller:cancel("other") end
        if first == "cancel" then loop:call_at(when, cancel) end
        caller = lucio.create_task(function()
          local ok, e = pcall(lucio.wait_for, fut, 1)
          t.log(ok, e.name, lucio.current_task():cancelling())
          error(e, 0)
        end)
        pass(2)
        if first == "expiry" then loop:call_at(when, cancel) end
        lucio.sleep(2)
        assert.is_true(caller:cancelled())
        assert.is_true(fut:cancelled())
        t.same_lines{"false CancelledError 1"}
      end)
  end
end)
