-- as_completed gives one finished awaitable after the other. What was passed as a coroutine or a
-- function comes back as a new task, so the iterator does not tell which one it was; what was
-- passed as a task comes back as that very task and can be looked up. In asyncio: as_completed.
local lucio = require "lucio"

local fetch = lucio.async(function(delay)
  lucio.sleep(delay)
  return delay * 10
end)

local function main()
  print("Сопрограммы: кто закончил, не видно")
  local coroutines = {fetch(3), fetch(1), fetch(2)}
  for task in lucio.as_completed(coroutines) do
    local known = false
    for _, c in ipairs(coroutines) do known = known or task == c end
    print(("  результат %d, из списка: %s"):format(task:await(), known))
  end

  print("Задачи: видно")
  local names, tasks = {}, {}
  for i, delay in ipairs{3, 1, 2} do
    tasks[i] = lucio.create_task(fetch(delay))
    names[tasks[i]] = "задача " .. i
  end
  for task in lucio.as_completed(tasks) do
    print(("  %s: результат %d"):format(names[task], task:await()))
  end
end

lucio.run(main)
