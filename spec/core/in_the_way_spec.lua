-- LG5: where a task cannot be suspended, the error says what is in the way and where it was called.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

local function line()
  return debug.getinfo(2, "l").currentline
end

-- The text of the error that a wait raises below `call`, without the name of the wait.
local function obstacle(call)
  local e
  call(function()
    local ok
    ok, e = pcall(lucio.sleep, 0)
    assert.is_false(ok)
    assert.is_true(lucio.isinstance(e, lucio.RuntimeError))
  end)
  return (tostring(e):gsub("^sleep: cannot suspend the task across ", ""))
end

-- A C function that calls a function, in which the task cannot wait.
local function order(fn)
  local queue = lucio.PriorityQueue(0, function(a, b)
    fn()
    return a < b
  end)
  queue:put_nowait(1)
  queue:put_nowait(2) -- the line
end
local ORDER_LINE = debug.getinfo(order, "S").linedefined + 6

local PLACE = "spec/core/in_the_way_spec.lua:"

describe("a wait that is not possible", function()
  case("LG5: names os.time and the arithmetic of texts, and says where", function()
    local mt = {}
    local object, here = setmetatable({}, mt), line()
    local text = obstacle(function(wait)
      mt.__index = function()
        wait()
        return 1
      end
      os.time(object)
    end)
    assert.are.equal("the C function 'os.time' called at " .. PLACE .. here + 6, text)
    text = obstacle(function(wait)
      mt.__add = wait
      return "10" + object
    end)
    assert.are.equal("the C function 'add' called at " .. PLACE .. here + 11, text)
    mt.__add = function()
      lucio.sleep(0)
      return "sum"
    end
    assert.are.equal("sum", object + "10")
    assert.are.equal("sum", 10 + object)
  end)

  case("LG5: names the C function and the line that called it", function()
    assert.are.equal("the C function 'put_nowait' called at " .. PLACE .. ORDER_LINE,
      obstacle(order))
  end)

  case("LG5: names it also when a function that may wait is in between", function()
    local expected = "the C function 'put_nowait' called at " .. PLACE .. ORDER_LINE
    local between = {
      function(f) return (("x"):gsub("x", f)) end,
      function(f) table.sort({1, 2}, function() f() end) end,
      function(f) return tostring(setmetatable({}, {__tostring = function()
        f()
        return ""
      end})) end,
      function(f) assert(pcall(f)) end,
      function(f) assert(xpcall(f, print)) end,
      function(f) assert(lucio.pcall(f)) end,
      function(f) lucio.with(setmetatable({}, {__close = function() end}), f) end,
      function(f) load(function() f() end) end,
      function(f)
        package.preload.in_the_way = f
        require "in_the_way"
        package.preload.in_the_way, package.loaded.in_the_way = nil, nil
      end,
      function(f) coroutine.wrap(f)() end,
      function(f) assert(coroutine.resume(coroutine.create(f))) end,
      function(f) coroutine.wrap(function() coroutine.wrap(f)() end)() end,
    }
    for i, call in ipairs(between) do
      assert.are.equal(expected, obstacle(function(f) order(function() call(f) end) end), i)
    end
  end)

  case("LG5: names a function of the libraries without the table of globals", function()
    local e = obstacle(function(f)
      local co = coroutine.create(function()
        local _ <close> = setmetatable({}, {__close = f})
        lucio.sleep(10)
      end)
      local task = lucio.create_task(function() return coroutine.resume(co) end)
      lucio.sleep(0)
      coroutine.close(co)
      task:await()
    end)
    assert.matches("^the C function 'coroutine.close' called at " .. PLACE:gsub("%p", "%%%0"), e)
  end)

  case("LG5: names what closes a coroutine that has yielded", function()
    local e = obstacle(function(f)
      local co = coroutine.create(function()
        local _ <close> = setmetatable({}, {__close = f})
        coroutine.yield()
      end)
      coroutine.resume(co)
      coroutine.close(co)
    end)
    assert.matches("^the C function 'coroutine.close' called at " .. PLACE:gsub("%p", "%%%0"), e)
  end)

  case("LG5: names a finalizer and the line that ran when it was called", function()
    local where
    local e = obstacle(function(f)
      setmetatable({}, {__gc = f})
      collectgarbage() where = line()
    end)
    assert.are.equal("a __gc metamethod called at " .. PLACE .. where, e)
  end)

  case("LG5: names a hook and the line that ran when it was called", function()
    local where
    local e = obstacle(function(f)
      debug.sethook(function()
        debug.sethook()
        f()
      end, "l")
      where = line()
    end)
    assert.are.equal("a hook called at " .. PLACE .. where, e)
  end)

  case("LG5: in the handler of a stack overflow says so", function()
    local function overflow() return 1 + overflow() end
    local e = obstacle(function(f)
      xpcall(overflow, function() f() end)
    end)
    assert.matches("a message handler", e)
  end)

  case("LG5: of functions called with pcall the line is that of the pcall", function()
    local where
    local e = obstacle(function(f)
      local queue = lucio.PriorityQueue(0, function() f() end)
      queue:put_nowait(1)
      pcall(queue.put_nowait, queue, 2) where = line()
    end)
    assert.matches(":" .. where .. "$", e)
  end)

  case("LG5: the names of Lua's functions stay in errors and tracebacks", function()
    local names = {}
    for _, name in ipairs {"gsub", "format"} do names[string[name]] = "string." .. name end
    for _, name in ipairs {"print", "require", "tostring", "xpcall"} do
      names[_G[name]] = name
    end
    for fn, name in pairs(names) do
      assert.are.equal("C", debug.getinfo(fn, "S").what)
      local trace
      debug.sethook(function() trace = trace or debug.traceback("", 2) end, "c")
      pcall(fn)
      debug.sethook()
      assert.is_string(trace)
      local ok, e = pcall(fn)
      if not ok then assert.matches("'" .. name:gsub("%p", "%%%0") .. "'", e) end
    end
    local _, trace = pcall(string.gsub, "x", "x", function() error(debug.traceback(), 0) end)
    assert.matches("%[C%]: in function 'string.gsub'", trace)
  end)
end)
