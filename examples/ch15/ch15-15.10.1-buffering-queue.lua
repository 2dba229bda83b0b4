-- A consumer that collects items and handles them five at a time. Instead of an end marker the
-- producer shuts the queue down: the consumer's loop takes what is left and ends.
-- In asyncio: Queue, Queue.shutdown, gather.
local lucio = require "lucio"

local function show(list)
  return "[" .. table.concat(list, ", ") .. "]"
end

local producer = lucio.async(function(queue)
  for i = 0, 19 do
    lucio.sleep(0.05)
    queue:put(i)
    print("Произведено: " .. i)
  end
  queue:shutdown()
end)

local consumer = lucio.async(function(queue)
  local buffer = {}
  for _, item in queue:items() do
    table.insert(buffer, item)
    if #buffer == 5 then
      print("Обработка буфера: " .. show(buffer))
      buffer = {}
    end
  end
  if #buffer > 0 then
    print("Обработка остатка буфера: " .. show(buffer))
  end
end)

local function main()
  local queue = lucio.Queue()
  lucio.gather(producer(queue), consumer(queue))
end

lucio.run(main)
