-- Workers that may start only when the initialiser is through: an event, set once, lets them all
-- go. In asyncio: Event.wait, Event.set, gather.
local lucio = require "lucio"

local initializer = lucio.async(function(event)
  print("Инициализация началась...")
  lucio.sleep(2)
  print("Инициализация завершена.")
  event:set()
end)

local worker = lucio.async(function(event, name)
  print(("Работник %s ожидает завершения инициализации."):format(name))
  event:wait()
  print(("Работник %s приступает к работе."):format(name))
end)

local function main()
  local init_event = lucio.Event()
  lucio.gather(
    initializer(init_event),
    worker(init_event, "A"),
    worker(init_event, "B"),
    worker(init_event, "C")
  )
end

lucio.run(main)
