-- Lua's coroutine library keeps its own behaviour, error texts included, in tasks and outside them.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

local unpack = table.unpack

-- Programs and what they give in Lua 5.4. A function among the expected values checks the value.
local PROGRAMS = {
  {"resume and yield pass values", function()
    local co = coroutine.create(function(a, b)
      local c, d = coroutine.yield(a + b, nil)
      return c, d, nil
    end)
    local first = table.pack(coroutine.resume(co, 1, 2))
    local second = table.pack(coroutine.resume(co, 3, 4))
    return first.n, first[2], second.n, second[2], second[3]
  end, {3, 3, 4, 3, 4}},
  {"wrap passes values", function()
    local f = coroutine.wrap(function(...)
      local sent = coroutine.yield(select("#", ...))
      return sent, "end"
    end)
    return f(1, nil, nil), f("sent")
  end, {3, "sent", "end"}},
  {"status of a fresh, suspended and dead coroutine", function()
    local co = coroutine.create(coroutine.yield)
    local fresh = coroutine.status(co)
    coroutine.resume(co)
    local suspended = coroutine.status(co)
    coroutine.resume(co)
    return fresh, suspended, coroutine.status(co)
  end, {"suspended", "suspended", "dead"}},
  {"status of the running and the normal coroutine", function()
    local outer
    outer = coroutine.create(function()
      local inner = coroutine.wrap(function() return coroutine.status(outer) end)
      return coroutine.status(outer), inner()
    end)
    return coroutine.resume(outer)
  end, {true, "running", "normal"}},
  {"status of the running thread", function()
    return coroutine.status((coroutine.running()))
  end, {"running"}},
  {"running inside a coroutine", function()
    local co
    co = coroutine.create(function()
      local running, main = coroutine.running()
      return running == co, main
    end)
    return coroutine.resume(co)
  end, {true, true, false}},
  {"isyieldable", function()
    local co = coroutine.create(function() return coroutine.isyieldable() end)
    return coroutine.isyieldable(co), coroutine.resume(co)
  end, {true, true, true}},
  {"resuming a dead coroutine", function()
    local co = coroutine.create(function() end)
    coroutine.resume(co)
    return coroutine.resume(co)
  end, {false, "cannot resume dead coroutine"}},
  {"resuming a failed coroutine", function()
    local co = coroutine.create(error)
    coroutine.resume(co, "text", 0)
    return coroutine.resume(co)
  end, {false, "cannot resume dead coroutine"}},
  {"resuming the running coroutine", function()
    return coroutine.resume((coroutine.running()))
  end, {false, "cannot resume non-suspended coroutine"}},
  {"resuming a normal coroutine", function()
    local outer
    outer = coroutine.create(function()
      return coroutine.wrap(function() return coroutine.resume(outer) end)()
    end)
    return coroutine.resume(outer)
  end, {true, false, "cannot resume non-suspended coroutine"}},
  {"calling a dead wrap", function()
    local f = coroutine.wrap(function() end)
    f()
    return pcall(f)
  end, {false, "cannot resume dead coroutine"}},
  {"calling a dead wrap from Lua code", function()
    local f = coroutine.wrap(function() end)
    f()
    return pcall(function()
      f()
      return nil
    end)
  end, {false, function(e)
    assert.matches("^[^\n]*coroutine_lua_spec.lua:%d+: cannot resume dead coroutine$", e)
  end}},
  {"a wrap that calls itself", function()
    local f
    f = coroutine.wrap(function() return (pcall(f)) end)
    local ok = f()
    return ok
  end, {false}},
  {"a string error of a wrap", function()
    return pcall(coroutine.wrap(function() error("text", 0) end))
  end, {false, "text"}},
  {"a string error of a wrap called from Lua code", function()
    local f = coroutine.wrap(function() error("text", 0) end)
    return pcall(function()
      f()
      return nil
    end)
  end, {false, function(e) assert.matches("^[^\n]*coroutine_lua_spec.lua:%d+: text$", e) end}},
  {"a table error of a wrap", function()
    local failure = {}
    local ok, e = pcall(coroutine.wrap(function() error(failure) end))
    return ok, rawequal(e, failure)
  end, {false, true}},
  {"an error of a resumed coroutine", function()
    return coroutine.resume(coroutine.create(function() error("text", 0) end))
  end, {false, "text"}},
  {"close of a suspended coroutine", function()
    local seen = "not closed"
    local co = coroutine.create(function()
      local _ <close> = setmetatable({}, {__close = function(_, e) seen = e or "closed" end})
      coroutine.yield()
    end)
    coroutine.resume(co)
    local results = table.pack(coroutine.close(co))
    return results.n, results[1], seen, coroutine.status(co), coroutine.close(co)
  end, {1, true, "closed", "dead", true}},
  {"close of a fresh coroutine", function()
    local co = coroutine.create(print)
    return coroutine.close(co), coroutine.status(co), coroutine.resume(co)
  end, {true, "dead", false, "cannot resume dead coroutine"}},
  {"close of a failed coroutine", function()
    local co = coroutine.create(error)
    coroutine.resume(co, "text", 0)
    local ok, e = coroutine.close(co)
    return ok, e, coroutine.close(co)
  end, {false, "text", true}},
  {"close with a failing __close", function()
    local co = coroutine.create(function()
      local _ <close> = setmetatable({}, {__close = function() error("text", 0) end})
      coroutine.yield()
    end)
    coroutine.resume(co)
    return coroutine.close(co)
  end, {false, "text"}},
  {"close of the running coroutine", function()
    return pcall(coroutine.close, (coroutine.running()))
  end, {false, "cannot close a running coroutine"}},
  {"close of a normal coroutine", function()
    local outer
    outer = coroutine.create(function()
      return coroutine.wrap(function() return pcall(coroutine.close, outer) end)()
    end)
    return coroutine.resume(outer)
  end, {true, false, "cannot close a normal coroutine"}},
  {"yield across pcall, metamethods and iterators", function()
    local object = setmetatable({}, {
      __index = function(_, k) return coroutine.yield(k) end,
      __add = function(a) return a, coroutine.yield("add") end,
    })
    local f = coroutine.wrap(function()
      pcall(coroutine.yield, "pcall")
      local x = object.field
      local _ = object + 1
      for i in function() return coroutine.yield("iterator") end do x = x .. i end
      return x
    end)
    local a, b, c, d = f(), f(), f("x"), f()
    return a, b, c, d, f("y"), f(nil)
  end, {"pcall", "field", "add", "iterator", "iterator", "xy"}},
  {"create without a function", function()
    return pcall(coroutine.create, 1)
  end, {false, "bad argument #1 to 'coroutine.create' (function expected, got number)"}},
  {"wrap without a function", function()
    return pcall(coroutine.wrap)
  end, {false, "bad argument #1 to 'coroutine.wrap' (function expected, got no value)"}},
  {"resume without a thread", function()
    return pcall(coroutine.resume, 1)
  end, {false, "bad argument #1 to 'coroutine.resume' (thread expected, got number)"}},
  {"status without a thread", function()
    return pcall(coroutine.status)
  end, {false, "bad argument #1 to 'coroutine.status' (thread expected, got no value)"}},
  {"close without a thread", function()
    return pcall(coroutine.close, nil)
  end, {false, "bad argument #1 to 'coroutine.close' (thread expected, got nil)"}},
  {"a stack overflow in a coroutine", function()
    local function overflow() return 1 + overflow() end -- 200,000 slots, each time
    local ok, e = coroutine.resume(coroutine.create(overflow))
    return ok, e
  end, {false, function(e) assert.matches("stack overflow", e) end}},
  {"endless nesting of coroutines", function()
    local function nest() return coroutine.wrap(nest)() end
    local ok, e = pcall(nest)
    return ok, e
  end, {false, function(e) assert.matches("C stack overflow", e) end}},
}

