-- Bad input: very deep awaits, very long chains, and errors where nobody expects them.
local case = require "spec.support.case"
local child = require "spec.support.child"
local lucio = require "lucio"
local small = require "spec.support.small"

local MANY = small(100000, 30000)

-- At the end of run each task is cancelled, and passes the request down the whole chain below it.
local SEVERAL = 1000

local function has(text, part)
  assert.is_truthy(text:find(part, 1, true), string.format("%q lacks %q", text, part))
end

describe("a deep await", function()
  case("may stand below a hundred thousand Lua calls", function()
    local function deep(n)
      if n == 0 then return lucio.sleep(0, 0) end
      return 1 + deep(n - 1)
    end
    assert.are.equal(MANY, lucio.create_task(deep, MANY):await())
  end)

  case("below a million Lua calls is a stack overflow, the host goes on", function()
    local function deep(n)
      if n == 0 then return lucio.sleep(0, 0) end
      return 1 + deep(n - 1)
    end
    local task = lucio.create_task(deep, 1000000)
    local ok, e = pcall(task.await, task)
    assert.is_false(ok)
    has(tostring(e), "stack overflow")
    assert.are.equal("fine", lucio.sleep(0, "fine"))
  end)

  case("of a million nested coroutines is a stack overflow, the host goes on", function()
    local deep
    deep = lucio.async(function(n)
      if n == 0 then return lucio.sleep(0, 0) end
      return 1 + lucio.await(deep(n - 1))
    end)
    assert.are.equal(100, lucio.await(deep(100)))
    local ok, e = pcall(lucio.await, deep(1000000))
    assert.is_false(ok)
    has(tostring(e), "overflow")
    assert.are.equal("fine", lucio.sleep(0, "fine"))
    assert.are.equal(100, lucio.await(deep(100)))
  end)

  case("below a million nested pcalls is a stack overflow, the host goes on", function()
    local function deep(n)
      if n == 0 then return lucio.sleep(0) end
      local ok, e = lucio.pcall(deep, n - 1)
      if not ok then error(e, 0) end
    end
    local task = lucio.create_task(deep, 1000000)
    local ok, e = pcall(task.await, task)
    assert.is_false(ok)
    has(tostring(e), "overflow")
    assert.are.equal("fine", lucio.sleep(0, "fine"))
  end)

  case("through too many generators is refused, the host goes on", function()
    local function nest(n)
      return coroutine.wrap(function()
        if n == 0 then return lucio.sleep(0, "bottom") end
        return nest(n - 1)()
      end)
    end
    assert.are.equal("bottom", nest(20)())
    local ok, e = pcall(nest(100000))
    assert.is_false(ok)
    has(tostring(e), "overflow")
    assert.are.equal("bottom", nest(20)())
  end)
end)

describe("a chain of a hundred thousand tasks", function()
  local function chain(inner, length)
    for _ = 1, length or MANY do
      local awaited = inner
      inner = lucio.create_task(function() return awaited:await() end)
    end
    return inner
  end

  case("passes a result from the innermost to the outermost", function()
    local f = lucio.Future()
    local outer = chain(f)
    lucio.sleep(0)
    lucio.sleep(0)
    f:set_result("value")
    assert.are.equal("value", outer:await())
  end)

  case("passes an error", function(t)
    local f, e = lucio.Future(), lucio.ValueError("x")
    local outer = chain(f)
    lucio.sleep(0)
    f:set_exception(e)
    t.raises(e, outer.await, outer)
  end)

  case("is cancelled without recursion", function(t)
    local f = lucio.Future()
    local outer = chain(f)
    lucio.sleep(0)
    assert.is_true(outer:cancel("message"))
    assert.is_true(f:cancelled())
    local e = t.raises(lucio.CancelledError, outer.await, outer)
    assert.are.equal("message", e.args[1])
  end)

  it("(of a thousand) is cancelled when run ends", function()
    local outer
    lucio.run(function()
      outer = chain(lucio.Future(), SEVERAL)
      lucio.sleep(0)
    end)
    assert.is_true(outer:cancelled())
  end)

  case("in a cycle is cancelled without recursion", function()
    local first, outer
    local last = lucio.create_task(function() first:await() end)
    first = chain(last)
    outer = first
    lucio.sleep(0)
    outer:cancel()
    pcall(outer.await, outer)
    pcall(last.await, last)
    assert.is_true(outer:cancelled())
    assert.is_true(last:cancelled())
  end)
end)

