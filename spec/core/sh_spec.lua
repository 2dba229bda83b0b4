-- SEMANTICS SH: shield.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

local ValueError = lucio.ValueError

-- gives up n iterations
local function pass(n)
  for _ = 1, n do lucio.sleep(0) end
end

local function collect()
  collectgarbage()
  collectgarbage()
  pass(2)
end

describe("shield", function()
  case("SH1: a finished inner is returned itself", function()
    local fut = lucio.Future()
    fut:set_result(1)
    local task = lucio.create_task(function() end)
    task:await()
    local cancelled = lucio.Future()
    cancelled:cancel()
    assert.is_true(rawequal(fut, lucio.shield(fut)))
    assert.is_true(rawequal(task, lucio.shield(task)))
    assert.is_true(rawequal(cancelled, lucio.shield(cancelled)))
  end)

  case("SH1: a pending inner gets an outer future", function()
    local fut = lucio.Future()
    local outer = lucio.shield(fut)
    assert.is_true(lucio.isfuture(outer))
    assert.is_false(rawequal(fut, outer))
    assert.is_false(outer:done())
    assert.is_false(rawequal(outer, lucio.shield(fut)))
    fut:set_result()
    pass(1)
  end)

  case("SH1: other awaitables are made tasks at once", function(t)
    local object = setmetatable({}, {__await = function() return "object" end})
    local outers = {
      lucio.shield(function()
        t.log("started", t.tick())
        return "function"
      end),
      lucio.shield(lucio.async(function(v) return v end)("coroutine")),
      lucio.shield(object),
    }
    assert.are.equal(4, #lucio.all_tasks())
    for _, outer in ipairs(outers) do t.log(outer:await()) end
    t.same_lines{"started 1", "function", "coroutine", "object"}
  end)

  case("SH1: what is not awaitable is a TypeError", function(t)
    t.raises(lucio.TypeError, lucio.shield, 42)
    t.raises(lucio.TypeError, lucio.shield)
  end)

  case("SH2: cancelling who awaits it leaves the inner running", function(t)
    local inner = lucio.create_task(function()
      pass(5)
      t.log("inner", t.tick())
      return "result"
    end)
    local waiter = lucio.create_task(function()
      local ok, e = pcall(lucio.await, lucio.shield(inner))
      t.log("waiter", ok, e.name, e.args[1], t.tick())
      error(e, 0)
    end)
    pass(3)
    waiter:cancel("stop")
    assert.are.equal("result", inner:await())
    assert.are.equal(0, inner:cancelling())
    assert.is_true(waiter:cancelled())
    t.same_lines{"waiter false CancelledError stop 4", "inner 6"}
  end)

  case("SH2: cancelling the outer future does too", function(t)
    local inner = lucio.Future()
    local outer = lucio.shield(inner)
    lucio.get_running_loop():call_soon(function() outer:cancel() end)
    t.raises(lucio.CancelledError, outer.await, outer)
    assert.are.equal(2, t.tick())
    assert.are.equal(0, lucio.current_task():cancelling())
    assert.is_false(inner:done())
  end)

  case("SH2: a cancelled outer leaves nothing on the inner", function()
    local inner = lucio.Future()
    local text = tostring(inner)
    local outer = lucio.shield(inner)
    outer:cancel()
    pass(1)
    assert.are.equal(text, tostring(inner))
  end)

  case("SH3: the result reaches the outer one iteration later, its awaiter two", function(t)
    local inner = lucio.Future()
    local outer = lucio.shield(inner)
    outer:add_done_callback(function() t.log("callback", t.tick()) end)
    lucio.create_task(function()
      pass(1)
      inner:set_result("a", "b") -- in iteration 2
      t.log("set", outer:done(), t.tick())
      pass(1)
      t.log("then", outer:done(), t.tick())
    end)
    t.log(outer:await())
    t.log("awaited", t.tick())
    t.same_lines{"set false 2", "then true 3", "callback 4", "a b", "awaited 4"}
  end)

  case("SH3: the error reaches it as the same object", function(t)
    local boom = ValueError("boom")
    local inner = lucio.create_task(function() error(boom) end)
    local outer = lucio.shield(inner)
    t.raises(boom, outer.await, outer)
    assert.are.equal(3, t.tick())
    assert.is_false(outer:cancelled())
    assert.is_true(rawequal(boom, inner:exception()))
  end)

  case("SH3: a cancelled inner makes the outer cancelled", function(t)
    local inner = lucio.Future()
    local outer = lucio.shield(inner)
    inner:cancel()
    assert.is_false(outer:done())
    t.raises(lucio.CancelledError, outer.await, outer)
    assert.are.equal(2, t.tick())
    assert.is_true(outer:cancelled())
  end)

  case("SH3: the inner's error is retrieved by its outer, which reports it in its place",
    function(t)
      local function fail()
        local inner = lucio.create_task(function() error(ValueError("boom")) end)
        lucio.shield(inner)
      end
      fail()
      pass(3)
      collect()
      assert.are.equal(1, #t.reports)
      assert.are.equal("boom", tostring(t.reports[1].exception))
    end)

  case("SH4: an inner that fails after the outer was cancelled is reported unless looked at",
    function(t)
      local boom = ValueError("boom")
      local function fail()
        local inner = lucio.create_task(function()
          pass(2)
          error(boom)
        end)
        lucio.shield(inner):cancel()
      end
      fail()
      pass(4)
      collect()
      assert.are.equal(1, #t.reports)
      assert.matches("never retrieved", t.reports[1].message, 1, true)
      assert.is_true(rawequal(boom, t.reports[1].exception))
    end)

  case("SH4: it is not when somebody awaits the inner", function(t)
    local inner = lucio.create_task(function()
      pass(2)
      error(ValueError("boom"))
    end)
    lucio.shield(inner):cancel()
    t.raises(ValueError, inner.await, inner)
    collect()
    assert.are.equal(0, #t.reports)
  end)

  case("SH4: inner failed and outer cancelled in one iteration: counts as retrieved", function(t)
    local function fail()
      local inner = lucio.Future()
      local outer = lucio.shield(inner)
      inner:set_exception(ValueError("boom"))
      outer:cancel()
    end
    fail()
    pass(2)
    collect()
    assert.are.equal(0, #t.reports)
  end)

  it("SH5: does not protect from the end of run, which cancels the inner itself", function()
    local lines, inner = {}, nil
    lucio.run(function()
      inner = lucio.create_task(function()
        local ok, e = pcall(lucio.await, lucio.Future())
        lines[#lines + 1] = tostring(ok) .. " " .. e.name
        error(e, 0)
      end)
      local outer = lucio.shield(inner)
      lucio.sleep(0)
      lines[#lines + 1] = "main ends " .. tostring(outer:done())
    end)
    assert.are.same({"main ends false", "false CancelledError"}, lines)
    assert.is_true(inner:cancelled())
  end)
end)
