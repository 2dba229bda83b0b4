-- Tasks wait for an event until somebody sets it; all of them go on, in the order in which they
-- came. To wait for an event that is set takes no time. After clear, tasks wait again.
-- In asyncio: Event.wait, Event.set, Event.clear, Event.is_set.
local lucio = require "lucio"

local function main()
  local loop = lucio.get_running_loop()
  local start = loop:time()
  local function report(text) print(("%.1f с: %s"):format(loop:time() - start, text)) end

  local event = lucio.Event()
  local function waiter(name)
    report(name .. " ждёт")
    event:wait()
    report(name .. " продолжает")
  end

  loop:call_later(1, event.set, event)
  do
    local tg <close> = lucio.TaskGroup()
    for i = 1, 3 do tg:create_task(waiter, "задача " .. i) end
  end

  report("событие установлено: " .. tostring(event:is_set()))
  waiter("главная задача")

  event:clear()
  report("событие установлено: " .. tostring(event:is_set()))
  loop:call_later(2, event.set, event)
  waiter("главная задача")
end

lucio.run(main)
