-- Blocking work is kept out of the loop: sleeps are lucio.sleep, computations go to processes,
-- blocking calls to threads. Threads would do for both, since each has a Lua state of its own.
-- In asyncio: ProcessPoolExecutor for the computation, ThreadPoolExecutor for the blocking call.
local lucio = require "lucio"

local function cpu_bound_function(n, power)
  local sum = 0
  for i = 0, n - 1 do
    local product = 1
    for _ = 1, power do product = product * i end
    sum = sum + product
  end
  return sum
end

local function blocking_io_function(n)
  os.execute("sleep 0.1")
  return "blocking result " .. n
end

local function good_practice()
  lucio.sleep(1)
end

local function bad_practice()
  os.execute("sleep 0.3") -- nothing else runs meanwhile
end

local function main()
  local pool <close> = lucio.ProcessPoolExecutor()
  print("cpu_bound_function: " .. pool:submit(cpu_bound_function, 1000, 3):await())
end

local function handle_blocking_io()
  local pool <close> = lucio.ThreadPoolExecutor()
  print("blocking_io_function: " .. pool:submit(blocking_io_function, 1000):await())
end

local function other_task_runs_during(practice)
  local ticks = 0
  local ticker = lucio.create_task(function()
    while true do
      lucio.sleep(0.1)
      ticks = ticks + 1
    end
  end)
  lucio.sleep(0)
  practice()
  ticker:cancel()
  return ticks > 0 and "True" or "False"
end

lucio.run(function()
  print("good_practice lets other tasks run: " .. other_task_runs_during(good_practice))
  print("bad_practice lets other tasks run: " .. other_task_runs_during(bad_practice))
  main()
  handle_blocking_io()
end)
