-- What not to do: the task blocks the thread (a busy loop, as any long computation or a blocking C
-- call would) and with it the whole loop. A ticker, which wants to report on stderr every 0.6 s,
-- stays silent for these two seconds; the assertion says so too. The right way is in
-- ch05-5.9.2-nonblocking-right. In asyncio: time.sleep in a coroutine.
local lucio = require "lucio"

local ticks = 0

local function ticker()
  while true do
    ticks = ticks + 1
    io.stderr:write("  тик ", ticks, "\n")
    lucio.sleep(0.6)
  end
end

local function block(seconds)
  local deadline = os.clock() + seconds
  repeat until os.clock() >= deadline
end

local function blocking_task()
  print("Начало блокирующей задачи")
  block(2) -- nothing else runs meanwhile
  print("Завершение блокирующей задачи")
end

local function main()
  lucio.create_task(ticker)
  lucio.sleep(0) -- the first tick
  blocking_task()
  assert(ticks == 1, "the ticker must not have run")
end

lucio.run(main)
