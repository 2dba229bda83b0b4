--- What does it cost that a comparator may wait? One operation: one comparison in sorting 1000
-- random numbers: `sort_own` by Lua's own table.sort, `sort` in a task where nothing waits,
-- `sort_wait` where every comparison waits for one turn. `concat`, `insert` and `ipairs` are other
-- functions with variants, called for an object of a class. Lua's own functions are those from
-- before lucio is loaded; in the command they are what runs outside of tasks.
local own = {sort = table.sort, concat = table.concat, insert = table.insert,
  remove = table.remove, ipairs = ipairs}

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
end

lucio.run(function()
  local now = {sort = table.sort, concat = table.concat, insert = table.insert,
    remove = table.remove, ipairs = ipairs}
  local done = lucio.Future()
  lucio.get_running_loop():call_soon(function()
    all("_own", own)
    done:set_result(true)
  end)
  done:await()
  all("", now)
  measure.repeated("sort_wait", comparisons, function() sort(now, 1, less_later) end)
end)
