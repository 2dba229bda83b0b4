-- Pitfall: a long calculation in one piece lets nobody else run. Cut into chunks with sleep(0)
-- after each, it gives every other task a turn of the loop per chunk.
-- In asyncio: sleep(0), cooperative scheduling.
local lucio = require "lucio"

local CHUNK = 100

local ticks = 0

local function ticker()
  while true do
    ticks = ticks + 1
    lucio.sleep(0)
  end
end

local function complex_cpu_operation(item)
  return item * item
end

local function process_large_data(data)
  local processed = {}
  for i, item in ipairs(data) do
    processed[i] = complex_cpu_operation(item)
  end
  print(("one piece: %d items, other task ran %d times"):format(#processed, ticks))

  processed = {}
  for i, item in ipairs(data) do
    processed[i] = complex_cpu_operation(item)
    if i % CHUNK == 0 then lucio.sleep(0) end
  end
  print(("in chunks: %d items, other task ran %d times"):format(#processed, ticks))
end

local function main()
  local task = lucio.create_task(ticker)
  local data = {}
  for i = 1, 1000 do data[i] = i - 1 end
  process_large_data(data)
  task:cancel()
end

lucio.run(main)
