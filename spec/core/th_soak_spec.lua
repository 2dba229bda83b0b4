-- Many jobs of threads that return, fail, report, are cancelled and are stopped at random: each
-- ends in exactly one outcome, and nothing is left. SOAK_JOBS says how many (5,000), SOAK_SEED
-- which ones.
local case = require "spec.support.case"
local lucio = require "lucio"
local small = require "spec.support.small"

local JOBS = tonumber(os.getenv "SOAK_JOBS") or small(5000, 1000)
local SEED = math.tointeger(tonumber(os.getenv "SOAK_SEED")) or os.time()
local AT_ONCE = 200

local Own = lucio.exception("Own")

-- What a job of each kind does.
local kinds = {
  value = function(i) return i, {i, nested = {text = ("x"):rep(i % 300)}} end,
  long = function(i) return i, ("long"):rep(20000) end,
  own = function(i) error(Own("own", i)) end,
  bare = function(i) error({i}) end,
  report = function(i)
    local worker = require "lucio".worker
    for n = 1, 3 do worker.report(n) end
    return i
  end,
  polls = function(i)
    local worker = require "lucio".worker
    for _ = 1, 200 do
      if worker.cancelled() then return "was cancelled" end
    end
    return i
  end,
  spin = function() while true do local _ = {} end end,
}

local names = {"value", "value", "value", "long", "own", "bare", "report", "polls"}

-- Whether the outcome is one that the job may have.
local function is_right(kind, i, ok, a, b)
  if kind == "value" then return ok and a == i and b[1] == i and #b.nested.text == i % 300 end
  if kind == "long" then return ok and a == i and #b == 80000 end
  if kind == "own" then return not ok and lucio.isinstance(a, Own) and a.args[2] == i end
  if kind == "bare" then return not ok and type(a) == "table" and a[1] == i end
  if kind == "spin" then return not ok and lucio.isinstance(a, lucio.TimeoutError) end
  return ok and (a == i or a == "was cancelled")
end

local function begin(pool, i, counts)
  local kind = i % 1000 == 0 and "spin" or names[math.random(#names)]
  local job = {kind = kind, i = i, future = pool:submit(kinds[kind], i)}
  job.future:add_done_callback(function() counts.done = counts.done + 1 end)
  if kind == "report" and math.random(2) == 1 then
    job.reader = lucio.create_task(function()
      local last = 0
      for n, value in lucio.reports(job.future) do
        assert(n == value)
        last = n
      end
      return last
    end)
  end
  if math.random(5) == 1 then job.cancelled = job.future:cancel() end
  return job
end

local function finish(job, counts)
  if not job.cancelled and math.random(10) == 1 then
    lucio.sleep(0)
    job.cancelled = job.future:cancel()
  end
  local ok, a, b = pcall(job.future.await, job.future)
  if job.cancelled then
    assert(not ok and lucio.isinstance(a, lucio.CancelledError), "cancelled, with another outcome")
    counts.cancelled = counts.cancelled + 1
  else
    assert(is_right(job.kind, job.i, ok, a, b), job.kind .. ": " .. tostring(a))
    counts[ok and "returned" or "failed"] = counts[ok and "returned" or "failed"] + 1
  end
  if job.reader then
    local last = job.reader:await()
    assert(job.cancelled or last == 3, "a report is missing")
  end
end

describe(("%d jobs with seed %d"):format(JOBS, SEED), function()
  case("end in one outcome each", function()
    math.randomseed(SEED)
    local pool <close> = lucio.ThreadPoolExecutor{
      max_workers = 4, job_timeout = 30, cancel_timeout = 0.01,
    }
    local brief <close> = lucio.ThreadPoolExecutor{max_workers = 1, job_timeout = 0.01}
    local counts = {done = 0, cancelled = 0, returned = 0, failed = 0}
    for first = 1, JOBS, AT_ONCE do
      local jobs = {}
      for i = first, math.min(first + AT_ONCE - 1, JOBS) do
        jobs[#jobs + 1] = begin(i % 1000 == 0 and brief or pool, i, counts)
      end
      for _, job in ipairs(jobs) do finish(job, counts) end
    end
    lucio.sleep(0)
    assert.are.equal(JOBS, counts.done)
    assert.are.equal(JOBS, counts.cancelled + counts.returned + counts.failed)
  end)
end)
