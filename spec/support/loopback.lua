--- Loopback addresses of this process alone, for ports that a spec knows and does not hold.
--
-- A port that the system gave and that was closed again may be anybody's the next moment: runs of
-- specs on one machine are many. All of 127.0.0.0/8 is the machine's, so the process number makes
-- an address; the ports are none that the system gives.
local M = {}

local FIRST_PORT = 20000

local ports = 0

local function address(group)
  local file <close> = assert(io.open("/proc/self/stat"))
  local pid = file:read("n") -- below 2^22, see proc(5)
  return ("127.%d.%d.%d"):format(group + (pid >> 16), pid >> 8 & 255, pid & 255)
end

--- Two addresses.
M.host, M.other_host = address(64), address(128)

--- A port that nothing has been bound to at these addresses.
function M.port()
  ports = ports + 1
  return FIRST_PORT + ports
end

return M
