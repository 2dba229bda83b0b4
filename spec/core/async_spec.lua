-- lucio.async, Coroutine, lucio.await and what counts as awaitable
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

-- An awaitable of each of the five kinds, each giving "result", nil.
local KINDS = {
  Future = function()
    local future = lucio.Future()
    future:set_result("result", nil)
    return future
  end,
  ["pending Future"] = function()
    local future = lucio.Future()
    lucio.get_running_loop():call_later(0.1, future.set_result, future, "result", nil)
    return future
  end,
  Task = function() return lucio.create_task(function() return "result", nil end) end,
  Coroutine = function() return lucio.async(function() return "result", nil end)() end,
  ["suspending Coroutine"] = function() return lucio.async(lucio.sleep)(0.1, "result", nil) end,
  ["object with __await"] = function()
    return setmetatable({"result"}, {__await = function(self)
      return lucio.sleep(0, self[1], nil)
    end})
  end,
  ["function"] = function() return function() return "result", nil end end,
}

-- The same kinds, each raising "broken".
local FAILING = {
  Future = function()
    local future = lucio.Future()
    future:set_exception(lucio.ValueError("broken"))
    return future
  end,
  Task = function()
    return lucio.create_task(function() error(lucio.ValueError("broken")) end)
  end,
  Coroutine = function()
    return lucio.async(function() error(lucio.ValueError("broken")) end)()
  end,
  ["object with __await"] = function()
    return setmetatable({}, {__await = function() error(lucio.ValueError("broken")) end})
  end,
  ["function"] = function() return function() error(lucio.ValueError("broken")) end end,
}

local NOT_AWAITABLE = {0, "text", true, {}, setmetatable({}, {}), coroutine.create(print),
  setmetatable({}, {__call = function() end}), io.stdout}

local function await_some(x)
  local r = table.pack(lucio.await(x))
  assert.are.same({n = 2, "result", nil}, r)
end

