-- Computing in a task is no way to make it faster: two tasks take the sum of their times, and
-- whatever else the loop has to do stands still. Offering a turn after every piece (sleep(0)) keeps
-- the loop alive, at the same total. (Real parallelism needs a process or thread pool.)
-- In asyncio: create_task, sleep(0).
local lucio = require "lucio"

local PIECES, PIECE = 5, 200000

local ticks, first, last

local function ticker()
  while true do
    ticks = ticks + 1
    lucio.sleep(0)
  end
end

local compute = lucio.async(function(name, polite)
  local sum = 0
  first = first or ticks
  print(name .. ": начало")
  for piece = 1, PIECES do
    for i = (piece - 1) * PIECE + 1, piece * PIECE do sum = sum + i end
    if polite then lucio.sleep(0) end
  end
  last = ticks
  print(("%s: конец, сумма %d"):format(name, sum))
end)

local function run(polite)
  ticks, first, last = 0, nil, nil
  local beat = lucio.create_task(ticker)
  lucio.gather(compute("А", polite), compute("Б", polite))
  print("Тиков за время счёта: " .. last - first)
  beat:cancel()
end

local function main()
  print("Без точек остановки:")
  run(false)
  print("С точкой остановки после каждой порции:")
  run(true)
end

lucio.run(main)
