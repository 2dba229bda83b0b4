-- SEMANTICS RU: run. These specs call it themselves, so they stand outside of a loop.
local assert = require "luassert"
local lucio = require "lucio"

local ValueError, RuntimeError, TypeError = lucio.ValueError, lucio.RuntimeError, lucio.TypeError
local CancelledError = lucio.CancelledError

-- gives up n iterations
local function pass(n)
  for _ = 1, n do lucio.sleep(0) end
end

local function is(e, class)
  assert.is_true(lucio.isinstance(e, class))
end

local function raises(class, fn, ...)
  local ok, e = pcall(fn, ...)
  assert.is_false(ok)
  is(e, class)
  return e
end

-- a list with a function that appends its arguments, joined by spaces
local function new_log()
  local lines = {}
  return lines, function(...)
    local words = table.pack(...)
    for i = 1, words.n do words[i] = tostring(words[i]) end
    lines[#lines + 1] = table.concat(words, " ")
  end
end

describe("lucio.run", function()
  it("RU1: returns what main returns", function()
    assert.are.same({"a", nil, 3, n = 3}, table.pack(lucio.run(function(...)
      lucio.sleep(0)
      return ...
    end, "a", nil, 3)))
    assert.are.equal(0, select("#", lucio.run(function() end)))
  end)

  it("RU1: raises the very value that main raised", function()
    for _, value in ipairs{ValueError("boom"), {}, "text"} do
      local ok, e = pcall(lucio.run, function()
        lucio.sleep(0)
        error(value, 0)
      end)
      assert.is_false(ok)
      assert.is_true(rawequal(value, e))
    end
  end)

  it("RU1: takes any awaitable", function()
    assert.are.equal("coroutine", lucio.run(lucio.async(function(v) return v end)("coroutine")))
    local object = setmetatable({}, {__await = function() return "object", 2 end})
    assert.are.same({"object", 2}, {lucio.run(object)})
  end)

  it("RU1: a main that is no awaitable is a TypeError", function()
    local loops = lucio.stats().loops
    for _, main in ipairs{42, "main", true, {}} do
      local e = raises(TypeError, lucio.run, main)
      assert.matches("run", tostring(e), 1, true)
    end
    raises(TypeError, lucio.run)
    assert.are.equal(loops, lucio.stats().loops)
  end)

  it("RU1: main is a task on a loop of its own, which is closed in every case", function()
    local first, second
    lucio.run(function()
      first = lucio.get_running_loop()
      assert.is_not_nil(lucio.current_task())
      assert.is_true(first:is_running())
      assert.is_false(first:is_closed())
    end)
    raises(ValueError, lucio.run, function()
      second = lucio.get_running_loop()
      error(ValueError("boom"))
    end)
    assert.is_false(rawequal(first, second))
    for _, loop in ipairs{first, second} do
      assert.is_true(loop:is_closed())
      assert.is_false(loop:is_running())
    end
  end)

  it("RU1: inside a task it is a RuntimeError, whatever the argument, and does no harm", function()
    local lines, log = new_log()
    lucio.run(function()
      local loop = lucio.get_running_loop()
      local ran = false
      raises(RuntimeError, lucio.run, function() ran = true end)
      raises(RuntimeError, lucio.run, 42)
      assert.is_false(ran)
      assert.is_true(rawequal(loop, lucio.get_running_loop()))
      loop:call_soon(function()
        raises(RuntimeError, lucio.run, function() ran = true end)
        assert.is_false(ran)
        log("callback")
      end)
      pass(2)
    end)
    assert.are.same({"callback"}, lines)
  end)

  it("RU1: a main that is cancelled raises CancelledError", function()
    local e = raises(CancelledError, lucio.run, function()
      lucio.current_task():cancel("myself")
      lucio.sleep(1)
    end)
    assert.are.equal("myself", e.args[1])
  end)

  it("RU10: does not make a text of what main returns", function()
    local calls = 0
    local object = setmetatable({}, {__tostring = function()
      calls = calls + 1
      return "text"
    end})
    assert.is_true(rawequal(object, lucio.run(function() return object end)))
    assert.are.equal(0, calls)
  end)

  it("RU: a SystemExit leaves run with its code, after the clean-up of the others", function()
    local lines, log = new_log()
    local e = raises(lucio.SystemExit, lucio.run, function()
      lucio.create_task(function()
        local _ <close> = setmetatable({}, {__close = function(_, err) log("task", err.name) end})
        lucio.sleep(9)
      end)
      lucio.create_task(function() lucio.exit(7) end)
      local _ <close> = setmetatable({}, {__close = function(_, err) log("main", err.name) end})
      lucio.sleep(9)
    end)
    assert.are.equal(7, e.code)
    assert.are.same({"main CancelledError", "task CancelledError"}, lines)
  end)
end)

describe("lucio.run at its end", function()
  local function cleaner(log, name, n)
    return function()
      local ok, e = pcall(lucio.await, lucio.Future())
      log(name, ok, e.name)
      pass(n)
      log(name, "ended")
      error(e, 0)
    end
  end

  it("RU2: cancels what is left in creation order and waits for all together", function()
    local lines, log = new_log()
    lucio.run(function()
      for i, name in ipairs{"c", "a", "b"} do
        lucio.create_task(cleaner(log, name, 4 - i))
      end
      pass(1)
      log("main ends")
    end)
    assert.are.same({
      "main ends", "c false CancelledError", "a false CancelledError", "b false CancelledError",
      "b ended", "a ended", "c ended",
    }, lines)
  end)

  it("RU2: on an error of main as well", function()
    local lines, log = new_log()
    raises(ValueError, lucio.run, function()
      lucio.create_task(cleaner(log, "task", 2))
      pass(1)
      error(ValueError("boom"))
    end)
    assert.are.same({"task false CancelledError", "task ended"}, lines)
  end)

  it("RU2: clean-up may take its time", function()
    local lines, log = new_log()
    lucio.run(function()
      lucio.create_task(function()
        local _ <close> = setmetatable({}, {__close = function()
          lucio.sleep(2)
          log("closed")
        end})
        lucio.sleep(9)
      end)
      pass(1)
    end)
    assert.are.same({"closed"}, lines)
  end)

  it("RU2: closes the async generators after the tasks", function()
    local lines, log = new_log()
    local gen -- held to the end: a collected generator is closed earlier
    lucio.run(function()
      gen = lucio.generator(function()
        local _ <close> = setmetatable({}, {__close = function()
          lucio.sleep(0)
          log("generator closed")
        end})
        coroutine.yield(1)
      end)
      lucio.create_task(cleaner(log, "task", 2))
      log("item", gen:asend(nil))
      pass(1)
    end)
    assert.is_not_nil(gen)
    assert.are.same({
      "item 1", "task false CancelledError", "task ended", "generator closed",
    }, lines)
  end)

  it("RU3: a task that fails then is reported, main's outcome stays", function()
    local boom = ValueError("boom")
    local reports, failing = {}, nil
    local result = lucio.run(function()
      lucio.get_running_loop():set_exception_handler(function(_, context)
        reports[#reports + 1] = context
      end)
      failing = lucio.create_task(function()
        pcall(lucio.sleep, 9)
        error(boom)
      end)
      lucio.create_task(lucio.sleep, 9)
      pass(1)
      return "result"
    end)
    assert.are.equal("result", result)
    assert.are.equal(1, #reports)
    assert.are.equal("string", type(reports[1].message))
    assert.matches("shutdown", reports[1].message, 1, true)
    assert.is_true(rawequal(boom, reports[1].exception))
    assert.is_true(rawequal(failing, reports[1].task))
    collectgarbage()
    collectgarbage()
    assert.are.equal(1, #reports)
  end)

  it("RU4: tasks that clean-up creates are cancelled in their turn", function()
    local lines, log = new_log()
    lucio.run(function()
      lucio.create_task(function()
        pcall(lucio.sleep, 9)
        lucio.create_task(function()
          log("second")
          local ok, e = pcall(lucio.sleep, 9)
          log("second", ok, e.name)
        end)
        pass(2)
        log("first ends")
      end)
      pass(1)
    end)
    assert.are.same({"second", "first ends", "second false CancelledError"}, lines)
  end)

  it("RU5: waits for a task that swallows the cancellation", function()
    local lines, log = new_log()
    lucio.run(function()
      lucio.create_task(function()
        pcall(lucio.sleep, 9)
        lucio.sleep(5)
        log("ended after all")
      end)
      pass(1)
    end)
    assert.are.same({"ended after all"}, lines)
  end)

  it("RU2 LP15: a task of main's last step gets its first step before it is cancelled", function()
    local lines, log = new_log()
    lucio.run(function()
      lucio.create_task(function()
        log("first step")
        local ok, e = pcall(lucio.sleep, 9)
        log(ok, e.name)
      end)
    end)
    assert.are.same({"first step", "false CancelledError"}, lines)
  end)
end)
