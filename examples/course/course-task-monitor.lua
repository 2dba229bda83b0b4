-- A monitor keeps the set of tasks that are still active: a done callback takes each one out as
-- it ends, whatever its outcome. Callbacks run before gather returns, so nothing is active by
-- then.
-- In asyncio: create_task, add_done_callback, gather(return_exceptions=True).
local lucio = require "lucio"

local TaskMonitor = {}
TaskMonitor.__index = TaskMonitor

local function new_monitor()
  return setmetatable({tasks = {}}, TaskMonitor)
end

function TaskMonitor:register_task(task)
  self.tasks[task] = true
  task:add_done_callback(function(finished) self.tasks[finished] = nil end)
end

function TaskMonitor:count_active()
  local n = 0
  for _ in pairs(self.tasks) do n = n + 1 end
  return n
end

local function monitored_task(name)
  lucio.sleep(1)
  if name == "faulty" then
    error(lucio.ValueError("Demonstrating exception"))
  end
  return "Result from " .. name
end

local function demo_monitor()
  local monitor = new_monitor()
  local tasks = {return_exceptions = true}
  for i, name in ipairs{"task1", "task2", "faulty"} do
    tasks[i] = lucio.create_task(monitored_task, name)
    monitor:register_task(tasks[i])
  end
  print("Active tasks: " .. monitor:count_active())

  -- Wait for all of them, the failing one too.
  local results = lucio.gather(tasks)
  print("All tasks completed, remaining active: " .. monitor:count_active())
  for i, result in ipairs(results) do
    if lucio.isinstance(result, lucio.Exception) then
      print(("Task %d failed: %s"):format(i - 1, result))
    else
      print(("Task %d result: %s"):format(i - 1, result))
    end
  end
end

lucio.run(demo_monitor)
