-- With return_exceptions gather waits for all and puts errors into the list of results; an error
-- object is told from a result by its class. In asyncio: gather(return_exceptions=True).
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
  local results = lucio.gather{
    task_success("A", 1),
    task_failure("B", 2),
    task_success("C", 3),
    return_exceptions = true,
  }

  for i = 1, results.n do
    local result = results[i]
    if lucio.isinstance(result, lucio.Exception) then
      print(("Задача %d завершилась с исключением: %s"):format(i, result))
    else
      print(("Задача %d вернула результат: %s"):format(i, result))
    end
  end
end

lucio.run(main)
