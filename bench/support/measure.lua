--- Times one workload and prints the line that bench/run collects: `name runner value`.
-- Time is the processor time of the process, so that other work on the machine disturbs less.
local M = {}

M.runner = os.getenv "BENCH_RUNNER" or "lucio"

local BUDGET = 0.25 -- seconds of samples a process takes
local MOST = 15 -- samples

--- Prints one figure.
-- @tparam string name of the figure
-- @tparam number value nanoseconds per operation, or bytes per task
function M.report(name, value)
  print(("%s %s %.1f"):format(name, M.runner, value))
end

--- Times one call, for what differs the second time (fresh memory, fresh threads).
-- @treturn number nanoseconds per operation
function M.time(ops, fn)
  collectgarbage()
  local start = os.clock()
  fn()
  return (os.clock() - start) * 1e9 / ops
end

--- Warms up with one call, then reports the median of several.
function M.repeated(name, ops, fn)
  fn()
  local samples, begun = {}, os.clock()
  repeat
    samples[#samples + 1] = M.time(ops, fn)
  until os.clock() - begun > BUDGET or #samples == MOST
  table.sort(samples)
  M.report(name, samples[(#samples + 1) // 2])
end

--- Reports the least elapsed time of several, for what happens outside of the process's own thread.
-- @param loop the running loop
-- @param[opt] cpu whether to report the processor time of all threads, too, as `name_cpu`
function M.least(name, ops, loop, fn, cpu)
  local best, best_cpu = math.huge, math.huge
  fn()
  for _ = 1, 5 do
    local start, start_cpu = loop:time(), os.clock()
    fn()
    best = math.min(best, loop:time() - start)
    best_cpu = math.min(best_cpu, os.clock() - start_cpu)
  end
  M.report(name, best * 1e9 / ops)
  if cpu then M.report(name .. "_cpu", best_cpu * 1e9 / ops) end
end

--- Resident bytes of the process.
function M.rss()
  local file <close> = assert(io.open("/proc/self/statm"))
  local _, pages = file:read("n", "n")
  return pages * 4096
end

return M
