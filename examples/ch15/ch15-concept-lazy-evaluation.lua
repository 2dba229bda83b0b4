-- A lazy pipeline: every stage is a generator that asks the one before it only when it is asked.
-- Five results cost exactly the readings that led to them, and a long stream is summed up in
-- constant memory. The stages are plain coroutine.wrap generators that wait in their bodies.
-- In asyncio: async generators in a chain, async for, break.
local lucio = require "lucio"

local produced = 0

local function readings(n, pause)
  return coroutine.wrap(function()
    for i = 1, n do
      if pause then lucio.sleep(pause) end
      produced = produced + 1
      coroutine.yield(i)
    end
  end)
end

local function map(fn, source)
  return coroutine.wrap(function()
    for value in source do coroutine.yield(fn(value)) end
  end)
end

local function filter(pred, source)
  return coroutine.wrap(function()
    for value in source do
      if pred(value) then coroutine.yield(value) end
    end
  end)
end

local function take(n, source)
  return coroutine.wrap(function()
    for _ = 1, n do coroutine.yield((source())) end
  end)
end

local function square(x) return x * x end
local function even(x) return x % 2 == 0 end

local function main()
  local pipeline = take(5, filter(even, map(square, readings(1000000, 0.1))))
  print("Конвейер собран, прочитано: " .. produced)
  for value in pipeline do
    print(("Получено %d, прочитано %d"):format(value, produced))
  end

  collectgarbage()
  local before = collectgarbage("count")
  local count, peak = 0, 0
  for _ in filter(even, map(square, readings(100000))) do
    count = count + 1
    if count % 1000 == 0 then
      collectgarbage()
      peak = math.max(peak, collectgarbage("count") - before)
      lucio.sleep(0) -- a long stream lets the others run
    end
  end
  print(("Обработано %d, память постоянна: %s"):format(count, peak < 64))
end

lucio.run(main)
