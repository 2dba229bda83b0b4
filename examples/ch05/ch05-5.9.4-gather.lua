-- Best practice: what is independent runs under one gather, 2 seconds instead of 3.
-- In asyncio: gather.
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
