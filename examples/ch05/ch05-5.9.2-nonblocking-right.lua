-- The counterpart of ch05-5.9.2-blocking-wrong: lucio.sleep suspends only the task that calls it,
-- so the ticker reports on stderr all the time. In asyncio: asyncio.sleep.
local lucio = require "lucio"

local ticks = 0

local function ticker()
  while true do
    ticks = ticks + 1
    io.stderr:write("  тик ", ticks, "\n")
    lucio.sleep(0.6)
  end
end

local function non_blocking_task()
  print("Начало неблокирующей задачи")
  lucio.sleep(2) -- the others run meanwhile
  print("Завершение неблокирующей задачи")
end

local function main()
  lucio.create_task(ticker)
  lucio.sleep(0) -- the first tick
  non_blocking_task()
  assert(ticks == 4, "the ticker must have run at 0, 0.6, 1.2 and 1.8 s")
end

lucio.run(main)
