-- SEMANTICS EX: the exception handler, debug mode. What the default handler prints is in spec/cli.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

local ValueError, TypeError = lucio.ValueError, lucio.TypeError

-- gives up n iterations
local function pass(n)
  for _ = 1, n do lucio.sleep(0) end
end

local function is(e, class)
  assert.is_true(lucio.isinstance(e, class))
end

local function collect()
  collectgarbage()
  collectgarbage()
  pass(2)
end

-- has the running loop give its reports to fn(context)
local function handle(fn)
  lucio.get_running_loop():set_exception_handler(function(_, context) fn(context) end)
end

describe("the exception handler", function()
  case("EX1: is called with the loop and the context", function(t)
    local loop = lucio.get_running_loop()
    local context = {message = "hello", extra = 1}
    local seen
    loop:set_exception_handler(function(...) seen = table.pack(...) end)
    loop:call_exception_handler(context)
    assert.are.equal(2, seen.n)
    assert.is_true(rawequal(loop, seen[1]))
    assert.are.equal("hello", seen[2].message)
    assert.are.equal(1, seen[2].extra)
    assert.are.equal(0, t.tick())
  end)

  case("EX1: anything but a function or nil is a TypeError, the old one stays", function(t)
    local loop = lucio.get_running_loop()
    handle(function(context) t.log(context.message) end)
    t.raises(TypeError, loop.set_exception_handler, loop, 42)
    t.raises(TypeError, loop.set_exception_handler, loop, {})
    loop:call_exception_handler{message = "hello"}
    t.same_lines{"hello"}
  end)

  case("EX1: a context that is no table is a TypeError", function(t)
    local loop = lucio.get_running_loop()
    t.raises(TypeError, loop.call_exception_handler, loop, "text")
  end)

  case("EX1: an error of a callback comes with message, exception and handle", function(t)
    local boom = ValueError("boom")
    local loop = lucio.get_running_loop()
    local soon = loop:call_soon(function() error(boom) end)
    local later = loop:call_later(0, function() error(boom) end)
    pass(2)
    assert.are.equal(2, #t.reports)
    for i, handle_of in ipairs{soon, later} do
      local context = t.reports[i]
      assert.are.equal("string", type(context.message))
      assert.matches("callback", context.message, 1, true)
      assert.is_true(rawequal(boom, context.exception))
      assert.is_true(rawequal(handle_of, context.handle))
      assert.is_nil(context.task)
    end
  end)

  case("EX1: a bare value comes wrapped in LuaError, with the traceback", function(t)
    lucio.get_running_loop():call_soon(function() error("text", 0) end)
    pass(2)
    assert.are.equal(1, #t.reports)
    local e = t.reports[1].exception
    is(e, lucio.LuaError)
    assert.are.equal("text", e.value)
    assert.matches("ex_spec.lua", e.traceback, 1, true)
  end)

  case("EX1: a failed task that nobody looked at comes with its error and itself", function(t)
    local boom = ValueError("boom")
    local function fail() lucio.create_task{function() error(boom) end, name = "loser"} end
    fail()
    pass(2)
    collect()
    assert.are.equal(1, #t.reports)
    local context = t.reports[1]
    assert.are.equal("Task exception was never retrieved", context.message)
    assert.is_true(rawequal(boom, context.exception))
    assert.are.equal("loser", (context.future or context.task):get_name())
  end)

  case("EX1: an error of a done callback comes with a handle and the future", function(t)
    local boom, future = ValueError("boom"), lucio.Future()
    future:add_done_callback(function() error(boom) end)
    future:add_done_callback(setmetatable({}, {__call = function() error(boom) end}))
    future:set_result(1)
    pass(1)
    assert.are.equal(2, #t.reports)
    for i, text in ipairs{"^<Handle function at .*ex_spec%.lua:%d+>$", "^<Handle>$"} do
      local context = t.reports[i]
      assert.is_true(rawequal(boom, context.exception))
      assert.is_true(rawequal(future, context.future))
      assert.matches(text, tostring(context.handle))
      assert.are.equal("Exception in callback " .. tostring(context.handle), context.message)
      assert.is_false(context.handle:cancelled())
      assert.is_nil(context.handle:cancel())
      t.raises(TypeError, context.handle.cancel, future)
    end
  end)

  case("EX1: a failed future comes with its error and itself", function(t)
    local boom = ValueError("boom")
    local function fail() lucio.Future():set_exception(boom) end
    fail()
    collect()
    assert.are.equal(1, #t.reports)
    assert.are.equal("Future exception was never retrieved", t.reports[1].message)
    assert.is_true(rawequal(boom, t.reports[1].exception))
    assert.is_true(lucio.isfuture(t.reports[1].future))
  end)

  case("EX1: each failure is reported once", function(t)
    local function fail() lucio.create_task(function() error(ValueError("boom")) end) end
    fail()
    fail()
    pass(2)
    collect()
    collect()
    assert.are.equal(2, #t.reports)
  end)

  it("EX3: SystemExit and KeyboardInterrupt of a handler leave run", function()
    for _, class in ipairs{lucio.SystemExit, lucio.KeyboardInterrupt} do
      local e = class()
      local ok, err = pcall(lucio.run, function()
        handle(function() error(e, 0) end)
        lucio.get_running_loop():call_soon(function() error(ValueError("boom")) end)
        lucio.sleep(9)
      end)
      assert.is_false(ok)
      assert.is_true(rawequal(e, err))
    end
  end)

  case("EX4: runs in the context of the handle at fault", function(t)
    local var = lucio.ContextVar("var", "none")
    handle(function() t.log(var:get()) end)
    local loop = lucio.get_running_loop()
    var:set("first")
    loop:call_soon(function() error(ValueError("boom")) end)
    var:set("second")
    loop:call_soon(function()
      var:set("changed")
      error(ValueError("boom"))
    end)
    var:set("third")
    pass(2)
    t.same_lines{"first", "changed"}
  end)

  case("EX4: and in that of the task at fault", function(t)
    local var = lucio.ContextVar("var", "none")
    handle(function() t.log(var:get()) end)
    local function fail()
      lucio.create_task(function()
        var:set("of the task")
        error(ValueError("boom"))
      end)
    end
    fail()
    pass(2)
    collect()
    t.same_lines{"of the task"}
  end)

  case("EX1: the handler may be taken away again", function(t)
    local loop = lucio.get_running_loop()
    handle(function() t.log("first") end)
    handle(function() t.log("second") end)
    loop:call_exception_handler{message = "hello"}
    loop:set_exception_handler(nil)
    t.same_lines{"second"}
  end)
end)

describe("debug mode", function()
  case("EX7: is set by set_debug and told by get_debug", function()
    local loop = lucio.get_running_loop()
    loop:set_debug(true)
    assert.is_true(loop:get_debug())
    loop:set_debug(false)
    assert.is_false(loop:get_debug())
  end)

  it("EX7: is set by the option of Runner", function()
    local runner <close> = lucio.Runner{debug = true}
    assert.is_true(runner:run(function() return lucio.get_running_loop():get_debug() end))
  end)

  case("EX5: slow_callback_duration is 0.1 and can be set", function()
    local loop = lucio.get_running_loop()
    assert.are.equal(0.1, loop.slow_callback_duration)
    loop.slow_callback_duration = 5
    assert.are.equal(5, loop.slow_callback_duration)
  end)

  case("EX6: a callback that cannot be called is a TypeError", function(t)
    local loop = lucio.get_running_loop()
    local timers = lucio.stats().timers
    for _, debug in ipairs{true, false} do
      loop:set_debug(debug)
      t.raises(TypeError, loop.call_soon, loop, 42)
      t.raises(TypeError, loop.call_soon, loop)
      t.raises(TypeError, loop.call_later, loop, 1, "text")
      t.raises(TypeError, loop.call_at, loop, loop:time() + 1, {})
    end
    assert.are.equal(timers, lucio.stats().timers)
    pass(2)
  end)

  case("EX6: a coroutine as callback is a TypeError", function(t)
    local loop = lucio.get_running_loop()
    loop:set_debug(true)
    local async = lucio.async(function() end)
    local coro = async()
    t.raises(TypeError, loop.call_soon, loop, coro)
    t.raises(TypeError, loop.call_soon, loop, async)
    t.raises(TypeError, loop.call_later, loop, 1, async)
    lucio.await(coro)
  end)

  case("EX7: tasks show where they were created, and so do their reports", function(t)
    lucio.get_running_loop():set_debug(true)
    local function fail()
      local task = lucio.create_task(function() error(ValueError("boom")) end)
      assert.matches("created at .*ex_spec.lua:%d+", tostring(task))
    end
    fail()
    pass(2)
    collect()
    assert.are.equal(1, #t.reports)
    assert.matches("ex_spec.lua:%d+", tostring(t.reports[1].source_traceback))
  end)

  case("EX7: futures and handles do, too", function(t)
    local loop = lucio.get_running_loop()
    loop:set_debug(true)
    assert.matches("created at .*ex_spec.lua:%d+", tostring(lucio.Future()))
    local handle_of = loop:call_soon(function() error(ValueError("boom")) end)
    assert.matches("created at .*ex_spec.lua:%d+", tostring(handle_of))
    pass(2)
    assert.are.equal(1, #t.reports)
    assert.matches("ex_spec.lua:%d+", tostring(t.reports[1].source_traceback))
  end)

  case("EX7: without debug nothing is recorded", function(t)
    local loop = lucio.get_running_loop()
    loop:set_debug(false)
    assert.is_nil(tostring(lucio.Future()):find("created at", 1, true))
    loop:call_soon(function() error(ValueError("boom")) end)
    pass(2)
    assert.is_nil(t.reports[1].source_traceback)
  end)
end)
