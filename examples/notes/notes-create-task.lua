-- create_task returns at once with the task still unstarted: its creator goes on until it suspends
-- itself. Waiting for the task gives what the function returned, all of it.
-- In asyncio: create_task, Task.done, await task.
local lucio = require "lucio"

local function divide(a, b)
  print("  задача началась")
  lucio.sleep(1)
  print("  задача закончилась")
  return a // b, a % b
end

local function main()
  print("Создаю задачу")
  local task = lucio.create_task{divide, 17, 5, name = "деление"}
  print(("Создана «%s», готова: %s"):format(task:get_name(), task:done()))
  print("Иду дальше, задача ещё не начиналась")
  lucio.sleep(0.5)
  print("Задача идёт, готова: " .. tostring(task:done()))
  local quotient, rest = task:await()
  print(("Результат: %d, остаток %d"):format(quotient, rest))
end

lucio.run(main)
