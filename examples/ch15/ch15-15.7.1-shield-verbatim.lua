-- The book's program as printed, which ends at its first statement: asyncio's create_task accepts
-- coroutines alone and refuses the future that shield made. lucio's create_task takes any
-- awaitable, so asyncio's rule is written out here. shield has scheduled the critical task by then;
-- the end of lucio.run cancels it at its first suspension. The script ends with status 1.
-- In asyncio: shield, create_task, TypeError.
local lucio = require "lucio"

local function create_task(coro)
  if not lucio.iscoroutine(coro) then
    error(lucio.TypeError("a coroutine was expected, got " .. tostring(coro)))
  end
  return lucio.create_task(coro)
end

local critical_task = lucio.async(function()
  print("Критическая задача началась.")
  local ok, err = pcall(lucio.sleep, 5)
  if not ok then
    print("Критическая задача была отменена.")
    error(err, 0)
  end
  print("Критическая задача завершена.")
  return "Критический результат"
end)

local regular_task = lucio.async(function(delay)
  lucio.sleep(delay)
  print("Обычная задача завершена.")
  return "Обычный результат"
end)

local function main()
  local critical = create_task(lucio.shield(critical_task()))
  local regular = create_task(regular_task(2))

  lucio.sleep(1)
  print("Отмена основных задач.")
  regular:cancel()

  local ok, err = lucio.pcall(lucio.gather, critical, regular)
  if not ok then
    print("Исключение при сборе результатов: " .. tostring(err))
  end

  print("Основной цикл завершен.")
end

lucio.run(main)
