-- After the first error of gather the other tasks are still running. Whoever keeps them can wait
-- for them to the end, or cancel them and wait until they are gone; a TaskGroup would do the latter
-- by itself. In asyncio: gather, Task.done, Task.cancel, gather(return_exceptions=True).
local lucio = require "lucio"

local function work(name, delay, fail)
  lucio.sleep(delay)
  if fail then error(lucio.ValueError("Ошибка в задаче " .. name)) end
  print(("Задача %s завершена."):format(name))
  return "Результат " .. name
end

local function start()
  return {
    lucio.create_task(work, "A", 1),
    lucio.create_task(work, "B", 2, true),
    lucio.create_task(work, "C", 3),
    lucio.create_task(work, "D", 4),
  }
end

local function fail(tasks)
  local ok, err = lucio.pcall(lucio.gather, tasks)
  assert(not ok)
  print("gather: " .. tostring(err))
  local left = {}
  for _, task in ipairs(tasks) do
    if not task:done() then table.insert(left, task) end
  end
  print("Ещё выполняются: " .. #left)
  return left
end

local function main()
  print("Дождаться остальных:")
  local results = lucio.gather(fail(start()))
  print(table.concat(results, ", "))

  print("Отменить остальные:")
  local left = fail(start())
  for _, task in ipairs(left) do task:cancel() end
  left.return_exceptions = true
  for _, err in ipairs(lucio.gather(left)) do
    print(err.name)
  end
end

lucio.run(main)
