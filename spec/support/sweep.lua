--- Cancellation at each moment of an operation.
--
--     local sweep = require "spec.support.sweep"
--     sweep.run(function(first) return lucio.fs.open(path) end, function(file) file:close() end)
--
-- The operation is begun and cancelled after k ticks, for every k until it ends by itself. After
-- each of these, no task and no descriptor of it may be left, without the collector's help.
local assert = require "luassert"
local eventually = require "spec.support.eventually"
local lucio = require "lucio"

local M = {}

-- Ticks that are tried one by one; what is waited for then takes real time, and so does a step. The
-- last step lets it end, however long the machine takes for that.
local TICKS, STEPS = 40, 400

-- Seconds of processor time in which a thread does what is asked in one tick, as a rule.
local TURN = 0.0002

local function descriptors()
  return #lucio.fs.listdir("/proc/self/fd")
end

-- How many there are once no more are closed.
local function settled()
  local last, same = descriptors(), 0
  while same < 10 do
    lucio.sleep(0.002)
    local now = descriptors()
    last, same = now, now == last and same + 1 or 0
  end
  return last
end

-- Holds the loop, so that what threads do is done when the next tick comes.
local function let_threads_work()
  local clock = os.clock
  local over = clock() + TURN
  while clock() < over do end -- luacheck: ignore 542
end

local function wait_ticks(k, slowly)
  for _ = 1, math.min(k, TICKS) do
    lucio.sleep(0)
    if slowly then let_threads_work() end
  end
  if k > TICKS then lucio.sleep((k - TICKS) * 0.0005) end
end

local function run(operation, undo, slowly)
  local tasks = #lucio.all_tasks()
  lucio.pcall(operation, true) -- what the first run sets up for good is no leak
  eventually(function() return #lucio.all_tasks() == tasks end, "a task is left")
  local before = settled()
  for k = 0, STEPS do
    local task = lucio.create_task(operation)
    wait_ticks(k, slowly)
    if k == STEPS then eventually(function() return task:done() end, "it did not end") end
    task:cancel()
    local results = table.pack(pcall(task.await, task))
    if results[1] and undo then undo(table.unpack(results, 2, results.n)) end
    if not results[1] then assert.is_true(task:cancelled(), tostring(results[2])) end
    eventually(function()
      return #lucio.all_tasks() == tasks
    end, "a task is left, cancelled after " .. k)
    -- at once: nothing waits for the collector
    collectgarbage "stop"
    local closed = pcall(eventually, function() return descriptors() <= before end)
    collectgarbage "restart"
    if not closed then error("a descriptor is left, cancelled after " .. k, 0) end
    if results[1] then return end
  end
  error("it did not end by itself", 0)
end

--- undo(result...) takes back what the operation made if it ends by itself. The operation's
-- argument is true the first time, when it is not cancelled.
function M.run(operation, undo)
  run(operation, undo, false)
end

--- The same for what threads do: each tick holds the loop until they are done, so that the tick in
-- which a result arrives is tried too.
function M.slowly(operation, undo)
  run(operation, undo, true)
end

return M
