-- LG5: where Lua refuses to suspend, and where it does not.
local case = require "spec.support.case"
local lucio = require "lucio"

local MODULE = "spec.core.awaiting_module"

-- Each calls its argument below a C call that has no continuation.
local refusing = {
  ["a queue's order"] = function(f)
    local queue = lucio.PriorityQueue(0, function(a, b)
      f()
      return a < b
    end)
    queue:put_nowait(1)
    queue:put_nowait(2)
  end,
  ["a __gc"] = function(f)
    local ok, e
    setmetatable({}, {__gc = function() ok, e = pcall(f) end})
    collectgarbage()
    if not ok then error(e, 0) end
  end,
  ["a hook"] = function(f)
    local ok, e
    debug.sethook(function()
      debug.sethook()
      ok, e = pcall(f)
    end, "l")
    if not ok then error(e, 0) end
  end,
  ["coroutine.close"] = function(f)
    local ok, e
    local co = coroutine.create(function()
      local _ <close> = setmetatable({}, {__close = function() ok, e = pcall(f) end})
      coroutine.yield()
    end)
    coroutine.resume(co)
    coroutine.close(co)
    if not ok then error(e, 0) end
  end,
}

-- Each calls its argument below something that may be suspended.
local passing = {
  ["string.gsub"] = function(f)
    string.gsub("x", "x", function() f() end)
  end,
  ["tostring"] = function(f)
    tostring(setmetatable({}, {__tostring = function()
      f()
      return "text"
    end}))
  end,
  ["require"] = function(f)
    package.preload[MODULE] = f
    local ok, e = pcall(require, MODULE)
    package.preload[MODULE], package.loaded[MODULE] = nil, nil
    if not ok then error(e, 0) end
  end,
  ["load's reader"] = function(f)
    local ok, e = load(function() f() end)
    if not ok then error(e, 0) end
  end,
  ["table.sort"] = function(f)
    table.sort({2, 1}, function(a, b)
      f()
      return a < b
    end)
  end,
  ["pcall"] = function(f) assert(pcall(f)) end,
  ["xpcall"] = function(f) assert(xpcall(f, print)) end,
  ["__index"] = function(f)
    local _ = setmetatable({}, {__index = f}).field
  end,
  ["__newindex"] = function(f) setmetatable({}, {__newindex = f}).field = 1 end,
  ["__call"] = function(f) setmetatable({}, {__call = f})() end,
  ["__add"] = function(f) return setmetatable({}, {__add = f}) + 1 end,
  ["__unm"] = function(f) return -setmetatable({}, {__unm = f}) end,
  ["__concat"] = function(f) return setmetatable({}, {__concat = f}) .. "x" end,
  ["__len"] = function(f) return #setmetatable({}, {__len = f}) end,
  ["__eq"] = function(f)
    local mt = {__eq = f}
    return setmetatable({}, mt) == setmetatable({}, mt)
  end,
  ["__lt"] = function(f) return setmetatable({}, {__lt = f}) < 1 end,
  ["__le"] = function(f) return setmetatable({}, {__le = f}) <= 1 end,
  ["__close"] = function(f)
    local _ <close> = setmetatable({}, {__close = f})
  end,
  ["a for iterator"] = function(f)
    for _ in f do error("an item") end
  end,
  ["dofile"] = function(f)
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write("awaiting_function()")
    file:close()
    _G.awaiting_function = f -- luacheck: ignore 122
    dofile(path)
    _G.awaiting_function = nil -- luacheck: ignore 122
    os.remove(path)
  end,
}

describe("a suspending call", function()
  for place, call in pairs(refusing) do
    case("LG5: below " .. place .. " raises and leaves everything intact", function(t)
      local f, task = lucio.Future(), lucio.current_task()
      t.raises(lucio.RuntimeError, call, function() f:await() end)
      assert.are.equal(task, lucio.current_task())
      assert.is_false(f:done())
      -- the task can wait for the same future in an ordinary place
      lucio.get_running_loop():call_soon(f.set_result, f, "value")
      assert.are.equal("value", f:await())
      assert.are.equal(2, t.tick())
    end)

    case("LG5: below " .. place .. " that need not wait returns", function()
      local f = lucio.Future()
      f:set_result(1)
      call(function() f:await() end)
    end)
  end

  case("LG5: refused in a coroutine leaves that coroutine usable", function()
    local co = coroutine.wrap(function()
      local ok = pcall(refusing["a queue's order"], function() lucio.sleep(0) end)
      coroutine.yield(ok)
      return lucio.sleep(0, "awaited")
    end)
    assert.is_false(co())
    assert.are.equal("awaited", co())
  end)

  case("LG5: in a coroutine run below a C function is refused", function(t)
    local ok, e
    refusing["a queue's order"](function()
      coroutine.wrap(function() ok, e = pcall(lucio.sleep, 0) end)()
    end)
    assert.is_false(ok)
    assert.is_true(lucio.isinstance(e, lucio.RuntimeError))
    lucio.sleep(0)
    assert.are.equal(1, t.tick())
  end)

  case("LG5: the refusal names the function in the way", function(t)
    local e = t.raises(lucio.RuntimeError, refusing["a queue's order"],
      function() lucio.sleep(0) end)
    assert.matches("C function 'put_nowait' called at .*lg_yield_spec", tostring(e))
  end)

  case("LG5: the refusal does not name functions that may be suspended", function(t)
    local resource = setmetatable({}, {__close = function() end})
    local message
    local function sort()
      table.sort({2, 1}, function() lucio.sleep(0) end)
    end
    local function protected()
      assert(lucio.pcall(lucio.xpcall, sort, function(e) message = tostring(e) end))
    end
    refusing["a queue's order"](function()
      lucio.except_star(function()
        lucio.with(resource, function() assert(pcall(protected)) end)
      end, lucio.ValueError, t.log)
    end)
    assert.matches("across the C function 'put_nowait'", message)
  end)

  for place, call in pairs(passing) do
    case("LG5: may be made below " .. place, function(t)
      local ran = false
      call(function()
        lucio.sleep(0)
        ran = true
      end)
      assert.is_true(ran)
      assert.are.equal(1, t.tick())
    end)
  end
end)
