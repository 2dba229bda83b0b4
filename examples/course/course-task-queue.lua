-- Ten tasks in a queue and three workers that take them in order. join waits until every task is
-- marked as done; then one nil for each worker ends it: nil is an ordinary item of a lucio queue.
-- How long a task takes is random, so which worker gets which task is random, too.
-- In asyncio: Queue, task_done, join, create_task, gather.
local lucio = require "lucio"

local function worker(name, queue)
  while true do
    local task = queue:get()
    if task == nil then -- the sign to end
      print(("Worker %s shutting down"):format(name))
      queue:task_done()
      break
    end
    print(("Worker %s processing task: %s"):format(name, task))
    lucio.sleep(0.1 + 0.4 * math.random()) -- stands for the work
    queue:task_done()
  end
end

local function main()
  local task_queue = lucio.Queue()
  for i = 0, 9 do
    task_queue:put("Task-" .. i)
  end

  local workers = {}
  for i = 1, 3 do
    workers[i] = lucio.create_task(worker, "Worker-" .. i - 1, task_queue)
  end
  task_queue:join()

  for _ = 1, #workers do
    task_queue:put(nil)
  end
  lucio.gather(workers)
end

lucio.run(main)
