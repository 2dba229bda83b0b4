-- Two tasks wait for an event; setting it wakes them all, in the order in which they came.
-- In asyncio: Event.wait, Event.set, gather.
local lucio = require "lucio"

local waiter = lucio.async(function(event, name)
  print(("Ожидатель %s ждет события..."):format(name))
  event:wait()
  print(("Ожидатель %s получил событие!"):format(name))
end)

local setter = lucio.async(function(event)
  lucio.sleep(2)
  print("Установка события.")
  event:set()
end)

local function main()
  local event = lucio.Event()
  lucio.gather(waiter(event, "A"), waiter(event, "B"), setter(event))
end

lucio.run(main)
