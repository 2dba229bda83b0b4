-- lucio.pcall and lucio.xpcall, beside Lua's own
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

local unpack = table.unpack

local function nothing() end

local function fail_deeper(n)
  if n == 0 then error("deep") end
  return (fail_deeper(n - 1))
end

-- Calls that lucio.pcall must treat as pcall does.
local CALLS = {
  ["no result"] = {nothing},
  ["several results with nils"] = {function(...) return nil, ..., nil end, 1, nil, n = 3},
  ["many results"] = {function() return unpack({}, 1, 200) end},
  ["an error with position"] = {function() error("text") end},
  ["an error without position"] = {error, "text", 0},
  ["an error at level 2"] = {function() error("text", 2) end},
  ["a table error"] = {error, {}},
  ["an error with nil"] = {error},
  ["an error with false"] = {error, false},
  ["a number error"] = {error, 12},
  ["a runtime error"] = {function() return nil + 1 end},
  ["an error of a library function"] = {string.rep},
  ["an error in a nested call"] = {fail_deeper, 50},
  ["calling nil"] = {nil, n = 1},
  ["calling a number"] = {1},
  ["calling a table"] = {{}},
  ["a callable table"] = {setmetatable({}, {__call = function(_, ...) return ... end}), 1, 2},
  ["a failing __call"] = {setmetatable({}, {__call = function() error("called", 0) end})},
  ["assert"] = {assert, nil, "message", n = 3},
  ["tonumber"] = {tonumber, "0x10"},
}

