--- What does a job in a worker process cost? `round`: one after the other, each awaited; `batch`:
-- 10,000 submitted at once to two processes; `send`, `return`: a megabyte of one that has 100, to
-- the job and back. Elapsed time. `idle`: bytes that a process takes which has done a job and
-- waits, with its share of what it has together with others (Pss).
local lucio = require "lucio"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local ROUNDS, BATCH, MEGABYTES, WORKERS = 2000, 10000, 100, 4

local function nothing() end

-- Of this process.
local function memory()
  local file <close> = assert(io.open("/proc/self/smaps_rollup"))
  return tonumber(file:read("a"):match("\nPss:%s*(%d+)")) * 1024
end

-- Waits until so many run at once, so that each process gets one.
local function meet(inside, count)
  inside:add(1)
  while inside.value < count do end -- luacheck: ignore 542
  return memory()
end

lucio.run(function()
  local loop = lucio.get_running_loop()
  do
    local pool <close> = lucio.ProcessPoolExecutor { max_workers = 2 }
    measure.least("processes_round", ROUNDS, loop, function()
      for _ = 1, ROUNDS do
        pool:submit(nothing):await()
      end
    end)
    measure.least("processes_batch", BATCH, loop, function()
      local futures = {}
      for i = 1, BATCH do
        futures[i] = pool:submit(nothing)
      end
      for i = 1, BATCH do
        futures[i]:await()
      end
    end)
    local text = ("0123456789abcdef"):rep(MEGABYTES << 16)
    measure.least("processes_send", MEGABYTES, loop, function()
      assert(pool:submit(function(data) return #data end, text):await() == #text)
    end)
    measure.least("processes_return", MEGABYTES, loop, function()
      local back = pool:submit(string.rep, "0123456789abcdef", MEGABYTES << 16):await()
      assert(#back == #text)
    end)
  end
  local pool <close> = lucio.ProcessPoolExecutor { max_workers = WORKERS }
  local inside, jobs, total = lucio.shared.Value("i64", 0), {}, 0
  for i = 1, WORKERS do
    jobs[i] = pool:submit(meet, inside, WORKERS)
  end
  for _, bytes in ipairs(lucio.gather(table.unpack(jobs))) do
    total = total + bytes
  end
  measure.report("processes_idle", total / WORKERS)
end)
