--- What specs about executors share: jobs that hold a worker, and waits for what jobs do.
--
-- Jobs take real time, also under the virtual clock. A wait here is bounded, and the loop goes on.
local eventually = require "spec.support.eventually"
local limit = require "spec.support.limit"
local lucio = require "lucio"

local M = {}

--- A flag that jobs set or wait for.
function M.flag()
  return lucio.shared.Value("bool", false)
end

--- A job that does nothing.
function M.no_op() end

--- A job that goes on until the flag is set, but not for ever.
function M.hold(flag)
  local last = os.time() + limit
  while not flag.value and os.time() < last do end -- luacheck: ignore 542
  return "held"
end

--- A job that sets the first flag and goes on until the second is set, but not for ever.
function M.announce_and_hold(started, flag)
  started.value = true
  local last = os.time() + limit
  while not flag.value and os.time() < last do end -- luacheck: ignore 542
  return "held"
end

--- Waits until the flag is set.
function M.await_flag(flag)
  eventually(function() return flag.value end, "the flag was not set")
end

--- Job of a process: its number.
function M.pid()
  return lucio.worker.pid
end

--- The number of the process that asks, as a job too.
function M.own_pid()
  local file <close> = assert(io.open("/proc/self/stat"))
  return file:read("n")
end

--- Whether we have such a worker process, zombie or not; its number may be somebody else's by now.
function M.exists(number)
  local file = io.open(("/proc/%d/stat"):format(number))
  if not file then return false end
  local text = file:read("a")
  file:close()
  return text and text:match("%(lucio%-worker%) %a (%d+)") == tostring(M.own_pid())
end

--- Sends a signal.
function M.kill(signal, number)
  assert(os.execute(("kill -%s %d"):format(signal, number)))
end

return M
