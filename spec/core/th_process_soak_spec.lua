-- Many jobs of processes that return, fail, report, are cancelled, and whose processes end or are
-- killed at random: each ends in exactly one outcome, and nothing is left. SOAK_PROCESS_JOBS says
-- how many (1,000), SOAK_SEED which ones.
local case = require "spec.support.case"
local descriptors = require "spec.support.descriptors"
local eventually = require "spec.support.eventually"
local exists = require "spec.support.jobs".exists
local lucio = require "lucio"
local small = require "spec.support.small"

local JOBS = tonumber(os.getenv "SOAK_PROCESS_JOBS") or small(1000, 200)
local SEED = math.tointeger(tonumber(os.getenv "SOAK_SEED")) or os.time()

describe(("%d jobs of processes with seed %d"):format(JOBS, SEED), function()
  -- What a job does, by its number.
  local function job(i, kind)
    if kind == "error" then error("e" .. i, 0) end
    if kind == "exit" then os.exit(i % 100) end
    if kind == "kill" then
      os.execute("kill -9 $PPID")
      while true do end
    end
    if kind == "long" then
      while not lucio.worker.cancelled() do end -- luacheck: ignore 542
    end
    if kind == "large" then return i, ("x"):rep(200000) end
    if kind == "report" then
      for n = 1, 3 do lucio.worker.report(n) end
    end
    return i, ("x"):rep(i % 50)
  end

  local function kind_of(random)
    if random < 3 then return "exit" end
    if random < 5 then return "kill" end
    if random < 15 then return "error" end
    if random < 20 then return "long" end
    if random < 25 then return "large" end
    if random < 35 then return "report" end
    return "value"
  end

  case("end in one outcome each", function()
    local before = descriptors.count()
    local outcomes, count, numbers = {}, 0, {}
    math.randomseed(SEED)
    do
      local pool <close> = lucio.ProcessPoolExecutor{max_workers = 4}
      local slots = lucio.Semaphore(40)
      local group <close> = lucio.TaskGroup()
      for i = 1, JOBS do
        slots:acquire()
        local kind = kind_of(math.random(100))
        local future = pool:submit(job, i, kind)
        local cancelled = kind == "long" or math.random(10) == 1
        future:add_done_callback(function() count = count + 1 end)
        if kind == "report" then
          group:create_task(function()
            local last = 0
            for n, value in lucio.reports(future) do
              assert(n == value, "a wrong report")
              last = n
            end
            assert(last == 3 or future:cancelled(), "a report is missing")
          end)
        end
        group:create_task(function()
          if cancelled then
            for _ = 1, math.random(30) do lucio.sleep(0) end
            cancelled = future:cancel()
          end
          local ok, value, text = pcall(future.await, future)
          outcomes[i] = kind
          if ok then
            assert(not cancelled and value == i, "a wrong result")
            assert(#text == (kind == "large" and 200000 or i % 50), "a wrong text")
          elseif lucio.isinstance(value, lucio.CancelledError) then
            assert(cancelled, "cancelled by nobody")
          elseif lucio.isinstance(value, lucio.BrokenProcessPool) then
            assert(kind == "kill" or kind == "exit", "a job was lost: " .. kind)
            assert(value.exitcode == (kind == "kill" and -9 or i % 100), "a wrong exit code")
            numbers[#numbers + 1] = value.pid
          else
            assert(kind == "error" and value == "e" .. i, tostring(value))
          end
          slots:release()
        end)
      end
    end
    assert.are.equal(JOBS, #outcomes)
    assert.are.equal(JOBS, count)
    for _, number in ipairs(numbers) do assert.is_false(exists(number)) end
    collectgarbage()
    local _ <close> = lucio.ProcessPoolExecutor{max_workers = 1} -- frees the pools that ended
    eventually(function() return descriptors.count() <= before + 2 end)
  end)
end)
