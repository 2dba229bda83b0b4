-- lucio.with, the function form of a block with a resource
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

-- A resource whose __exit logs what it is given and returns `answer`.
local function resource(t, answer)
  return setmetatable({}, {__exit = function(self, ...)
    local e = (...)
    t.log("exit", select("#", ...), type(e) == "table" and e.name or e, type(self))
    return answer
  end})
end

describe("lucio.with", function()
  case("LG3: passes the resource and the arguments, returns what the function returned", function(t)
    local r = resource(t)
    local results = table.pack(lucio.with(r, function(...)
      t.log("body", select("#", ...), (...) == r, select(2, ...))
      return nil, 2, nil
    end, 1, nil))
    assert.are.same({n = 3, nil, 2, nil}, results)
    t.same_lines {"body 3 true 1 nil", "exit 1 nil table"}
  end)

  case("LG3: runs and exits without suspending", function(t)
    lucio.with(resource(t), function() end)
    assert.are.equal(0, t.tick())
  end)

  case("LG3: __exit gets the error, which then passes on unchanged", function(t)
    local failure = lucio.ValueError("broken")
    t.raises(failure, lucio.with, resource(t), function() error(failure) end)
    t.raises("text", lucio.with, resource(t), function() error("text", 0) end)
    t.same_lines {"exit 1 ValueError table", "exit 1 text table"}
  end)

  case("LG3: a true result of __exit suppresses the error", function(t)
    local results = table.pack(lucio.with(resource(t, true), function() error("broken", 0) end))
    assert.are.same({n = 0}, results)
    t.same_lines {"exit 1 broken table"}
  end)

  case("LG3: a false result of __exit does not suppress the error", function(t)
    t.raises("broken", lucio.with, resource(t, false), function() error("broken", 0) end)
  end)

  case("LG3: a true result of __exit does nothing to a normal end", function(t)
    assert.are.same({n = 2, 1, 2}, table.pack(lucio.with(resource(t, true), function()
      return 1, 2
    end)))
  end)

  case("LG3: an error of __exit takes the place of the body's", function(t)
    local r = setmetatable({}, {__exit = function() error("exit broken", 0) end})
    t.raises("exit broken", lucio.with, r, function() error("body broken", 0) end)
    t.raises("exit broken", lucio.with, r, function() end)
  end)

  case("LG9: error(nil) in the body does not look like a normal end", function(t)
    local r = setmetatable({}, {__exit = function(_, e) t.log(e == nil) end})
    assert.is_false(pcall(lucio.with, r, function() error(nil) end))
    t.same_lines {"false"}
  end)

  case("LG2: body and __exit may suspend", function(t)
    local r = setmetatable({}, {__exit = function()
      lucio.sleep(0)
      t.log("exit", t.tick())
    end})
    t.log(lucio.with(r, function() return lucio.sleep(0, "result") end), t.tick())
    t.raises("broken", lucio.with, r, function()
      lucio.sleep(0)
      error("broken", 0)
    end)
    t.same_lines {"exit 2", "result 2", "exit 4"}
  end)

  case("CA10: an __exit that suppresses a cancel lets the task go on", function(t)
    local task = lucio.create_task(function()
      lucio.with(resource(t, true), function() lucio.sleep(1) end)
      t.log("went on", lucio.current_task():cancelling())
      return "result"
    end)
    lucio.sleep(0)
    task:cancel("stop")
    assert.are.equal("result", task:await())
    t.same_lines {"exit 1 CancelledError table", "went on 1"}
  end)

  case("CA17: a cancel passes through, and a further one interrupts __exit", function(t)
    local r = setmetatable({}, {__exit = function(_, e)
      t.log("exit", e.args[1])
      lucio.sleep(10)
    end})
    local task = lucio.create_task(lucio.with, r, function() lucio.sleep(1) end)
    lucio.sleep(0)
    task:cancel("first")
    lucio.sleep(0)
    assert.is_false(task:done())
    task:cancel("second")
    lucio.sleep(0)
    local e = t.raises(lucio.CancelledError, task.result, task)
    assert.are.equal("second", e.args[1])
    t.same_lines {"exit first"}
  end)

  case("LG6: __exit runs for SystemExit and KeyboardInterrupt too", function(t)
    local interrupt = lucio.KeyboardInterrupt()
    t.raises(interrupt, lucio.with, resource(t), function() error(interrupt) end)
    t.raises(lucio.SystemExit, lucio.with, resource(t), function() lucio.exit() end)
    t.same_lines {"exit 1 KeyboardInterrupt table", "exit 1 SystemExit table"}
  end)

  case("LG3: falls back on __close, which cannot suppress", function(t)
    local r = setmetatable({}, {__close = function(_, e)
      t.log("close", e)
      lucio.sleep(0)
      return true
    end})
    assert.are.equal("result", lucio.with(r, function() return "result" end))
    t.raises("broken", lucio.with, r, function() error("broken", 0) end)
    t.same_lines {"close nil", "close broken"}
    assert.are.equal(2, t.tick())
  end)

  case("LG3: an error of __close takes the place of the body's", function(t)
    local r = setmetatable({}, {__close = function() error("close broken", 0) end})
    t.raises("close broken", lucio.with, r, function() error("body broken", 0) end)
  end)

  case("LG3: __exit comes before __close, which is not called then", function(t)
    local r = setmetatable({}, {
      __exit = function() t.log("exit") end,
      __close = function() t.log("close") end,
    })
    lucio.with(r, function() end)
    t.same_lines {"exit"}
  end)

  case("LG3: __exit is looked up in the metatable", function(t)
    local r = setmetatable({__exit = function() t.log("field") end},
      {__close = function() t.log("close") end})
    lucio.with(r, function() end)
    t.same_lines {"close"}
  end)

  case("LG3: bad arguments raise TypeError before anything runs", function(t)
    local function body() t.log("body") end
    local e = t.raises(lucio.TypeError, lucio.with, {}, body)
    assert.matches("^bad argument #1 to 'with'", tostring(e))
    t.raises(lucio.TypeError, lucio.with, "text", body)
    e = t.raises(lucio.TypeError, lucio.with, resource(t), 1)
    assert.matches("^bad argument #2 to 'with' %(function expected, got number%)", tostring(e))
    t.same_lines {}
  end)

  case("LG3: nests", function(t)
    local function named(name, answer)
      return setmetatable({}, {__exit = function(_, e)
        t.log(name, e)
        return answer
      end})
    end
    lucio.with(named("outer", true), function()
      lucio.with(named("middle"), function()
        lucio.with(named("inner", true), function() error("first", 0) end)
        error("second", 0)
      end)
    end)
    t.same_lines {"inner first", "middle second", "outer second"}
  end)

  case("LK1: serves what acquire returns", function()
    for _, object in ipairs {lucio.Lock(), lucio.Semaphore(1), lucio.Condition()} do
      assert.are.equal("result", lucio.with(object:acquire(), function(held)
        assert.are.equal(object, held)
        assert.is_true(object:locked())
        return "result"
      end))
      assert.is_false(object:locked())
    end
  end)

  case("LG8: works inside a coroutine.wrap", function(t)
    local generator = coroutine.wrap(function()
      lucio.with(resource(t), function()
        coroutine.yield("value")
        lucio.sleep(0)
      end)
    end)
    t.log(generator())
    generator()
    t.same_lines {"value", "exit 1 nil table"}
  end)

  it("LG3: works outside a loop", function()
    local seen = {}
    local r = setmetatable({}, {__exit = function(_, e)
      seen[#seen + 1] = e or "none"
      return true
    end})
    assert.are.equal(1, lucio.with(r, function() return 1 end))
    lucio.with(r, function() error("broken", 0) end)
    assert.are.same({"none", "broken"}, seen)
  end)

  case("LG3: an error of a function of Lua has the one it replaces as its context", function(t)
    for _, name in ipairs {"__exit", "__close"} do
      local first, second = lucio.ValueError("first"), lucio.LookupError("second")
      local raising = setmetatable({}, {[name] = function()
        lucio.sleep(0)
        error(second)
      end})
      t.raises(second, lucio.with, raising, function() error(first) end)
      assert.is_true(rawequal(first, second.context))
      -- a context that is there stays; the same error has none
      t.raises(second, lucio.with, raising, function() error(lucio.TypeError("third")) end)
      assert.is_true(rawequal(first, second.context))
      t.raises(second, lucio.with, raising, function() error(second) end)
      second.context = nil
      t.raises(second, lucio.with, raising, function() error("text", 0) end)
      assert.are.equal("text", second.context.value)
    end
  end)
end)
