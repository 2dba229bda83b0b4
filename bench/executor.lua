--- What does a job in a worker thread cost? `round`: one after the other, each awaited;
-- `batch`: 10,000 submitted at once, four threads; `cpu1`, `cpu2`: one of four jobs that
-- compute, on one thread and on two. Real time, the least of several: the processor time of
-- threads that wait says little.
local lucio = require "lucio"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local ROUNDS, BATCH, SAMPLES = 3000, 10000, 5
local STEPS = 5000000

local function nothing() end

local function compute(steps)
  local sum = 0
  for i = 1, steps do
    sum = sum + i % 7
  end
  return sum
end

local function least(name, ops, fn)
  local loop, best = lucio.get_running_loop(), math.huge
  fn()
  for _ = 1, SAMPLES do
    local start = loop:time()
    fn()
    best = math.min(best, loop:time() - start)
  end
  measure.report(name, best * 1e9 / ops)
end

lucio.run(function()
  local loop = lucio.get_running_loop()
  least("executor_round", ROUNDS, function()
    for _ = 1, ROUNDS do
      loop:run_in_executor(nil, nothing):await()
    end
  end)
  local pool <close> = lucio.ThreadPoolExecutor { max_workers = 4 }
  least("executor_batch", BATCH, function()
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
    least("executor_cpu" .. threads, 4, function()
      local list = { STEPS, STEPS, STEPS, STEPS }
      for _ in some:map(compute, list) do -- luacheck: ignore 542
      end
    end)
  end
end)
