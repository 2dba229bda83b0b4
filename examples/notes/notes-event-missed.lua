-- An event remembers that it was set, not how often. Three signals come, the second and the third
-- while all workers are busy with the first: one of the two is never seen. A queue keeps each
-- signal until somebody has taken it.
-- In asyncio: Event.wait, Event.clear; Queue.
local lucio = require "lucio"

local WORKERS, SIGNALS = 2, 3
local WORK = 5 -- seconds; a signal comes every second

-- wait() returns when a worker has something to do, signal(i) announces the i-th piece of work.
local function try(wait, signal)
  local loop = lucio.get_running_loop()
  local start = loop:time()
  local handled = {}

  local function worker(number)
    handled[number] = 0
    while true do
      local what = wait()
      print(("%.0f с: работник %d начал: %s"):format(loop:time() - start, number, what))
      lucio.sleep(WORK)
      handled[number] = handled[number] + 1
    end
  end

  lucio.with(lucio.TaskGroup(), function(tg)
    for i = 1, WORKERS do tg:create_task(worker, i) end
    for i = 1, SIGNALS do
      lucio.sleep(1)
      print(("%.0f с: сигнал %d"):format(loop:time() - start, i))
      signal(i)
    end
    lucio.sleep(SIGNALS * WORK) -- time enough for everything
    tg:cancel()
  end)
  return handled
end

local function main()
  print("Событие")
  local event = lucio.Event()
  local seen = try(function()
    event:wait()
    event:clear()
    return "событие"
  end, function() event:set() end)
  for number, n in ipairs(seen) do
    print(("работник %d увидел %d из %d сигналов"):format(number, n, SIGNALS))
  end

  print("Очередь")
  local queue = lucio.Queue()
  seen = try(function() return "сигнал " .. queue:get() end, function(i) queue:put_nowait(i) end)
  print(("работники вместе получили %d из %d сигналов"):format(seen[1] + seen[2], SIGNALS))
end

lucio.run(main)
