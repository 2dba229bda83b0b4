-- What shield does not do. A cancelled task ends gather with CancelledError, which is no Exception:
-- lucio.pcall lets it through, main ends, and the end of lucio.run cancels the shielded task
-- itself. The script ends with status 1. ch15-15.7.1-shield-intent shows what shield is for.
-- In asyncio: shield, Task.cancel, gather, CancelledError.
local lucio = require "lucio"

local critical_task = lucio.async(function()
  print("Критическая задача началась.")
  local ok, err = pcall(lucio.sleep, 5)
  if not ok then -- Lua's own pcall catches a cancellation: raise it again
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

  local ok, err = lucio.pcall(lucio.gather, critical, regular)
  if not ok then
    print("Исключение при сборе результатов: " .. tostring(err))
  end

  print("Основной цикл завершен.")
end

lucio.run(main)
