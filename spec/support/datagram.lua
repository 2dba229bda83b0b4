--- Addresses for datagrams.
local loopback = require "spec.support.loopback"
local lucio = require "lucio"

local M = {}

--- Options of an endpoint at a port that the system gives.
M.HERE = {local_addr = {"127.0.0.1", 0}}

--- An address at which nobody listens.
function M.nobody()
  local endpoint = lucio.open_datagram{local_addr = {loopback.host, loopback.port()}}
  local address = endpoint:getsockname()
  endpoint:close()
  endpoint:wait_closed()
  return address
end

--- The name of a socket that can be made.
function M.unix_path()
  local path = os.tmpname()
  os.remove(path)
  return path
end

return M
