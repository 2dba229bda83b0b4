-- What shield is for: the neighbour is cancelled and takes gather with it, the critical task runs
-- on and its result is fetched afterwards. Lua's own pcall is used on purpose: it catches
-- CancelledError as well. In asyncio: shield, Task.cancel, gather, CancelledError.
local lucio = require "lucio"

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

local function regular_task(delay)
  lucio.sleep(delay)
  print("Обычная задача завершена.")
  return "Обычный результат"
end

local function main()
  local critical = lucio.shield(critical_task())
  local regular = lucio.create_task(regular_task, 2)

  lucio.sleep(1)
  print("Отмена основных задач.")
  regular:cancel()

  local ok, err = pcall(lucio.gather, critical, regular)
  if not ok then
    print(("Исключение при сборе результатов: %s(%s)"):format(err.name, err))
    print(critical:await())
  end

  print("Основной цикл завершен.")
end

lucio.run(main)