describe("lucio.async", function()
  case("TA4: a call makes a Coroutine that does not run", function(t)
    local fn = lucio.async(function() t.log("ran") end)
    local coro = fn()
    lucio.sleep(0)
    t.same_lines {}
    lucio.await(coro)
    t.same_lines {"ran"}
  end)

  case("TA4: a Coroutine carries its arguments and gives all results", function()
    local fn = lucio.async(function(...) return select("#", ...), ... end)
    assert.are.same({n = 5, 4, nil, 1, nil, nil}, table.pack(lucio.await(fn(nil, 1, nil, nil))))
    assert.are.same({n = 1, 0}, table.pack(lucio.await(fn())))
  end)

  case("TA4: awaiting a Coroutine that does not suspend costs no tick", function(t)
    local fn = lucio.async(function() return lucio.current_task() end)
    assert.are.equal(lucio.current_task(), lucio.await(fn()))
    assert.are.equal(0, t.tick())
  end)

  case("TA4: a Coroutine runs in the task that awaits it", function(t)
    local fn = lucio.async(function()
      lucio.sleep(0)
      return lucio.current_task()
    end)
    assert.are.equal(lucio.current_task(), lucio.await(fn()))
    assert.are.equal(1, t.tick())
    local task = lucio.create_task(fn())
    assert.are.equal(task, task:await())
  end)

  case("TA4: methods may be async", function()
    local account = {balance = 1}
    account.add = lucio.async(function(self, n)
      lucio.sleep(0)
      self.balance = self.balance + n
      return self.balance
    end)
    assert.are.equal(3, lucio.await(account:add(2)))
  end)

  case("TA4: an async function may be called any number of times", function()
    local fn = lucio.async(function(n)
      lucio.sleep(0)
      return n
    end)
    assert.are.same({n = 3, 1, 2, 3}, lucio.gather(fn(1), fn(2), fn(3)))
  end)

  case("TA4: a second await of a Coroutine raises RuntimeError", function(t)
    local fn = lucio.async(function() return 1 end)
    local coro = fn()
    lucio.await(coro)
    t.raises(lucio.RuntimeError, lucio.await, coro)
    local task = lucio.create_task(coro)
    t.raises(lucio.RuntimeError, task.await, task)
  end)

  case("TA4: a Coroutine that failed cannot be awaited again", function(t)
    local coro = lucio.async(function() error("broken", 0) end)()
    t.raises("broken", lucio.await, coro)
    t.raises(lucio.RuntimeError, lucio.await, coro)
  end)

  case("TA4: awaiting a Coroutine that runs already raises RuntimeError", function(t)
    local coro = lucio.async(lucio.sleep)(1, "result")
    local task = lucio.create_task(coro)
    lucio.sleep(0)
    t.raises(lucio.RuntimeError, lucio.await, coro)
    assert.are.equal("result", task:await())
  end)

  case("CA5: a Coroutine whose task is cancelled before its first step never runs", function(t)
    local coro = lucio.async(function() t.log("ran") end)()
    local task = lucio.create_task(coro)
    task:cancel()
    t.raises(lucio.CancelledError, task.await, task)
    t.same_lines {}
  end)

  case("CA2: a cancel raises inside the Coroutine that is awaited", function(t)
    local inner = lucio.async(function()
      local ok, e = pcall(lucio.sleep, 1)
      t.log("inner", ok, e.args[1])
      error(e, 0)
    end)
    local outer = lucio.async(function() return lucio.await(inner()) end)
    local task = lucio.create_task(outer())
    lucio.sleep(0)
    task:cancel("stop")
    lucio.sleep(0)
    assert.is_true(task:cancelled())
    t.same_lines {"inner false stop"}
  end)

  case("TA6: an error of a Coroutine passes unchanged", function(t)
    local failure = {}
    local fn = lucio.async(function()
      lucio.sleep(0)
      error(failure)
    end)
    t.raises(failure, lucio.await, fn())
  end)

  case("TA4: a Coroutine that is dropped unawaited runs nothing and reports nothing", function(t)
    local fn = lucio.async(function() t.log("ran") end)
    fn()
    collectgarbage()
    collectgarbage()
    lucio.sleep(0)
    t.same_lines {}
    assert.are.equal(0, #t.reports)
  end)

  case("TA2: what is no function raises TypeError", function(t)
    local e = t.raises(lucio.TypeError, lucio.async, 1)
    assert.matches("^bad argument #1 to 'async' %(function expected, got number%)", tostring(e))
    t.raises(lucio.TypeError, lucio.async)
  end)

  it("TA4: run takes a Coroutine", function()
    local fn = lucio.async(function(...)
      lucio.sleep(0)
      return ...
    end)
    assert.are.same({n = 2, 1, nil}, table.pack(lucio.run(fn(1, nil))))
  end)

  it("TA4: can be made outside a loop", function()
    local coro = lucio.async(function() return "result" end)()
    assert.is_true(lucio.iscoroutine(coro))
    assert.are.equal("result", lucio.run(coro))
  end)
end)

describe("lucio.iscoroutine and its kin", function()
  case("TA17: tell Coroutines, futures and awaitables apart", function()
    local expected = { -- iscoroutine, isfuture, isawaitable
      Future = {false, true, true},
      ["pending Future"] = {false, true, true},
      Task = {false, true, true},
      Coroutine = {true, false, true},
      ["suspending Coroutine"] = {true, false, true},
      ["object with __await"] = {false, false, true},
      ["function"] = {false, false, true},
    }
    for kind, make in pairs(KINDS) do
      local x = make()
      assert.are.same(expected[kind],
        {lucio.iscoroutine(x), lucio.isfuture(x), lucio.isawaitable(x)}, kind)
      if kind ~= "function" then lucio.await(x) end
    end
  end)

  case("TA17: say no to everything else", function()
    for _, x in ipairs(NOT_AWAITABLE) do
      assert.is_false(lucio.iscoroutine(x))
      assert.is_false(lucio.isfuture(x))
      assert.is_false(lucio.isawaitable(x))
      assert.is_false(lucio.iscoroutinefunction(x))
    end
    assert.is_false(lucio.iscoroutine(nil))
    assert.is_false(lucio.isfuture(nil))
    assert.is_false(lucio.isawaitable(nil))
    assert.is_false(lucio.iscoroutinefunction(nil))
  end)

  case("TA17: iscoroutinefunction is true only for what lucio.async returned", function()
    local fn = lucio.async(function() end)
    local coro = fn()
    assert.is_true(lucio.iscoroutinefunction(fn))
    assert.is_false(lucio.iscoroutinefunction(coro))
    assert.is_false(lucio.iscoroutinefunction(function() end))
    assert.is_false(lucio.iscoroutinefunction(print))
    assert.is_false(lucio.iscoroutinefunction(lucio.sleep))
    lucio.await(coro)
    assert.is_true(lucio.iscoroutine(coro))
  end)
end)

describe("lucio.await", function()
  for kind, make in pairs(KINDS) do
    case("TA4: gives all results of a " .. kind, function() await_some(make()) end)

    case("TA17: create_task takes a " .. kind, function()
      local task = lucio.create_task(make())
      assert.are.same({n = 2, "result", nil}, table.pack(task:await()))
    end)

    case("GA1: gather takes a " .. kind, function()
      assert.are.same({n = 2, "result", 2}, lucio.gather(make(), function() return 2 end))
    end)

    case("WA2: wait takes a " .. kind, function()
      local done, pending = lucio.wait({make()})
      assert.are.same({1, 0}, {#done, #pending})
      assert.are.same({n = 2, "result", nil}, table.pack(done[1]:result()))
    end)

    case("WA8: as_completed takes a " .. kind, function()
      for future in lucio.as_completed({make()}) do
        assert.are.same({n = 2, "result", nil}, table.pack(future:result()))
      end
    end)

    case("WT3: wait_for takes a " .. kind, function()
      assert.are.same({n = 2, "result", nil}, table.pack(lucio.wait_for(make(), 1)))
      assert.are.same({n = 2, "result", nil}, table.pack(lucio.wait_for(make(), nil)))
    end)

    case("SH1: shield takes a " .. kind, function()
      assert.are.same({n = 2, "result", nil}, table.pack(lucio.shield(make()):await()))
    end)

    case("TG1: a TaskGroup takes a " .. kind, function()
      lucio.with(lucio.TaskGroup(), function(tg)
        local task = tg:create_task(make())
        assert.are.same({n = 2, "result", nil}, table.pack(task:await()))
      end)
    end)

    if not kind:match("Future$") and kind ~= "Task" then -- these belong to a loop already
      it("RU1: run takes a " .. kind, function()
        assert.are.same({n = 2, "result", nil}, table.pack(lucio.run(make())))
      end)
    end
  end

  for kind, make in pairs(FAILING) do
    case("TA6: raises the error of a " .. kind, function(t)
      local e = t.raises(lucio.ValueError, lucio.await, make())
      assert.are.equal("broken", e.message)
    end)
  end

  case("TA2: what is no awaitable raises TypeError", function(t)
    local e = t.raises(lucio.TypeError, lucio.await, nil)
    assert.are.equal("bad argument #1 to 'await' (awaitable expected, got nil)", tostring(e))
    for _, x in ipairs(NOT_AWAITABLE) do t.raises(lucio.TypeError, lucio.await, x) end
  end)

  case("TA4: a function is called in the awaiting task, at once", function(t)
    assert.are.equal(lucio.current_task(), lucio.await(lucio.current_task))
    assert.are.equal(0, t.tick())
  end)

  case("TA4: __await runs in the awaiting task and may suspend", function(t)
    local object = setmetatable({}, {__await = function(self)
      t.log("await", lucio.current_task():get_name())
      lucio.sleep(0)
      return self, 2
    end})
    lucio.current_task():set_name("main")
    assert.are.same({object, 2}, {lucio.await(object)})
    assert.are.same({object, 2}, {lucio.await(object)})
    t.same_lines {"await main", "await main"}
    assert.are.equal(2, t.tick())
  end)

  case("CA2: a cancel raises inside __await", function(t)
    local object = setmetatable({}, {__await = function()
      local _ <close> = setmetatable({}, {__close = function(_, e) t.log(e.name) end})
      lucio.sleep(1)
    end})
    local task = lucio.create_task(object)
    lucio.sleep(0)
    task:cancel()
    lucio.sleep(0)
    assert.is_true(task:cancelled())
    t.same_lines {"CancelledError"}
  end)

  case("GA3: in a list a Coroutine, Task or Future that stands twice is one", function(t)
    local coro = lucio.async(function()
      t.log("ran")
      lucio.sleep(0)
      return 1
    end)()
    assert.are.same({n = 2, 1, 1}, lucio.gather(coro, coro))
    t.same_lines {"ran"}
    local task = lucio.create_task(lucio.sleep, 0, 2)
    assert.are.same({n = 3, 2, 2, 2}, lucio.gather(task, task, task))
  end)

  case("GA3: in a list a function that stands twice is called twice", function()
    local calls = 0
    local function fn()
      calls = calls + 1
      lucio.sleep(0)
      return calls
    end
    lucio.gather(fn, fn)
    assert.are.equal(2, calls)
    local done = lucio.wait({fn, fn})
    assert.are.equal(2, #done)
    assert.are.equal(4, calls)
  end)
end)
