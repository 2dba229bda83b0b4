-- The level below streams: a protocol is a table whose methods the loop calls as things happen.
-- Here one asks a small HTTP server for a page, with no reader and no writer, and gives what came
-- through a future.
-- In asyncio: class HTTPGet(Protocol), loop.create_connection, loop.create_future.
local lucio = require "lucio"

local HTTPGet = {}
HTTPGet.__index = HTTPGet

local function http_get(path)
  return function()
    return setmetatable({path = path, pieces = {}, answer = lucio.Future()}, HTTPGet)
  end
end

function HTTPGet:connection_made(transport)
  print("connection_made to " .. transport:get_extra_info("peername").host)
  transport:write(("GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n"):format(self.path))
end

function HTTPGet:data_received(data)
  print(("data_received: %d bytes"):format(#data))
  self.pieces[#self.pieces + 1] = data
end

function HTTPGet:eof_received() -- luacheck: no self
  print("eof_received")
end

function HTTPGet:connection_lost(e)
  print("connection_lost", e)
  if e then
    self.answer:set_exception(e)
  else
    self.answer:set_result(table.concat(self.pieces))
  end
end

-- The other side, as a protocol too: answers in two pieces.
local function page()
  return {
    connection_made = function(self, transport) self.transport = transport end,
    data_received = function(self, data)
      local path = data:match("^GET (%S+)")
      self.transport:write("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n")
      lucio.get_running_loop():call_later(0.05, function()
        self.transport:write("This is " .. path)
        self.transport:close()
      end)
    end,
  }
end

lucio.run(function()
  local loop = lucio.get_running_loop()
  local server <close> = loop:create_server(page, "127.0.0.1", 0)
  local _, protocol = loop:create_connection(http_get "/news", "127.0.0.1",
    server.sockets[1]:getsockname().port)
  local answer = protocol.answer:await()
  print("status: " .. answer:match("^HTTP/1.0 (%d+)"))
  print("body: " .. answer:match("\r\n\r\n(.*)$"))
end)
