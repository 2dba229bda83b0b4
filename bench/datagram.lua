--- What does a datagram cost? One operation: 64 bytes to a server over UDP and back, one
-- outstanding, both in this process: between endpoints (`datagram`), and between protocols
-- (`datagram_protocol`); `datagram_burst`: one of a hundred that are sent before the server runs.
local lucio = require "lucio"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local TRIPS, BURST = 5000, 100
local DATA = ("x"):rep(64)
local HERE = {local_addr = {"127.0.0.1", 0}}

local function endpoints()
  local server <close> = lucio.open_datagram(HERE)
  local client <close> = lucio.open_datagram {remote_addr = server:getsockname()}
  local serving = lucio.create_task(function()
    for data, address in server:datagrams() do server:sendto(data, address) end
  end)
  measure.repeated("datagram", TRIPS, function()
    for _ = 1, TRIPS do
      client:sendto(DATA)
      client:recvfrom()
    end
  end)
  measure.repeated("datagram_burst", TRIPS, function()
    for _ = 1, TRIPS // BURST do
      for _ = 1, BURST do client:sendto(DATA) end
      for _ = 1, BURST do client:recvfrom() end
    end
  end)
  server:close()
  serving:await()
end

local function protocols()
  local loop, over, left = lucio.get_running_loop(), nil, 0
  local server = loop:create_datagram_endpoint(function()
    return {
      connection_made = function(self, transport) self.transport = transport end,
      datagram_received = function(self, data, address) self.transport:sendto(data, address) end,
    }
  end, HERE)
  local client = loop:create_datagram_endpoint(function()
    return {
      connection_made = function(self, transport) self.transport = transport end,
      datagram_received = function(self, data)
        left = left - 1
        if left > 0 then self.transport:sendto(data) else over:set_result() end
      end,
    }
  end, {remote_addr = server:getsockname()})
  measure.repeated("datagram_protocol", TRIPS, function()
    over, left = lucio.Future(), TRIPS
    client:sendto(DATA)
    over:await()
  end)
  client:close()
  server:close()
end

lucio.run(function()
  endpoints()
  protocols()
end)
