--- What does a job in a worker thread cost? `round`: one after the other, each awaited;
-- `batch`: 10,000 submitted at once, four threads; `cpu1`, `cpu2`: one of four jobs that
-- compute, on one thread and on two. Elapsed time: the processor time of threads that wait says
-- little.
local lucio = require "lucio"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local ROUNDS, BATCH = 3000, 10000
local STEPS = 5000000

local function nothing() end

local function compute(steps)
  local sum = 0
  for i = 1, steps do
    sum = sum + i % 7
  end
  return sum
end

lucio.run(function()
  local loop = lucio.get_running_loop()
  measure.least("executor_round", ROUNDS, loop, function()
    for _ = 1, ROUNDS do
      loop:run_in_executor(nil, nothing):await()
    end
  end)
  local pool <close> = lucio.ThreadPoolExecutor { max_workers = 4 }
  measure.least("executor_batch", BATCH, loop, function()
    local futures = {}
    for i = 1, BATCH do
      futures[i] = pool:submit(nothing)
    end
    for i = 1, BATCH do
      futures[i]:await()
    end
  end)
  for threads = 1, 2 do
    local some <close> = lucio.ThreadPoolExecutor { max_workers = threads }
    measure.least("executor_cpu" .. threads, 4, loop, function()
      local list = { STEPS, STEPS, STEPS, STEPS }
      for _ in some:map(compute, list) do -- luacheck: ignore 542
      end
    end)
  end
end)
