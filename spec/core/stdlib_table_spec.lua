-- The table functions and ipairs in tasks: metamethods may wait, all else is as in Lua.
local alike = require "spec.support.alike"
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"
local small = require "spec.support.small"

local concat, insert, move, remove, unpack =
  table.concat, table.insert, table.move, table.remove, table.unpack

-- An object over `store`; each access is logged and may wait.
local function proxy(store, pause, log, name)
  name = name or ""
  return setmetatable({}, {
    __index = function(_, i)
      log(name, "get", i)
      pause()
      return store[i]
    end,
    __newindex = function(_, i, value)
      log(name, "set", i, value)
      pause()
      store[i] = value
    end,
    __len = function()
      log(name, "length")
      pause()
      return #store
    end,
  })
end

-- An object like that over a chain: it has one item itself, others come from a table that has one
-- itself, the rest from a proxy.
local function chain(store, pause, log)
  local rest = proxy(store, pause, log)
  local middle = setmetatable({[2] = "middle 2"}, {__index = rest, __newindex = rest})
  return setmetatable({[1] = "own 1"}, {__index = middle, __newindex = middle, __len = function()
    log("length")
    pause()
    return #store
  end}), middle
end

-- What is in tables themselves.
local function contents(...)
  local raw = {}
  for i, object in ipairs {...} do
    raw[i] = {}
    for key, value in next, object do raw[i][key] = value end
  end
  return raw
end

