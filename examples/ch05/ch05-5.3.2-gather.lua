-- gather runs what it is given as tasks and waits for all of them. A plain function is an
-- awaitable, so it is passed as it is. In asyncio: gather.
local lucio = require "lucio"

local function task1()
  lucio.sleep(1)
  print("Задача 1 завершена")
end

local function task2()
  lucio.sleep(2)
  print("Задача 2 завершена")
end

local function main()
  lucio.gather(task1, task2)
  print("Все задачи завершены")
end

lucio.run(main)
