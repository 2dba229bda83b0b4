-- Concurrency is many things under way, parallelism many things at the same moment. Waits take
-- the time of the longest one in a loop with one thread; computations are only done at once in
-- several threads.
-- In asyncio: gather; in Python: ProcessPoolExecutor.
local lucio = require "lucio"

local function io_work(delay) lucio.sleep(delay) end

-- Computes, and says how many computed at the same moment: with company it waits for the other one.
local function cpu_work(inside, company)
  local now, sum = inside:add(1), 0
  while company and inside.value < 2 do end -- luacheck: ignore 542
  for i = 1, 100000 do sum = sum + i end
  local most = math.max(now, inside.value)
  if not company then inside:add(-1) end
  return most
end

lucio.run(function()
  local loop = lucio.get_running_loop()
  local function timed(name, fn)
    local start = loop:time()
    fn()
    print(("%s: %.1f с"):format(name, loop:time() - start))
  end

  timed("Ожидания подряд", function() for _, d in ipairs {1, 2, 3} do io_work(d) end end)
  timed("Ожидания в одном цикле", function()
    local io = lucio.async(io_work)
    lucio.gather(io(1), io(2), io(3))
  end)

  local inside = lucio.shared.Value("i64")
  local cpu = lucio.async(cpu_work)
  local most = lucio.gather(cpu(inside, false), cpu(inside, false))
  print("Счёт в одном цикле, одновременно: " .. math.max(most[1], most[2]))

  local pool <close> = lucio.ThreadPoolExecutor{max_workers = 2}
  most = lucio.gather(pool:submit(cpu_work, inside, true), pool:submit(cpu_work, inside, true))
  print("Счёт в двух потоках, одновременно: " .. math.max(most[1], most[2]))
end)
