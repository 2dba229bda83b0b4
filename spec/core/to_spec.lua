-- SEMANTICS TO: timeout and timeout_at.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

local ValueError, RuntimeError = lucio.ValueError, lucio.RuntimeError
local CancelledError, TimeoutError = lucio.CancelledError, lucio.TimeoutError

-- gives up n iterations
local function pass(n)
  for _ = 1, n do lucio.sleep(0) end
end

local function is(e, class)
  assert.is_true(lucio.isinstance(e, class))
end

local function now()
  return lucio.get_running_loop():time()
end

local function cancelling()
  return lucio.current_task():cancelling()
end

-- the statement form: fn(timeout) inside of a block that holds lucio.timeout(delay)
local function block(delay, fn)
  local tm <close> = lucio.timeout(delay)
  fn(tm)
end

describe("timeout: entry and exit", function()
  case("TO1: the deadline counts from the call; entry and exit take no iteration", function(t)
    block(2, function(tm)
      assert.are.equal(now() + 2, tm:when())
      assert.is_false(tm:expired())
    end)
    local start = now()
    local tm <close> = lucio.timeout_at(start + 3)
    assert.are.equal(start + 3, tm:when())
    assert.are.equal(0, t.tick())
  end)

  case("TO1: nil disables it", function()
    local timers = lucio.stats().timers
    for _, make in ipairs{lucio.timeout, lucio.timeout_at} do
      local tm <close> = make(nil)
      assert.is_nil(tm:when())
      assert.are.equal(timers, lucio.stats().timers)
      lucio.sleep(100)
      assert.is_false(tm:expired())
    end
  end)

  case("TO1: outside a task it is a RuntimeError", function(t)
    local loop = lucio.get_running_loop()
    loop:call_soon(function()
      t.raises(RuntimeError, lucio.timeout, 1)
      t.raises(RuntimeError, lucio.timeout_at, loop:time() + 1)
      t.log("checked")
    end)
    pass(2)
    t.same_lines{"checked"}
  end)

  case("TO1: a delay that is no number is a TypeError, NaN a ValueError", function(t)
    local e = t.raises(lucio.TypeError, lucio.timeout, "soon")
    assert.matches("bad argument #1 to 'timeout'", tostring(e), 1, true)
    t.raises(lucio.TypeError, lucio.timeout_at, {})
    t.raises(ValueError, lucio.timeout, 0 / 0)
    t.raises(ValueError, lucio.timeout_at, 0 / 0)
  end)

  case("TO1: the function form gives the timeout and returns what the function does", function(t)
    local tm
    local results = table.pack(lucio.with(lucio.timeout(1), function(x, ...)
      tm = x
      return x:when() - now(), ...
    end, "a", nil))
    assert.are.same({1.0, "a", nil, n = 3}, results)
    assert.is_false(tm:expired())
    t.raises(TimeoutError, lucio.with, lucio.timeout(1), function() lucio.sleep(2) end)
  end)

  case("TO2: with the deadline passed, a body that does not suspend is unharmed", function()
    for _, delay in ipairs{0, -1} do
      local seen
      block(delay, function(tm) seen = tm end)
      assert.is_false(seen:expired())
    end
    local tm
    do
      local x <close> = lucio.timeout_at(now() - 5)
      tm = x
    end
    pass(3)
    assert.is_false(tm:expired())
    assert.are.equal(0, cancelling())
  end)

  case("TO2: one that gives up an iteration is interrupted in it", function(t)
    for i, delay in ipairs{0, -1} do
      local tm
      t.raises(TimeoutError, block, delay, function(x)
        tm = x
        lucio.sleep(0)
      end)
      assert.are.equal(i, t.tick())
      assert.is_true(tm:expired())
    end
  end)

  case("TO2: one that ends in the iteration of the expiry, but before it, is unharmed", function(t)
    local loop, fut = lucio.get_running_loop(), lucio.Future()
    local tm
    loop:call_later(1, function()
      -- queues the resumption; the body leaves before the past deadline's callback
      fut:set_result()
    end)
    block(5, function(x)
      tm = x
      fut:await()
      x:reschedule(now())
    end)
    pass(2)
    assert.is_false(tm:expired())
    assert.are.equal(0, #t.reports)
  end)
end)

describe("timeout: expiry", function()
  case("TO3: cancels the task once, expired() holds from then on", function(t)
    local loop, start = lucio.get_running_loop(), now()
    local tm
    loop:call_later(1, t.start_ticks)
    t.raises(TimeoutError, block, 1, function(x)
      tm = x
      loop:call_at(start + 1, function() t.log("timer", tm:expired(), t.tick()) end)
      local e = t.raises(CancelledError, lucio.sleep, 5)
      t.log("body", tm:expired(), t.tick(), cancelling())
      error(e, 0)
    end)
    t.log("after", tm:expired(), t.tick(), cancelling())
    assert.are.equal(start + 1, now())
    t.same_lines{"timer true 0", "body true 1 1", "after true 1 0"}
  end)

  case("TO4: TimeoutError takes the place of the CancelledError, which is its cause", function(t)
    local inner
    local e = t.raises(TimeoutError, block, 1, function()
      inner = t.raises(CancelledError, lucio.sleep, 5)
      error(inner, 0)
    end)
    assert.is_true(rawequal(inner, e.cause))
    assert.are.equal(0, cancelling())
    lucio.sleep(1)
  end)

  case("TO4: also in the function form", function(t)
    local e = t.raises(TimeoutError, lucio.with, lucio.timeout(1), function() lucio.sleep(5) end)
    is(e.cause, CancelledError)
    assert.are.equal(0, cancelling())
  end)

  case("TO4: a CancelledError that the body raises when expired is taken for its own", function(t)
    local mine = CancelledError("mine")
    local e = t.raises(TimeoutError, block, 1, function()
      pcall(lucio.sleep, 5)
      error(mine, 0)
    end)
    assert.is_true(rawequal(mine, e.cause))
  end)

  case("TO4: before the expiry a CancelledError passes", function(t)
    local mine = CancelledError("mine")
    t.raises(mine, block, 1, function() error(mine, 0) end)
  end)

  case("TO5: cancelled by somebody else as well: CancelledError passes", function(t)
    local loop, start = lucio.get_running_loop(), now()
    local tm
    local task = lucio.create_task(function()
      local ok, e = pcall(block, 1, function(x)
        tm = x
        lucio.sleep(5)
      end)
      t.log(ok, e.name, cancelling())
      error(e, 0)
    end)
    pass(2)
    loop:call_at(start + 1, function() task:cancel("other") end)
    lucio.sleep(2)
    assert.is_true(task:cancelled())
    assert.is_true(tm:expired())
    t.same_lines{"false CancelledError 1"}
  end)

  case("TO5: cancelled by somebody else alone: not expired", function(t)
    local tm
    local task = lucio.create_task(block, 5, function(x)
      tm = x
      lucio.sleep(9)
    end)
    pass(2)
    task:cancel("other")
    local e = t.raises(CancelledError, task.await, task)
    assert.are.equal("other", e.args[1])
    assert.is_false(tm:expired())
    assert.are.equal(1, task:cancelling())
  end)

  case("TO6: a body that swallows it and ends raises nothing", function()
    local tm
    block(1, function(x)
      tm = x
      pcall(lucio.sleep, 5)
      assert.are.equal(1, cancelling())
      lucio.sleep(2)
    end)
    assert.is_true(tm:expired())
    assert.are.equal(0, cancelling())
  end)

  case("TO7: another error passes, TimeoutError goes into its chain of causes", function(t)
    local boom = ValueError("boom")
    local inner
    t.raises(boom, block, 1, function()
      inner = t.raises(CancelledError, lucio.sleep, 5)
      boom.cause = inner
      error(boom)
    end)
    is(boom.cause, TimeoutError)
    assert.is_true(rawequal(inner, boom.cause.cause))
    assert.are.equal(0, cancelling())
  end)

  case("TO7: also further down the chain", function(t)
    local top, middle = ValueError("top"), lucio.LookupError("middle")
    top.cause = middle
    t.raises(top, block, 1, function()
      middle.cause = t.raises(CancelledError, lucio.sleep, 5)
      error(top)
    end)
    assert.is_true(rawequal(middle, top.cause))
    is(middle.cause, TimeoutError)
    is(middle.cause.cause, CancelledError)
  end)

  case("TO7: and into those of the members of a group", function(t)
    local a, b = ValueError("a"), ValueError("b")
    local group = lucio.ExceptionGroup("group", {a, b})
    t.raises(group, block, 1, function()
      a.cause = t.raises(CancelledError, lucio.sleep, 5)
      error(group)
    end)
    is(a.cause, TimeoutError)
    is(a.cause.cause, CancelledError)
    assert.is_nil(b.cause)
  end)

  case("TO7: and in front of a CancelledError that the error replaced", function()
    local boom = ValueError("boom")
    local _, e = lucio.pcall(block, 1, function()
      local _ <close> = setmetatable({}, {__close = function(_, _) error(boom) end})
      lucio.sleep(5)
    end)
    assert.is_true(rawequal(boom, e))
    is(boom.context, TimeoutError)
    is(boom.context.cause, CancelledError)
    assert.is_nil(boom.cause)
  end)

  case("TO7: a circle of causes ends", function(t)
    local a, b = ValueError("a"), ValueError("b")
    a.cause, b.cause = b, a
    t.raises(a, block, 1, function()
      pcall(lucio.sleep, 5)
      error(a)
    end)
    assert.is_true(rawequal(b, a.cause))
  end)

  case("TO7: a bare value passes unchanged", function(t)
    local value = {}
    t.raises(value, block, 1, function()
      pcall(lucio.sleep, 5)
      error(value)
    end)
    assert.are.equal(0, cancelling())
  end)
end)

describe("timeout: nested", function()
  case("TO8: both expired at once: only the outer raises TimeoutError", function(t)
    local outer, inner
    local e = t.raises(TimeoutError, block, 1, function(o)
      outer = o
      t.raises(CancelledError, function()
        local i <close> = lucio.timeout(1)
        inner = i
        lucio.sleep(5)
      end)
      t.log("between", cancelling())
      error(CancelledError(), 0)
    end)
    is(e.cause, CancelledError)
    assert.is_true(outer:expired())
    assert.is_true(inner:expired())
    assert.are.equal(0, cancelling())
    t.same_lines{"between 1"}
  end)

  case("TO9: the outer alone expires: the inner sees CancelledError, is not expired", function(t)
    local outer, inner
    t.raises(TimeoutError, block, 1, function(o)
      outer = o
      local e = t.raises(CancelledError, block, 3, function(i)
        inner = i
        lucio.sleep(5)
      end)
      error(e, 0)
    end)
    assert.is_true(outer:expired())
    assert.is_false(inner:expired())
  end)

  case("TO9: the inner alone expires: TimeoutError inside, the outer goes on", function(t)
    local start = now()
    block(3, function(outer)
      t.raises(TimeoutError, block, 1, function() lucio.sleep(5) end)
      assert.is_false(outer:expired())
      assert.are.equal(0, cancelling())
      lucio.sleep(1)
    end)
    assert.are.equal(start + 2, now())
  end)

  case("TO9: a TimeoutError of the inner that passes the outer stays what it is", function(t)
    local inner
    local e = t.raises(TimeoutError, block, 3, function(outer)
      inner = t.raises(TimeoutError, block, 1, function() lucio.sleep(5) end)
      assert.is_false(outer:expired())
      error(inner, 0)
    end)
    assert.is_true(rawequal(inner, e))
  end)

  case("TO10: an earlier cancel that was swallowed is the baseline", function(t)
    local task = lucio.create_task(function()
      pcall(lucio.sleep, 9)
      t.log("swallowed", cancelling())
      local tm
      local e = t.raises(TimeoutError, block, 1, function(x)
        tm = x
        lucio.sleep(5)
      end)
      t.log(tm:expired(), e.name, cancelling())
    end)
    pass(2)
    task:cancel()
    task:await()
    t.same_lines{"swallowed 1", "true TimeoutError 1"}
  end)

  case("TO10: and a cancel above it still passes", function(t)
    local start = now()
    local task = lucio.create_task(function()
      pcall(lucio.sleep, 9)
      local e = t.raises(CancelledError, block, 1, function() lucio.sleep(5) end)
      t.log(cancelling())
      error(e, 0)
    end)
    pass(2)
    task:cancel()
    pass(2)
    lucio.get_running_loop():call_at(start + 1, function() task:cancel() end)
    lucio.sleep(2)
    assert.is_true(task:cancelled())
    t.same_lines{"2"}
  end)

  case("TO12: a TimeoutError of the body's own is untouched", function(t)
    local own = TimeoutError("own")
    local tm
    t.raises(own, block, 1, function(x)
      tm = x
      error(own)
    end)
    assert.is_false(tm:expired())
    assert.is_nil(own.cause)
  end)

  case("TO12: an error or a normal end before the expiry drops the timer", function(t)
    local timers = lucio.stats().timers
    block(5, function() assert.are.equal(timers + 1, lucio.stats().timers) end)
    assert.are.equal(timers, lucio.stats().timers)
    t.raises(ValueError, block, 5, function() error(ValueError("boom")) end)
    assert.are.equal(timers, lucio.stats().timers)
    lucio.sleep(6)
    assert.are.equal(0, cancelling())
  end)
end)