-- Calls by name; each takes an object of any sort.
local CALLS = {
  ["insert at the end"] = function(o) return insert(o, "new") end,
  ["insert nil"] = function(o) return insert(o, nil) end,
  ["insert at 1"] = function(o) return insert(o, 1, "new") end,
  ["insert at 3"] = function(o) return insert(o, 3, "new") end,
  ["insert at a float"] = function(o) return insert(o, 2.0, "new") end,
  ["insert at the length + 1"] = function(o) return insert(o, #o + 1, "new") end,
  ["insert too far"] = function(o) return insert(o, #o + 2, "new") end,
  ["insert at 0"] = function(o) return insert(o, 0, "new") end,
  ["insert at a text"] = function(o) return insert(o, "x", "new") end,
  ["insert nothing"] = function(o) return insert(o) end,
  ["insert too much"] = function(o) return insert(o, 1, 2, 3) end,
  ["remove the last"] = function(o) return remove(o) end,
  ["remove the first"] = function(o) return remove(o, 1) end,
  ["remove the second"] = function(o) return remove(o, 2) end,
  ["remove at the length + 1"] = function(o) return remove(o, #o + 1) end,
  ["remove too far"] = function(o) return remove(o, #o + 2) end,
  ["remove at a text"] = function(o) return remove(o, "x") end,
  ["remove from the empty"] = function(o) return remove(o, 0) end,
  ["concat"] = function(o) return concat(o) end,
  ["concat with a separator"] = function(o) return concat(o, ", ") end,
  ["concat a part"] = function(o) return concat(o, "-", 2, 4) end,
  ["concat one"] = function(o) return concat(o, "-", 2, 2) end,
  ["concat none"] = function(o) return concat(o, "-", 3, 2) end,
  ["concat too much"] = function(o) return concat(o, "-", 1, 7) end,
  ["concat with a number between"] = function(o) return concat(o, 1, 1, 3) end,
  ["concat with no separator"] = function(o) return concat(o, {}) end,
  ["concat to a text"] = function(o) return concat(o, "", 1, "x") end,
  ["concat at the end of integers"] = function(o)
    return concat(o, "", math.maxinteger, math.maxinteger)
  end,
  ["unpack"] = function(o) return unpack(o) end,
  ["unpack from 2"] = function(o) return unpack(o, 2) end,
  ["unpack a part"] = function(o) return unpack(o, -1, 3) end,
  ["unpack beyond the end"] = function(o) return unpack(o, 1, 30) end,
  ["unpack nothing"] = function(o) return unpack(o, 3, 2) end,
  ["unpack too much"] = function(o) return unpack(o, 1, 1e8) end,
  ["unpack all integers"] = function(o) return unpack(o, math.mininteger, math.maxinteger) end,
  ["unpack the last integers"] = function(o)
    return unpack(o, math.maxinteger - 1, math.maxinteger)
  end,
  ["unpack from a text"] = function(o) return unpack(o, "x") end,
  ["unpack to a text"] = function(o) return unpack(o, 1, "x") end,
  ["move up"] = function(o) return rawequal(move(o, 1, 3, 2), o) end,
  ["move down"] = function(o) return rawequal(move(o, 2, 4, 1), o) end,
  ["move away"] = function(o) return rawequal(move(o, 1, 3, 11), o) end,
  ["move nothing"] = function(o) return rawequal(move(o, 1, 0, 2), o) end,
  ["move to a table"] = function(o) return move(o, 1, 4, 3, {1, 2}) end,
  ["move from a table"] = function(o) return rawequal(move({1, 2, 3}, 1, 3, 2, o), o) end,
  ["move to the same"] = function(o) return rawequal(move(o, 1, 3, 2, o), o) end,
  ["move too much"] = function(o) return move(o, 0, math.maxinteger, 1) end,
  ["move too far"] = function(o) return move(o, 1, 3, math.maxinteger) end,
  ["move without a target"] = function(o) return move(o, 1, 2) end,
  ["move to a number"] = function(o) return move(o, 1, 2, 3, 4) end,
  ["move from a text"] = function(o) return move(o, "x", 2, 3) end,
  ["ipairs"] = function(o)
    local list = {}
    for i, value in ipairs(o) do list[#list + 1] = i .. tostring(value) end
    return list
  end,
  ["ipairs with a break"] = function(o)
    for i, value in ipairs(o) do
      if i == 3 then return value end
    end
    return "none"
  end,
}

-- Objects by name: functions that make one over, or of, the items in `store`.
local OBJECTS = {
  ["a plain table"] = function(store) return store end,
  ["an object of a class"] = function(store)
    return setmetatable(store, {__index = {method = print}})
  end,
  ["an object of a class with items"] = function(store)
    store[2] = nil
    return setmetatable(store, {__index = {"class 1", "class 2", nil, nil, nil, nil, "class 7"}})
  end,
  ["an object with a metatable"] = function(store) return setmetatable(store, {}) end,
  ["a proxy"] = proxy,
  ["a chain"] = chain,
  ["an object with __len"] = function(store, pause)
    return setmetatable(store, {__len = function()
      pause()
      return 4
    end})
  end,
  ["a table with defaults"] = function(store, pause, log)
    return setmetatable(store, {__index = function(_, i)
      log("default", i)
      pause()
      if math.type(i) == "integer" and i < 9 then return "default " .. i end
    end})
  end,
  ["a table that watches new fields"] = function(store, pause, log)
    return setmetatable(store, {__newindex = function(t, i, value)
      log("new", i, value)
      pause()
      rawset(t, i, value)
    end})
  end,
  ["an object that is not long enough"] = function(store, pause)
    return setmetatable(store, {__len = function()
      pause()
      return "long"
    end})
  end,
  ["an object that fails"] = function(_, pause)
    local function fail()
      pause()
      error("no access", 2)
    end
    return setmetatable({}, {__index = fail, __newindex = fail, __len = function() return 3 end})
  end,
  ["an object that leads nowhere"] = function()
    return setmetatable({}, {__index = 1, __newindex = 1, __len = function() return 3 end})
  end,
  ["an object with a metamethod of a wrong type"] = function()
    return setmetatable({}, {__len = 1})
  end,
  ["an endless chain"] = function()
    local o = setmetatable({}, {__len = function() return 3 end})
    getmetatable(o).__index, getmetatable(o).__newindex = o, o
    return o
  end,
  ["a number"] = function() return 1 end,
  ["a text"] = function() return "text" end,
  ["nil"] = function() return nil end,
  ["a userdata"] = function() return io.stdout end,
}

describe("The table functions in a task", function()
  for kind, make in pairs(OBJECTS) do
    for name, call in pairs(CALLS) do
      case("do as in Lua with " .. kind .. ": " .. name, function()
        for _, size in ipairs {0, 5} do
          alike(function(pause, log)
            local store = {}
            for i = 1, size do store[i] = "item " .. i end
            local o, inner = make(store, pause, log)
            local results = table.pack(pcall(call, o))
            if type(o) == "table" then return results, store, contents(o, inner) end
            return results
          end)
        end
      end)
    end
  end

  case("wait in __eq when a move may overlap", function()
    for _, same in ipairs {true, false} do
      alike(function(pause, log)
        local store = {1, 2, 3, 4, 5}
        local mt = getmetatable(proxy(store, pause, log))
        mt.__eq = function()
          log("equal")
          pause()
          return same
        end
        move(setmetatable({}, mt), 1, 3, 2, setmetatable({}, mt))
        move(setmetatable({}, mt), 1, 3, 4, setmetatable({}, mt))
        return store
      end)
    end
  end)

  case("take callable objects as metamethods where Lua does", function()
    alike(function(pause, log)
      local callable = setmetatable({}, {__call = function(_, ...)
        log(select("#", ...))
        pause()
        return 2
      end})
      local o = setmetatable({"a", "b", "c"}, {__len = callable})
      return concat(o), remove(o), unpack(o)
    end)
  end)

  case("are named in errors and tracebacks", function(t)
    for name, call in pairs {
      concat = function(o) concat(o) end,
      insert = function(o) insert(o, 1) end,
      move = function(o) move(o, 1, 2, 2) end,
      remove = function(o) remove(o) end,
      unpack = function(o) return (unpack(o)) end,
    } do
      local trace
      local function access()
        lucio.sleep(0)
        trace = trace or debug.traceback()
        return 1
      end
      call(setmetatable({}, {__index = access, __newindex = access, __len = access}))
      -- some other module may have the same function
      assert.matches("in function '[%w.]+%." .. name .. "'", trace)
    end
    local e = t.raises("bad argument #2 to 'insert' (number expected, got string)", function()
      insert({}, "x", 1)
    end)
    assert.matches("^.*stdlib_table_spec.lua:%d+: bad", e)
  end)

  case("show no frames of lucio's own in tracebacks and positions", function(t)
    local traces = {}
    local function access(list, i)
      traces[#traces + 1] = debug.traceback()
      if i == 2 then error("no second item", 2) end
      return list and 30
    end
    local o = setmetatable({}, {__index = access, __newindex = access, __len = access})
    for _, call in ipairs {
      function() move(o, 1, 9, 2) end, function() insert(o, 1, "new") end,
      function() remove(o, 2) end, function() unpack(o) end, function() concat(o) end,
      function() table.sort(o) end,
    } do
      assert.are.equal("no second item", select(2, pcall(call)))
    end
    assert.is_true(#traces > 20)
    for _, trace in ipairs(traces) do assert.not_matches("%?:", trace) end
    local e = lucio.ValueError("wrong")
    o = setmetatable({}, {__index = function() error(e) end})
    local task = lucio.create_task(function() move(o, 1, 9, 2) end)
    t.raises(lucio.ValueError, task.await, task)
    assert.matches("in metamethod 'index'\n\t%[C%]: in function '[%w.]*move'", e.traceback)
  end)

  case("take items in blocks, suspended within them", function()
    for count = 1, 26 do
      alike(function(pause, log)
        local o = proxy({}, pause, log)
        for i = 1, count do o[i] = "item " .. i end
        return unpack(o)
      end)
    end
  end)

  case("concat within an __index of concat, with texts of any size", function()
    alike(function(pause)
      local function list(depth, size)
        return setmetatable({}, {__len = function() return 5 end, __index = function(_, i)
          pause()
          if depth == 0 then return ("x"):rep(size * i) end
          return concat(list(depth - 1, size), "<" .. depth .. ">") .. i
        end})
      end
      return concat(list(2, 1)), concat(list(1, 400), ","), concat(list(2, 0), ""),
        concat(list(0, 3), 12)
    end)
  end)

  case("leave what is neither a function nor a table to the original", function()
    for _, odd in ipairs(small({1, true, "text", io.stdout}, {"text"})) do
      for _, name in ipairs {"__index", "__newindex"} do
        for _, call in pairs(CALLS) do
          alike(function(_, log)
            local store = {"a", "b", "c"}
            local o = proxy(store, function() end, log)
            getmetatable(o)[name] = odd
            local ok, e = pcall(call, o)
            return ok, type(e) == "string" and e or nil, store
          end)
        end
      end
    end
  end)

  case("can be left by a cancellation in a metamethod", function(t)
    local o = setmetatable({}, {__index = function() lucio.sleep(10) end, __len = function()
      return 3
    end})
    for _, fn in ipairs {concat, unpack} do
      local task = lucio.create_task(fn, o)
      lucio.sleep(0)
      task:cancel()
      t.raises(lucio.CancelledError, task.await, task)
    end
  end)

  case("notice that a metamethod goes away", function()
    alike(function(pause)
      local mt = {}
      function mt.__index(_, i)
        pause()
        if i == 2 then mt.__index = nil end
        return i
      end
      return unpack(setmetatable({}, mt), 1, 4)
    end)
  end)

  case("are no part of the way of an await that cannot be", function(t)
    local queue = lucio.PriorityQueue(0, function()
      return concat(setmetatable({}, {__index = function() lucio.sleep(0) end}), "", 1, 1) == ""
    end)
    queue:put_nowait(1)
    local e = t.raises(lucio.RuntimeError, function() queue:put_nowait(2) end)
    assert.matches("across the C function 'put_nowait'", tostring(e))
  end)
end)

describe("ipairs in a task", function()
  case("waits in __index", function(t)
    local pages = setmetatable({}, {__index = function(_, i)
      lucio.sleep(0)
      if i <= 3 then return "page " .. i end
    end})
    for i, page in ipairs(pages) do t.log(i, page, t.tick()) end
    t.log(t.tick())
    t.same_lines {"1 page 1 1", "2 page 2 2", "3 page 3 3", "4"}
  end)

  case("gives one iterator for all", function()
    assert.are.equal(ipairs {}, (ipairs(setmetatable({}, {__index = print}))))
  end)

  case("takes its arguments as Lua's own does", function()
    alike(function() return ipairs() end)
    for _, value in ipairs {1, true, "text", print, io.stdout} do
      alike(function() for i in ipairs(value) do error(i) end end)
    end
    alike(function() for i in ipairs(nil) do error(i) end end)
    alike(function() return ipairs {}({}, "x") end)
    alike(function() return ipairs {}({"a"}, "0") end)
    alike(function() return ipairs {}({[math.mininteger] = "a"}, math.maxinteger) end)
    alike(function() return select("#", ipairs {}({}, 0)), ipairs {}({}) end)
  end)
end)
