-- The first error ends gather and is raised to its caller; the other tasks are not cancelled by it.
-- C is cancelled by the end of lucio.run, one second before it would have finished.
-- In asyncio: gather(return_exceptions=False), try/except/else.
local lucio = require "lucio"

local task_success = lucio.async(function(name, delay)
  lucio.sleep(delay)
  print(("Задача %s успешно завершена."):format(name))
  return "Результат " .. name
end)

local task_failure = lucio.async(function(name, delay)
  lucio.sleep(delay)
  print(("Задача %s завершилась с ошибкой."):format(name))
  error(lucio.ValueError("Ошибка в задаче " .. name))
end)

local function main()
  local ok, results = lucio.pcall(lucio.gather,
    task_success("A", 1),
    task_failure("B", 2),
    task_success("C", 3))

  if ok then
    print("Результаты: " .. table.concat(results, ", "))
  else
    print("Обнаружено исключение: " .. tostring(results))
  end
end

lucio.run(main)
