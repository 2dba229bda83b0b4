-- SEMANTICS RU6: Runner. These specs stand outside of a loop.
local assert = require "luassert"
local lucio = require "lucio"

local ValueError, RuntimeError, TypeError = lucio.ValueError, lucio.RuntimeError, lucio.TypeError

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

describe("Runner", function()
  it("RU6: runs repeatedly on one loop", function()
    local runner <close> = lucio.Runner{}
    local function main(...) return lucio.get_running_loop(), ... end
    local loop, v = runner:run(main, "v")
    assert.are.equal("v", v)
    assert.is_true(rawequal(loop, (runner:run(main))))
    assert.is_true(rawequal(loop, runner:get_loop()))
    assert.is_false(loop:is_closed())
    assert.is_false(loop:is_running())
  end)

  it("RU6: tasks that one run leaves go on in the next", function()
    local lines, log = new_log()
    local runner <close> = lucio.Runner()
    runner:run(function()
      lucio.create_task(function()
        pass(2)
        log("task")
      end)
    end)
    assert.are.same({}, lines)
    runner:run(pass, 4)
    assert.are.same({"task"}, lines)
  end)

  it("RU6: and in one context", function()
    local var = lucio.ContextVar("var", "default")
    do
      local runner <close> = lucio.Runner{}
      assert.are.equal("default", runner:run(function()
        local old = var:get()
        var:set("kept")
        return old
      end))
      assert.are.equal("kept", runner:run(function() return var:get() end))
    end
    assert.are.equal("default", lucio.run(function() return var:get() end))
  end)

  it("RU6: makes the loop when it is first needed", function()
    local loops = lucio.stats().loops
    local runner = lucio.Runner{}
    assert.are.equal(loops, lucio.stats().loops)
    local loop = runner:get_loop()
    assert.are.equal(loops + 1, lucio.stats().loops)
    assert.is_true(rawequal(loop, runner:get_loop()))
    runner:close()
    assert.is_true(loop:is_closed())
    assert.are.equal(loops, lucio.stats().loops)
  end)

  it("RU6: close cancels what is left, may be repeated, and ends all use", function()
    local lines, log = new_log()
    local runner = lucio.Runner{}
    runner:run(function()
      lucio.create_task(function()
        local ok, e = pcall(lucio.sleep, 9)
        log(ok, e.name)
      end)
      pass(1)
    end)
    assert.are.same({}, lines)
    runner:close()
    assert.are.same({"false CancelledError"}, lines)
    runner:close()
    raises(RuntimeError, runner.run, runner, function() end)
    raises(RuntimeError, runner.get_loop, runner)
  end)

  it("RU6: one that was never used can be closed", function()
    local runner = lucio.Runner{}
    runner:close()
    runner:close()
    local loops = lucio.stats().loops
    do
      local _ <close> = lucio.Runner{}
    end
    assert.are.equal(loops, lucio.stats().loops)
  end)

  it("RU6: debug is set as given, otherwise left as it is", function()
    local default = lucio.run(function() return lucio.get_running_loop():get_debug() end)
    for _, given in ipairs{{}, {true}, {false}} do
      local runner <close> = lucio.Runner{debug = given[1]}
      local debug = runner:run(function() return lucio.get_running_loop():get_debug() end)
      if given[1] == nil then
        assert.are.equal(default, debug)
      else
        assert.are.equal(given[1], debug)
      end
    end
  end)

  it("RU6: the backend is the one asked for", function()
    local runner <close> = lucio.Runner{backend = "poll"}
    assert.are.equal("poll", runner:get_loop().backend)
    assert.are.equal("done", runner:run(function()
      pass(2)
      return "done"
    end))
  end)

  it("RU6: an unknown option or backend is an error that names it", function()
    local e = raises(lucio.Exception, function()
      return lucio.Runner{debugging = true}:get_loop()
    end)
    assert.matches("debugging", tostring(e), 1, true)
    e = raises(ValueError, function() return lucio.Runner{backend = "steam"}:get_loop() end)
    assert.matches("steam", tostring(e), 1, true)
  end)

  it("RU6: raises main's error and can run again", function()
    local runner <close> = lucio.Runner{}
    raises(ValueError, runner.run, runner, function() error(ValueError("boom")) end)
    raises(TypeError, runner.run, runner, 42)
    assert.are.equal("fine", runner:run(function() return "fine" end))
  end)

  it("RU6: inside a task run is a RuntimeError", function()
    local runner <close> = lucio.Runner{}
    lucio.run(function() raises(RuntimeError, runner.run, runner, function() end) end)
    assert.are.equal(1, runner:run(function() return 1 end))
  end)
end)
