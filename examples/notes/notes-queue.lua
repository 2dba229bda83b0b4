-- A producer and two consumers that know nothing of one another, but the queue. It is bounded:
-- when it is full, the producer waits, so it can never run ahead by more than the queue holds.
-- join waits until everything that was put has been marked by task_done.
-- In asyncio: Queue(maxsize), put, get, task_done, join.
local lucio = require "lucio"

local CUSTOMERS, DESKS = 6, 2

local function main()
  local loop = lucio.get_running_loop()
  local start = loop:time()
  local function report(form, ...)
    print(("%.1f с: "):format(loop:time() - start) .. form:format(...))
  end

  local queue = lucio.Queue(2)
  local served = {}

  local function producer()
    for i = 1, CUSTOMERS do
      queue:put(i)
      report("покупатель %d встал в очередь, в ней %d", i, queue:qsize())
    end
  end

  local function desk(number)
    while true do
      local customer = queue:get()
      report("касса %d обслуживает покупателя %d", number, customer)
      lucio.sleep(1)
      served[customer] = (served[customer] or 0) + 1
      queue:task_done()
    end
  end

  local desks = {}
  for i = 1, DESKS do desks[i] = lucio.create_task(desk, i) end
  lucio.create_task(producer):await()
  report("больше никто не придёт")
  queue:join()
  report("обслужены все: %s", table.concat(served, " "))

  for _, task in ipairs(desks) do task:cancel() end
  lucio.wait(desks)
end

lucio.run(main)
