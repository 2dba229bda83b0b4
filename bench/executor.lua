--- What does a job in a worker thread cost? `round`: one after the other, each awaited;
-- `batch`: 10,000 submitted at once, four threads; `cpu1`, `cpu2`: one of four jobs that
-- compute, on one thread and on two; `string`: 100 MB to a job and back; `idle`: bytes of a worker
-- that waits. Elapsed time, and as `_cpu` the processor time of all threads, which says on a busy
-- machine whether two threads need more of it than one.
local lucio = require "lucio"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local ROUNDS, BATCH = 3000, 10000
local STEPS = 5000000
local IDLE = 50

local function nothing() end

local function same(text) return text end

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
  end, true)
  local pool <close> = lucio.ThreadPoolExecutor { max_workers = 4 }
  measure.least("executor_batch", BATCH, loop, function()
    local futures = {}
    for i = 1, BATCH do
      futures[i] = pool:submit(nothing)
    end
    for i = 1, BATCH do
      futures[i]:await()
    end
  end, true)
  for threads = 1, 2 do
    local some <close> = lucio.ThreadPoolExecutor { max_workers = threads }
    measure.least("executor_cpu" .. threads, 4, loop, function()
      local list = { STEPS, STEPS, STEPS, STEPS }
      for _ in some:map(compute, list) do -- luacheck: ignore 542
      end
    end, true)
  end
  local text = ("0123456789abcdef"):rep(100 << 16)
  measure.least("executor_string", 1, loop, function()
    assert(#pool:submit(same, text):await() == #text)
  end, true)
  text = nil -- luacheck: ignore 311
  collectgarbage()
  local before = measure.rss()
  local idle <close> = lucio.ThreadPoolExecutor { max_workers = IDLE }
  local started, go = lucio.shared.Value("i64"), lucio.shared.Semaphore(0)
  local futures = {}
  for i = 1, IDLE do
    futures[i] = idle:submit(function()
      started:add(1)
      go:acquire()
    end)
  end
  while started.value < IDLE do lucio.sleep(0.001) end
  go:release(IDLE)
  lucio.gather(table.unpack(futures))
  measure.report("executor_idle", (measure.rss() - before) / IDLE)
end)