local function call(f, args)
  return table.pack(f(unpack(args, 1, args.n or #args)))
end

local function same_as_lua()
  for name, args in pairs(CALLS) do
    assert.are.same(call(pcall, args), call(lucio.pcall, args), name)
  end
end

local function add_handler(args, handler)
  local n = args.n or #args
  return {n = n + 1, args[1], handler, unpack(args, 2, n)}
end

local function same_as_lua_with_handler()
  local handlers = {
    function(e) return e end,
    function(e) return {e} end,
    function() return nil end,
    function(e) return "handled " .. type(e), "second" end,
  }
  for name, args in pairs(CALLS) do
    for _, handler in ipairs(handlers) do
      local with_handler = add_handler(args, handler)
      assert.are.same(call(xpcall, with_handler), call(lucio.xpcall, with_handler), name)
    end
  end
end

local PASSING = {"CancelledError", "KeyboardInterrupt", "SystemExit"}

describe("lucio.pcall", function()
  case("LG6: does as pcall for ordinary calls and errors", same_as_lua)

  it("LG6: does as pcall outside a loop", same_as_lua)

  case("LG6: hands over the very error value", function()
    for _, failure in ipairs {{}, lucio.ValueError("text"), nothing, lucio.LuaError} do
      local ok, e = lucio.pcall(error, failure)
      assert.is_false(ok)
      assert.is_true(rawequal(failure, e))
    end
  end)

  case("LG6: without a function raises", function(t)
    t.raises(lucio.TypeError, lucio.pcall)
  end)

  case("LG6: catches a stack overflow", function()
    local function overflow() return 1 + overflow() end
    local ok, e = lucio.pcall(overflow)
    assert.is_false(ok)
    assert.matches("stack overflow", tostring(e))
  end)

  for _, name in ipairs(PASSING) do
    case("LG6: lets " .. name .. " pass, which pcall catches", function(t)
      local failure = lucio[name]("text")
      local function fail()
        lucio.pcall(error, failure)
        t.log("went on")
      end
      local ok, e = pcall(fail)
      assert.is_false(ok)
      assert.is_true(rawequal(failure, e))
      assert.are.same({false, failure}, {pcall(error, failure)})
      t.same_lines {}
    end)

    case("LG6: lets subclasses of " .. name .. " pass", function(t)
      local failure = lucio.exception("Mine", lucio[name])("text")
      t.raises(failure, lucio.pcall, error, failure)
      t.raises(failure, lucio.xpcall, error, nothing, failure)
    end)

    case("LG6: lets " .. name .. " pass through many levels", function(t)
      local failure = lucio[name]("text")
      local function nest(n)
        if n == 0 then error(failure) end
        lucio.pcall(nest, n - 1)
        t.log("went on")
      end
      t.raises(failure, nest, 20)
      t.same_lines {}
    end)
  end

  case("LG6: lets lucio.exit pass with its code", function(t)
    local e = t.raises(lucio.SystemExit, lucio.pcall, lucio.exit, 3)
    assert.are.equal(3, e.code)
  end)

  case("LG6: catches every class below Exception", function()
    for _, name in ipairs {"Exception", "TimeoutError", "RuntimeError", "QueueEmpty", "OSError"} do
      local ok, e = lucio.pcall(error, lucio[name]("text"))
      assert.is_false(ok)
      assert.are.equal(name, e.name)
    end
  end)

  case("LG5: the function may suspend", function(t)
    local r = table.pack(lucio.pcall(function(...)
      lucio.sleep(0)
      return ..., t.tick()
    end, "a"))
    assert.are.same({n = 3, true, "a", 1}, r)
    local ok, e = lucio.pcall(function()
      lucio.sleep(0)
      error("text", 0)
    end)
    assert.are.same({false, "text", 2}, {ok, e, t.tick()})
  end)

  case("LG5: lucio.pcall, pcall and xpcall may be mixed around a wait", function(t)
    local function handler(e) return "<" .. e .. ">" end
    local results = table.pack(pcall(lucio.pcall, xpcall, lucio.xpcall, handler, function()
      lucio.sleep(0)
      error("text", 0)
    end, handler))
    assert.are.same({n = 5, true, true, true, false, "<text>"}, results)
    assert.are.equal(1, t.tick())
  end)

  case("LG6: a cancel of a task that waits inside passes", function(t)
    local task = lucio.create_task(function()
      lucio.pcall(function() lucio.pcall(lucio.sleep, 1) end)
      t.log("went on")
    end)
    lucio.sleep(0)
    task:cancel("stop")
    local e = t.raises(lucio.CancelledError, task.await, task)
    assert.are.equal("stop", e.args[1])
    t.same_lines {}
  end)

  case("LG6: pcall swallows a cancel", function(t)
    local task = lucio.create_task(function()
      local ok, e = pcall(lucio.sleep, 1)
      t.log(ok, e.name)
      return "result"
    end)
    lucio.sleep(0)
    task:cancel()
    assert.are.equal("result", task:await())
    t.same_lines {"false CancelledError"}
  end)

  case("LG2: <close> variables run, and may wait, before it returns", function(t)
    local function closing(name)
      return setmetatable({}, {__close = function(_, e)
        lucio.sleep(0)
        t.log(name, e)
      end})
    end
    local ok, e = lucio.pcall(function()
      local _ <close> = closing("outer")
      local _ <close> = closing("inner")
      error("text", 0)
    end)
    t.log(ok, e, t.tick())
    t.same_lines {"inner text", "outer text", "false text 2"}
  end)

  case("LG8: works inside a coroutine.wrap", function()
    local generator = coroutine.wrap(function()
      local ok, e = lucio.pcall(function()
        coroutine.yield(1)
        lucio.sleep(0)
        error("text", 0)
      end)
      coroutine.yield(ok, e)
    end)
    assert.are.equal(1, generator())
    assert.are.same({false, "text"}, {generator()})
  end)
end)

describe("lucio.xpcall", function()
  case("LG6: does as xpcall for ordinary calls and errors", same_as_lua_with_handler)

  it("LG6: does as xpcall outside a loop", same_as_lua_with_handler)

  case("LG4: the handler runs where the error was raised", function()
    local function raiser() error("text", 0) end
    local _, trace = lucio.xpcall(function()
      raiser()
      return nothing()
    end, debug.traceback)
    assert.matches("^text\nstack traceback:", trace)
    assert.matches("'raiser'", trace)
  end)

  case("LG4: the handler runs before __close, which sees the handler's value", function(t)
    local _, e = lucio.xpcall(function()
      local _ <close> = setmetatable({}, {__close = function(_, e) t.log("close", e) end})
      error("text", 0)
    end, function(e)
      t.log("handler", e)
      return "handled"
    end)
    t.log(e)
    t.same_lines {"handler text", "close handled", "handled"}
  end)

  for _, name in ipairs(PASSING) do
    case("LG6: lets " .. name .. " pass unhandled", function(t)
      local failure = lucio[name]("text")
      t.raises(failure, lucio.xpcall, error, function() return "handled" end, failure)
      t.raises(failure, lucio.xpcall, function()
        lucio.sleep(0)
        error(failure)
      end, function() return "handled" end)
    end)
  end

  case("LG5: the function may suspend", function(t)
    local function body(...)
      lucio.sleep(0)
      return ...
    end
    assert.are.same({n = 3, true, 1, nil}, table.pack(lucio.xpcall(body, debug.traceback, 1, nil)))
    assert.are.equal(1, t.tick())
  end)

  case("LG6: a failing handler gives an error, not a crash", function()
    assert.is_false((lucio.xpcall(error, function() error("handler") end, "text")))
    local ok = lucio.xpcall(error, function(e) return e.x.y end, "text")
    assert.is_false(ok)
  end)

  case("LG6: bad arguments raise", function(t)
    t.raises(lucio.TypeError, lucio.xpcall)
    t.raises(lucio.TypeError, lucio.xpcall, nothing)
  end)
end)
