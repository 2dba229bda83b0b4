-- The baker: one pair of hands, so one active step at a time, yet everything that only takes
-- waiting (the oven, the mixer, the raisins) waits at the same time. The whole takes as long as the
-- longest wait, not as their sum. In asyncio: coroutines, sleep, gather.
local lucio = require "lucio"

local started
local waits = 0

local function seconds()
  return math.floor(lucio.get_running_loop():time() - started + 0.5)
end

local function step(what)
  print(("[%d с] %s"):format(seconds(), what))
end

local function wait(duration)
  waits = waits + duration
  lucio.sleep(duration)
end

local function oven()
  step("включаю духовку")
  wait(5)
  step("духовка нагрелась")
end

local function dough()
  step("засыпаю муку, включаю миксер")
  wait(3)
  step("вынимаю тесто, леплю булки")
end

local function raisins()
  step("замачиваю изюм")
  wait(2)
  step("сливаю воду с изюма")
end

local function main()
  started = lucio.get_running_loop():time()
  lucio.gather(oven, dough, raisins)
  step("ставлю булки в духовку")
  print(("Всего ожиданий на %d с, прошло %d с"):format(waits, seconds()))
end

lucio.run(main)
