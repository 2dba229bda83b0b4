-- Producer and consumer, joined by a queue. A lucio queue carries any value, nil too, so nil can be
-- the end marker that None is in the book (ch15-15.10.1-buffering-queue ends by shutdown instead).
-- In asyncio: Queue.put, Queue.get, gather.
local lucio = require "lucio"

local producer = lucio.async(function(queue, n)
  for i = 0, n - 1 do
    local item = "item_" .. i
    queue:put(item)
    print("Производитель добавил: " .. item)
    lucio.sleep(1)
  end
  queue:put(nil) -- the end marker
end)

local consumer = lucio.async(function(queue)
  while true do
    local item = queue:get()
    if item == nil then break end
    print("Потребитель обработал: " .. item)
    lucio.sleep(2)
  end
  print("Потребитель завершил работу")
end)

local function main()
  local queue = lucio.Queue()
  lucio.gather(producer(queue, 5), consumer(queue))
end

lucio.run(main)