describe("an error", function()
  case("in __close replaces the error of the task", function(t)
    local task = lucio.create_task(function()
      local _ <close> = setmetatable({}, {__close = function() error("second", 0) end})
      local _ <close> = setmetatable({}, {__close = function() error("first", 0) end})
      return "lost"
    end)
    t.raises("second", task.await, task)
  end)

  case("in __close after an await does so too", function(t)
    local task = lucio.create_task(function()
      local _ <close> = setmetatable({}, {__close = function()
        lucio.sleep(0)
        error(lucio.ValueError("late"))
      end})
      lucio.sleep(100)
    end)
    lucio.sleep(0)
    task:cancel()
    t.raises(lucio.ValueError, task.await, task)
    assert.is_false(task:cancelled())
  end)

  case("in __gc is Lua's business, the loop goes on", function(t)
    local function drop()
      setmetatable({}, {__gc = function() error("in __gc") end})
      setmetatable({}, {__gc = function() lucio.sleep(1) end})
      setmetatable({}, {__gc = function() lucio.current_task():await() end})
    end
    drop()
    collectgarbage()
    collectgarbage()
    assert.are.equal("fine", lucio.sleep(0, "fine"))
    assert.are.equal(1, t.tick())
  end)

  case("in a message handler does not harm the task", function(t)
    local ok = xpcall(error, function() error("in the handler") end, "x")
    assert.is_false(ok)
    ok = lucio.xpcall(error, function() error("in the handler") end, "x")
    assert.is_false(ok)
    lucio.sleep(0)
    assert.are.equal(1, t.tick())
  end)

  it("in the exception handler is reported with the first, the loop goes on", function()
    local r = child.run([[
      local lucio = require "lucio"
      lucio.run(function()
        local loop = lucio.get_running_loop()
        loop:set_exception_handler(function() error("broken handler", 0) end)
        loop:call_soon(error, "broken callback", 0)
        lucio.sleep(0)
        lucio.sleep(0)
        print(lucio.sleep(0, "goes on"))
      end)
    ]])
    assert.are.equal("goes on\n", r.stdout)
    assert.are.equal(0, r.status)
    has(r.stderr, "broken handler")
    has(r.stderr, "broken callback")
  end)

  it("whose text cannot be made is reported all the same", function()
    local r = child.run([[
      local lucio = require "lucio"
      local broken = setmetatable({}, {__tostring = function() error("no text", 0) end})
      lucio.run(function()
        lucio.get_running_loop():call_soon(error, broken)
        lucio.create_task(error, broken)
        lucio.sleep(0)
        lucio.sleep(0)
        collectgarbage()
        collectgarbage()
        lucio.sleep(0)
        print(lucio.sleep(0, "goes on"))
      end)
      error(broken)
    ]])
    assert.are.equal("goes on\n", r.stdout, r.stderr)
    assert.are.equal(1, r.status)
  end)

  it("in a finalizer called by hand, twice, does not harm the process", function()
    local r = child.run([[
      local lucio = require "lucio"
      lucio.run(function()
        local objects = {
          lucio.Future(), lucio.create_task(lucio.sleep, 1), lucio.Lock(), lucio.Queue(),
          lucio.Event(), lucio.get_running_loop(), lucio.current_task(), lucio.copy_context(),
        }
        for _, object in ipairs(objects) do
          local mt = debug.getmetatable(object)
          local gc = type(mt) == "table" and mt.__gc
          if gc then
            pcall(gc, object)
            pcall(gc, object)
            pcall(gc, {})
            pcall(gc)
          end
        end
      end)
    ]])
    assert.is_true(r.status == 0 or r.status == 1, tostring(r.status))
  end)
end)
