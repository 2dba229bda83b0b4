-- Three producers and two consumers share one bounded queue without any lock: between two
-- suspensions nobody else runs, so every item is handled exactly once. join waits until all of them
-- are; shutdown then ends the consumers' loops.
-- In asyncio: Queue, task_done, join, shutdown, gather.
local lucio = require "lucio"

local PRODUCERS, CONSUMERS, ITEMS = 3, 2, 4

local handled = {} -- item -> how often
local by_consumer = {}

local producer = lucio.async(function(queue, id)
  for i = 1, ITEMS do
    lucio.sleep(0.10 * id)
    queue:put(("П%d-%d"):format(id, i)) -- waits while the queue is full
  end
end)

local function consumer(queue, id)
  by_consumer[id] = 0
  for _, item in queue:items() do
    lucio.sleep(0.07)
    handled[item] = (handled[item] or 0) + 1
    by_consumer[id] = by_consumer[id] + 1
    queue:task_done()
  end
end

local function main()
  local queue = lucio.Queue(2)
  local consumers = {}
  for id = 1, CONSUMERS do
    consumers[id] = lucio.create_task(consumer, queue, id)
  end

  local producers = {}
  for id = 1, PRODUCERS do
    producers[id] = producer(queue, id)
  end
  lucio.gather(producers)
  print("Производители закончили")

  queue:join()
  queue:shutdown()
  lucio.gather(consumers)

  for id = 1, PRODUCERS do
    local line = {}
    for i = 1, ITEMS do
      local item = ("П%d-%d"):format(id, i)
      line[i] = ("%s: %d раз"):format(item, handled[item])
    end
    print(table.concat(line, ", "))
  end
  local total = 0
  for id = 1, CONSUMERS do
    assert(by_consumer[id] > 0, "an idle consumer")
    total = total + by_consumer[id]
  end
  print(("Обработано %d из %d, работали все потребители: %d"):format(
    total, PRODUCERS * ITEMS, CONSUMERS))
end

lucio.run(main)
