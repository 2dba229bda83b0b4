--- What does it cost that a comparator may wait? One operation: one comparison in sorting 1000
-- random numbers: `sort_own` by Lua's own table.sort, `sort` in a task where nothing waits,
-- `sort_wait` where every comparison waits for one turn. `concat`, `insert` and `ipairs` are other
-- functions with variants, called for an object of a class. `sort_lt` sorts objects with an __lt
-- that does not wait; what ends with `_proxy` is called for a list of ten items with such an
-- __index, __newindex and __len. Lua's own functions are those from before lucio is loaded; in
-- the command they are what runs outside of tasks.
local function functions_now()
  return {sort = table.sort, concat = table.concat, insert = table.insert, move = table.move,
    remove = table.remove, unpack = table.unpack, ipairs = ipairs}
end

local own = functions_now()

local lucio = require "lucio"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local ITEMS = 1000
local TIMES = 20

local numbers, comparisons = {}, 0
math.randomseed(1)
for i = 1, ITEMS do
  numbers[i] = math.random(1 << 30)
end
table.sort(table.move(numbers, 1, ITEMS, 1, {}), function(a, b)
  comparisons = comparisons + 1
  return a < b
end)

local function less(a, b)
  return a < b
end

local function less_later(a, b)
  lucio.sleep(0)
  return a < b
end

local function sort(functions, times, order)
  local list = {}
  for _ = 1, times do
    table.move(numbers, 1, ITEMS, 1, list)
    functions.sort(list, order)
  end
end

local Class = {}
Class.__index = Class

local function new()
  local object = setmetatable({}, Class)
  for i = 1, 10 do
    object[i] = "item"
  end
  return object
end

local function new_proxy()
  local items = {}
  for i = 1, 10 do items[i] = "item" end
  return setmetatable({}, {
    __index = function(_, i) return items[i] end,
    __newindex = function(_, i, item) items[i] = item end,
    __len = function() return #items end,
  })
end

local Number = {__lt = function(a, b) return a.value < b.value end}
local objects = {}
for i, number in ipairs(numbers) do
  objects[i] = setmetatable({value = number}, Number)
end

local CALLS = {
  concat = function(functions, object)
    local concat = functions.concat
    for _ = 1, ITEMS do concat(object) end
  end,
  insert = function(functions, object)
    local insert, remove = functions.insert, functions.remove
    for _ = 1, ITEMS do
      insert(object, "item")
      remove(object)
    end
  end,
  ipairs = function(functions, object)
    local sum = 0
    for _ = 1, ITEMS do
      for i in functions.ipairs(object) do sum = sum + i end
    end
    assert(sum == 55 * ITEMS)
  end,
}

local PROXY_CALLS = {
  sort = function(functions, list)
    local order = function(a, b) return a < b end
    for _ = 1, ITEMS // 10 do functions.sort(list, order) end
  end,
  concat = function(functions, list)
    for _ = 1, ITEMS do functions.concat(list, ", ") end
  end,
  unpack = function(functions, list)
    for _ = 1, ITEMS do functions.unpack(list) end
  end,
  ipairs = CALLS.ipairs,
  insert = function(functions, list)
    for _ = 1, ITEMS do
      functions.insert(list, 1, "item")
      functions.remove(list, 1)
    end
  end,
  append = function(functions, list)
    for _ = 1, ITEMS do
      functions.insert(list, "item")
      functions.remove(list)
    end
  end,
  move = function(functions, list)
    for _ = 1, ITEMS do functions.move(list, 1, 9, 2) end
  end,
}

local function all(suffix, functions)
  measure.repeated("sort" .. suffix, comparisons * TIMES, function()
    sort(functions, TIMES, less)
  end)
  for _, name in ipairs {"concat", "insert", "ipairs"} do
    local object = new()
    measure.repeated(name .. suffix, ITEMS * TIMES, function()
      for _ = 1, TIMES do CALLS[name](functions, object) end
    end)
  end
  measure.repeated("sort_lt" .. suffix, comparisons, function()
    functions.sort(table.move(objects, 1, ITEMS, 1, {}))
  end)
  for _, name in ipairs {"sort", "concat", "unpack", "ipairs", "insert", "append", "move"} do
    local list = new_proxy()
    measure.repeated(name .. "_proxy" .. suffix, ITEMS, function()
      PROXY_CALLS[name](functions, list)
    end)
  end
end

lucio.run(function()
  local now = functions_now()
  local done = lucio.Future()
  lucio.get_running_loop():call_soon(function()
    all("_own", own)
    done:set_result(true)
  end)
  done:await()
  all("", now)
  measure.repeated("sort_wait", comparisons, function() sort(now, 1, less_later) end)
end)