local function check(program, expected)
  local r = table.pack(program())
  assert.are.equal(#expected, r.n)
  for i, value in ipairs(expected) do
    if type(value) == "function" then value(r[i]) else assert.are.equal(value, r[i]) end
  end
end

describe("The coroutine library", function()
  for _, entry in ipairs(PROGRAMS) do
    local name, program, expected = unpack(entry)

    it("LG8: outside a loop does as in Lua: " .. name, function()
      check(program, expected)
    end)

    case("LG8: in a task does as in Lua: " .. name, function()
      check(program, expected)
    end)

    case("LG8: in a task does as in Lua after a wait: " .. name, function()
      lucio.sleep(0)
      check(program, expected)
    end)

    case("LG8: in a coroutine of a task does as in Lua: " .. name, function()
      coroutine.wrap(function()
        lucio.sleep(0)
        check(program, expected)
      end)()
    end)

    case("LG8: in a callback does as in Lua: " .. name, function()
      local ok, e
      lucio.get_running_loop():call_soon(function() ok, e = pcall(check, program, expected) end)
      lucio.sleep(0)
      if not ok then error(e, 0) end
    end)
  end

  it("LG8: keeps its names", function()
    local names = {}
    for name in pairs(coroutine) do names[#names + 1] = name end
    table.sort(names)
    assert.are.same({"close", "create", "isyieldable", "resume", "running", "status", "wrap",
      "yield"}, names)
  end)

  case("TA10: a yield at the level of a task raises RuntimeError, the task goes on", function(t)
    t.raises(lucio.RuntimeError, coroutine.yield, "value")
    lucio.sleep(0)
    t.raises(lucio.RuntimeError, coroutine.yield)
  end)

  -- A comparator that runs in a task may yield: see stdlib_sort_spec.lua.
  case("LG8: in a callback does as in Lua: isyieldable and yield in a comparator", function()
    local yieldable, ok, e
    lucio.get_running_loop():call_soon(function()
      ok, e = coroutine.resume(coroutine.create(function()
        table.sort({1, 2}, function()
          yieldable = coroutine.isyieldable()
          coroutine.yield()
        end)
      end))
    end)
    lucio.sleep(0)
    assert.is_false(ok)
    assert.are.equal("attempt to yield across a C-call boundary", e)
    assert.is_false(yieldable)
  end)

  case("LG8: an await below a C function inside a coroutine is refused, nothing breaks", function(t)
    local future = lucio.Future()
    local queue = lucio.PriorityQueue(0, function() return future:await() end)
    queue:put_nowait(1)
    local generator = coroutine.wrap(function()
      local ok, e = pcall(queue.put_nowait, queue, 2)
      coroutine.yield(ok, e)
      return lucio.sleep(0, "slept")
    end)
    assert.is_false((generator()))
    assert.are.equal("slept", generator())
    assert.are.equal(1, t.tick())
    assert.is_false(future:done())
    future:set_result(1)
    assert.are.equal(1, future:await())
  end)
end)
