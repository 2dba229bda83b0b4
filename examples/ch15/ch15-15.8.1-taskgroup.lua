-- A task group owns its tasks: leaving its block waits for all of them, and the first failure
-- cancels the rest (C prints nothing). The error is an ExceptionGroup, even for one; its text names
-- the group, the errors are in err.exceptions. In asyncio: TaskGroup, ExceptionGroup.
local lucio = require "lucio"

local function task(name, delay, fail)
  lucio.sleep(delay)
  if fail then
    print(("Задача %s завершилась с ошибкой."):format(name))
    error(lucio.ValueError("Ошибка в задаче " .. name))
  end
  print(("Задача %s успешно завершена."):format(name))
  return "Результат " .. name
end

local function main()
  do
    local tg <close> = lucio.TaskGroup()
    tg:create_task(task, "A", 1)
    tg:create_task(task, "B", 2, true)
    tg:create_task(task, "C", 3)
  end
  print("Все задачи обработаны.")
end

local ok, err = lucio.pcall(lucio.run, main)
if not ok then
  print("Исключение в TaskGroup: " .. tostring(err))
end
