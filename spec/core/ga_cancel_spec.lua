-- SEMANTICS GA8-GA11: gather, cancelled. Where a rule cancels asyncio's outer future, here a task
-- suspended in gather is cancelled.
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

-- A child that logs when it is cancelled, cleans up for n iterations and then ends as `ending`
-- says: "raise" the CancelledError again, or return.
local function stubborn(t, name, n, ending)
  return function()
    local ok, e = pcall(lucio.await, lucio.Future())
    assert(not ok)
    t.log(name, "cancelled", t.tick(), e.args[1])
    pass(n)
    t.log(name, "ends", t.tick())
    if ending == "raise" then error(e, 0) end
    return name
  end
end

-- A task that gathers the list and logs what comes of it.
local function gatherer(t, list)
  return lucio.create_task(function()
    local ok, e = pcall(lucio.gather, list)
    t.log("outer", ok and "returned" or e.name, t.tick())
    if not ok then error(e, 0) end
  end)
end

describe("gather: cancelling the one who waits", function()
  case("GA8: cancels each unfinished child in order and is not done at once", function(t)
    local outer = gatherer(t, {
      stubborn(t, "a", 0, "raise"), stubborn(t, "b", 0, "raise"), stubborn(t, "c", 0, "raise"),
    })
    pass(3)
    assert.is_true(outer:cancel("stop"))
    assert.is_false(outer:done())
    assert.is_false(outer:cancelled())
    pass(4)
    assert.is_true(outer:cancelled())
    t.same_lines{
      "a cancelled 4 stop", "a ends 4", "b cancelled 4 stop", "b ends 4", "c cancelled 4 stop",
      "c ends 4", "outer CancelledError 6",
    }
  end)

  case("GA8: finished children stay as they are, futures are cancelled at once", function(t)
    local done, left = lucio.Future(), lucio.Future()
    done:set_result(1)
    local outer = gatherer(t, {done, left})
    pass(2)
    outer:cancel("stop")
    assert.is_true(left:cancelled())
    assert.is_false(done:cancelled())
    pass(3)
    t.same_lines{"outer CancelledError 4"}
  end)

  case("GA9: raises when the first child has ended cancelled", function(t)
    local outer = gatherer(t, {stubborn(t, "slow", 4, "raise"), stubborn(t, "fast", 0, "raise")})
    pass(3)
    outer:cancel()
    pass(6)
    assert.is_true(outer:cancelled())
    t.same_lines{
      "slow cancelled 4 nil", "fast cancelled 4 nil", "fast ends 4", "outer CancelledError 6",
      "slow ends 8",
    }
  end)

  case("GA9: with return_exceptions waits for all and still raises CancelledError", function(t)
    local list = {stubborn(t, "slow", 4, "raise"), stubborn(t, "fast", 0, "raise")}
    list.return_exceptions = true
    local outer = gatherer(t, list)
    pass(3)
    outer:cancel()
    pass(8)
    assert.is_true(outer:cancelled())
    t.same_lines{
      "slow cancelled 4 nil", "fast cancelled 4 nil", "fast ends 4", "slow ends 8",
      "outer CancelledError 10",
    }
  end)

  case("GA10: children that swallow the cancel do not save it", function(t)
    local outer = gatherer(t, {stubborn(t, "a", 1, "return"), stubborn(t, "b", 0, "return")})
    pass(3)
    outer:cancel()
    pass(6)
    assert.is_true(outer:cancelled())
    t.same_lines{
      "a cancelled 4 nil", "b cancelled 4 nil", "b ends 4", "a ends 5", "outer CancelledError 7",
    }
  end)

  case("GA10: nor with return_exceptions", function(t)
    local outer = gatherer(t, {stubborn(t, "a", 1, "return"), return_exceptions = true})
    pass(3)
    outer:cancel()
    pass(5)
    assert.is_true(outer:cancelled())
  end)

  case("GA11: after the last child the cancel takes the place of the result", function(t)
    local a, b = lucio.Future(), lucio.Future()
    local outer = gatherer(t, {a, b})
    pass(2)
    a:set_result(1)
    b:set_result(2)
    assert.is_true(outer:cancel())
    pass(3)
    assert.is_false(a:cancelled() or b:cancelled())
    t.same_lines{"outer CancelledError 4"}
  end)

  case("GA11: a child fails, then the cancel comes: its error, the rest cancelled", function(t)
    local bad, left = lucio.Future(), lucio.Future()
    local outer = gatherer(t, {bad, left})
    pass(2)
    bad:set_exception(ValueError("boom"))
    assert.is_true(outer:cancel())
    assert.is_true(left:cancelled())
    pass(3)
    assert.are.equal(1, outer:cancelling())
    is(outer:exception(), ValueError)
    t.same_lines{"outer ValueError 4"}
  end)

  case("GA11: once it is settled, a cancel does not touch the children", function(t)
    local bad, left = lucio.Future(), lucio.Future()
    local outer = gatherer(t, {bad, left})
    pass(2)
    bad:set_exception(ValueError("boom"))
    pass(1)
    assert.is_true(outer:cancel())
    assert.is_false(left:cancelled())
    pass(3)
    assert.is_false(left:done())
    t.same_lines{"outer CancelledError 4"}
  end)
end)
