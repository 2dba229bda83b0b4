-- Two tasks run side by side: 2 seconds in all, not 3. create_task only schedules; the new task has
-- its first step when its creator suspends, so "Задачи созданы" comes first.
-- In asyncio: create_task, await task.
local lucio = require "lucio"

local function say_after(delay, message)
  lucio.sleep(delay)
  print(message)
end

local function main()
  local task1 = lucio.create_task(say_after, 1, "Задача 1 завершена")
  local task2 = lucio.create_task(say_after, 2, "Задача 2 завершена")

  print("Задачи созданы")
  task1:await()
  task2:await()
  print("Все задачи завершены")
end

lucio.run(main)
