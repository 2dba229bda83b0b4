-- The same items through three queues: in order of arrival, by priority, last in first out. The
-- items of a priority queue are compared with <; a table by its first field, then by the next, as
-- tuples are in Python. With a comparison of one's own only the priority counts, and items of the
-- same priority come out in the order in which they went in.
-- In asyncio: Queue, PriorityQueue, LifoQueue.
local lucio = require "lucio"

local JOBS = {
  {3, "отчёт"},
  {1, "тревога"},
  {2, "письмо"},
  {1, "авария"},
  {2, "заказ"},
}

local function drain(title, queue)
  for _, job in ipairs(JOBS) do queue:put(job) end
  queue:shutdown()
  local order = {}
  for _, job in queue:items() do
    table.insert(order, ("%d %s"):format(job[1], job[2]))
  end
  print(("%s: %s"):format(title, table.concat(order, ", ")))
end

local function main()
  drain("Queue", lucio.Queue())
  drain("PriorityQueue", lucio.PriorityQueue())
  drain("PriorityQueue, только приоритет",
    lucio.PriorityQueue(0, function(a, b) return a[1] < b[1] end))
  drain("LifoQueue", lucio.LifoQueue())

  -- An urgent item overtakes the others while the worker is busy.
  local queue = lucio.PriorityQueue()
  local worker = lucio.create_task(function()
    for _, job in queue:items() do
      print("выполняется: " .. job[2])
      lucio.sleep(1)
    end
  end)
  queue:put{2, "обычная работа 1"}
  queue:put{2, "обычная работа 2"}
  queue:put{2, "обычная работа 3"}
  lucio.sleep(1.5)
  queue:put{1, "срочная работа"}
  queue:shutdown()
  worker:await()
end

lucio.run(main)
