-- Computations spread over processes from the loop: results in order, the loop stays responsive.
-- In asyncio: run_in_executor with a ProcessPoolExecutor, gather.
local lucio = require "lucio"

-- Ends when the loop has counted to three meanwhile, at the earliest.
local function count_primes(limit, ticks)
  local count = 0
  for n = 2, limit do
    local prime = true
    for d = 2, math.floor(math.sqrt(n)) do
      if n % d == 0 then
        prime = false
        break
      end
    end
    if prime then count = count + 1 end
  end
  while ticks.value < 3 do end -- luacheck: ignore 542
  return count
end

lucio.run(function()
  local loop = lucio.get_running_loop()
  local ticks = lucio.shared.Value("i64", 0)
  local ticker = lucio.create_task(function()
    while true do
      ticks:add(1)
      lucio.sleep(0.0005)
    end
  end)
  local pool <close> = lucio.ProcessPoolExecutor{max_workers = lucio.cpu_count()}
  local jobs, limits = {}, {10000, 20000, 30000, 40000}
  for i, limit in ipairs(limits) do
    jobs[i] = loop:run_in_executor(pool, count_primes, limit, ticks)
  end
  for i, count in ipairs(lucio.gather(table.unpack(jobs))) do
    print(("до %d: %d простых"):format(limits[i], count))
  end
  print("Цикл отвечал: " .. tostring(ticks.value > 2))
  ticker:cancel()
end)
