-- Structured concurrency: a block with a TaskGroup ends only when every task of the group has
-- ended, those included that were added by other tasks of the group. The first failure cancels
-- the rest, whose clean-up still runs, and leaves the block as one ExceptionGroup. The function
-- form, lucio.with, can moreover be ended without an error by tg:cancel.
-- In asyncio: async with TaskGroup() as tg, tg.create_task, except*.
local lucio = require "lucio"

local function worker(name, delay)
  print(name .. ": начало")
  local ok, err = pcall(lucio.sleep, delay)
  if not ok then
    print(name .. ": отмена")
    error(err, 0)
  end
  print(name .. ": конец")
  return delay
end

local function failing(name, delay)
  lucio.sleep(delay)
  print(name .. ": ошибка")
  error(lucio.ValueError("сбой в задаче " .. name))
end

local function all_succeed()
  local a, b
  do
    local tg <close> = lucio.TaskGroup()
    a = tg:create_task(worker, "А", 2)
    b = tg:create_task(worker, "Б", 1)
    tg:create_task(function()
      lucio.sleep(0.5)
      tg:create_task(worker, "В", 2) -- the group takes new tasks while it waits
    end)
    print("тело блока закончилось")
  end
  print(("все задачи закончились, сумма %d"):format(a:result() + b:result()))
end

local function one_fails()
  local ok, err = lucio.pcall(function()
    local tg <close> = lucio.TaskGroup()
    tg:create_task(worker, "А", 2)
    tg:create_task(failing, "Б", 1)
    tg:create_task(worker, "В", 0.5)
    lucio.sleep(10)
    print("сюда программа не доходит")
  end)
  assert(not ok)
  print("группа: " .. tostring(err))
  for _, cause in ipairs(err.exceptions) do
    print(("  %s: %s"):format(cause.name, cause))
  end
end

local function first_answer_wins()
  local answer
  lucio.with(lucio.TaskGroup(), function(tg)
    tg:create_task(worker, "А", 3)
    tg:create_task(function()
      answer = worker("Б", 1)
      tg:cancel()
    end)
    lucio.sleep(10) -- the body is cancelled, too
  end)
  print("первый ответ: " .. answer)
end

local function main()
  local loop = lucio.get_running_loop()
  for _, step in ipairs{all_succeed, one_fails, first_answer_wins} do
    local start = loop:time()
    step()
    print(("прошло %.1f с\n"):format(loop:time() - start))
  end
end

lucio.run(main)
