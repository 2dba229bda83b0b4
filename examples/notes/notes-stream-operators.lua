-- Operators over asynchronous iterators. A source is anything that a for can call: here
-- generators that wait between their values. map, filter and chunk ask the source before them for
-- one value at a time; zip asks all of its sources at once, so it is as slow as the slowest of
-- them and not as their sum; merge gives the values of several sources in order of arrival, and
-- its closing value stops the sources when the loop is left early.
-- In asyncio: async generators, async for, the operators of aiostream.
local lucio = require "lucio"

local function source(name, n, pause)
  return coroutine.wrap(function()
    for i = 1, n do
      lucio.sleep(pause)
      coroutine.yield(name .. i)
    end
  end)
end

local function range(n)
  return coroutine.wrap(function()
    for i = 1, n do coroutine.yield(i) end
  end)
end

local function map(fn, items)
  return coroutine.wrap(function()
    for item in items do coroutine.yield(fn(item)) end
  end)
end

local function filter(pred, items)
  return coroutine.wrap(function()
    for item in items do
      if pred(item) then coroutine.yield(item) end
    end
  end)
end

local function chunk(n, items)
  return coroutine.wrap(function()
    local list = {}
    for item in items do
      table.insert(list, item)
      if #list == n then
        coroutine.yield(list)
        list = {}
      end
    end
    if #list > 0 then coroutine.yield(list) end
  end)
end

-- A generator is a plain function, so gather can await its next value.
local function zip(...)
  local sources = {...}
  return coroutine.wrap(function()
    while true do
      local items = lucio.gather(table.unpack(sources))
      for i = 1, items.n do
        if items[i] == nil then return end
      end
      coroutine.yield(items)
    end
  end)
end

local function merge(...)
  local queue, pumps = lucio.Queue(1), {}
  local running = select("#", ...)
  for i, items in ipairs{...} do
    pumps[i] = lucio.create_task(function()
      for item in items do queue:put(item) end
      running = running - 1
      if running == 0 then queue:shutdown() end
    end)
  end
  local stop = setmetatable({}, {
    __close = function()
      for _, pump in ipairs(pumps) do pump:cancel() end
      lucio.wait(pumps)
    end,
  })
  local merged = coroutine.wrap(function()
    for _, item in queue:items() do coroutine.yield(item) end
  end)
  return merged, nil, nil, stop
end

local function show(list) return "[" .. table.concat(list, ", ") .. "]" end

local function main()
  local loop = lucio.get_running_loop()
  local start = loop:time()
  local function report(text) print(("%.1f с: %s"):format(loop:time() - start, text)) end

  print("map, filter, chunk")
  local squares = map(function(x) return x * x end, range(10))
  local even = filter(function(x) return x % 2 == 0 end, squares)
  for list in chunk(3, even) do report(show(list)) end

  print("zip")
  start = loop:time()
  for pair in zip(source("А", 5, 1), source("Б", 3, 2)) do report(show(pair)) end

  print("merge")
  start = loop:time()
  for item in merge(source("А", 3, 1), source("Б", 2, 1.4)) do report(item) end

  print("merge, выход из цикла")
  start = loop:time()
  for item in merge(source("А", 100, 1), source("Б", 100, 1.4)) do
    report(item)
    if item == "А2" then break end
  end
  report("осталось задач: " .. #lucio.all_tasks())
end

lucio.run(main)
