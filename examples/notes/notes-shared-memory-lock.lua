-- The critical section between acquire and release of a shared value's lock: the total is exact.
-- It is kept small: what needs no lock is computed before.
-- In Python: value.get_lock().acquire(), .release().
local lucio = require "lucio"

local WORKERS, TIMES = 4, 5000

lucio.run(function()
  local pool <close> = lucio.ProcessPoolExecutor{max_workers = WORKERS}
  local total = lucio.shared.Value("i", 0)

  local function work()
    local lock = total:get_lock()
    for i = 1, TIMES do
      local part = i % 3 -- no lock needed
      lock:acquire()
      total.value = total.value + part
      lock:release()
    end
  end

  local jobs, expected = {}, 0
  for i = 1, TIMES do expected = expected + WORKERS * (i % 3) end
  for i = 1, WORKERS do jobs[i] = pool:submit(work) end
  lucio.gather(table.unpack(jobs))
  print(("Итог %d, ожидалось %d"):format(total.value, expected))

  -- without the lock: each reads before any of them writes
  local naive, ready = lucio.shared.Value("i", 0), lucio.shared.Value("i", 0)
  local function careless()
    local read = naive.value
    ready:add(1)
    while ready.value < WORKERS do end -- luacheck: ignore 542
    naive.value = read + 1
  end
  for i = 1, WORKERS do jobs[i] = pool:submit(careless) end
  lucio.gather(table.unpack(jobs))
  print(("Без замка: %d вместо %d"):format(naive.value, WORKERS))
end)
