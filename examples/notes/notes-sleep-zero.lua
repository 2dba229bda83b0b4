-- create_task only queues a task: it starts when its creator waits for the first time. sleep(0)
-- waits for exactly one iteration of the loop, so it starts the new tasks at once, and gives
-- every ready task one turn.
-- In asyncio: create_task, sleep(0).
local lucio = require "lucio"

local function delay(name)
  print("  " .. name .. ": начало")
  lucio.sleep(1)
  print("  " .. name .. ": конец")
end

local function calculate()
  print("  долгое вычисление без ожиданий")
end

local function without_sleep_zero()
  local a = lucio.create_task(delay, "А")
  local b = lucio.create_task(delay, "Б")
  calculate()
  lucio.gather(a, b)
end

local function with_sleep_zero()
  local a = lucio.create_task(delay, "А")
  lucio.sleep(0)
  local b = lucio.create_task(delay, "Б")
  lucio.sleep(0)
  calculate()
  lucio.gather(a, b)
end

local function turns(name)
  for i = 1, 3 do
    print(("  %s: %d"):format(name, i))
    lucio.sleep(0)
  end
end

local function main()
  print("без sleep(0)")
  without_sleep_zero()
  print("с sleep(0)")
  with_sleep_zero()
  print("по очереди")
  local tg <close> = lucio.TaskGroup()
  tg:create_task(turns, "А")
  tg:create_task(turns, "Б")
end

lucio.run(main)
