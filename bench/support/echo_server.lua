-- The echo benchmark's server over streams; over a protocol with the argument "protocol".
local lucio = require "lucio"

local function serve(reader, writer)
  while true do
    local data = reader:read(65536)
    if data == "" then break end
    writer:write(data)
    writer:drain()
  end
end

local function protocol()
  local transport
  return {
    connection_made = function(_, made) transport = made end,
    data_received = function(_, data) transport:write(data) end,
  }
end

lucio.run(function()
  local server
  if arg[1] == "protocol" then
    server = lucio.get_running_loop():create_server(protocol, "127.0.0.1", 0)
  else
    server = lucio.start_server(serve, "127.0.0.1", 0)
  end
  io.write(server.sockets[1]:getsockname().port, "\n")
  io.flush()
  local over = lucio.Event()
  lucio.get_running_loop():add_reader(0, over.set, over)
  over:wait()
end)
