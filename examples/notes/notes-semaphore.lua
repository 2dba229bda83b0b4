-- A semaphore lets at most n tasks through at once; a lock is a semaphore of one. A plain
-- semaphore that is released more often than acquired grows by that; the bounded one refuses it.
-- In asyncio: Semaphore, BoundedSemaphore, Lock.
local lucio = require "lucio"

local JOBS = 6

-- Runs JOBS jobs of one second under the guard; returns how many of them ran at once, at most.
local function most_at_once(guard)
  local running, most = 0, 0
  do
    local tg <close> = lucio.TaskGroup()
    for _ = 1, JOBS do
      tg:create_task(function()
        local _ <close> = guard:acquire()
        running = running + 1
        most = math.max(most, running)
        lucio.sleep(1)
        running = running - 1
      end)
    end
  end
  return most
end

local function measure(title, guard)
  local loop = lucio.get_running_loop()
  local start = loop:time()
  local most = most_at_once(guard)
  print(("%s: одновременно %d, время %.0f с"):format(title, most, loop:time() - start))
end

local function main()
  measure("семафор 3", lucio.Semaphore(3))
  measure("семафор 2", lucio.Semaphore(2))
  measure("семафор 1", lucio.Semaphore(1))
  measure("замок", lucio.Lock())

  local semaphore = lucio.Semaphore(2)
  semaphore:release() -- one too many: three permits from now on
  measure("семафор 2 после лишнего освобождения", semaphore)

  local bounded = lucio.BoundedSemaphore(2)
  local ok, err = lucio.pcall(bounded.release, bounded)
  print(("ограниченный семафор: %s"):format(ok and "принял" or err.name))
  measure("ограниченный семафор 2", bounded)
end

lucio.run(main)
