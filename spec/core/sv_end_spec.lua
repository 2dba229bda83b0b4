-- The end of servers and of their connections, at moments that are seldom met.
local assert = require "luassert"
local case = require "spec.support.case"
local eventually = require "spec.support.eventually"
local lucio = require "lucio"

-- A server whose connections stay open until the client ends them.
local function start()
  local server = lucio.start_server(function(reader, writer)
    pcall(reader.read, reader)
    writer:close()
  end, "127.0.0.1", 0)
  return server, server.sockets[1]:getsockname().port
end

describe("a connection that is ended before it begins", function()
  for _, method in ipairs {"abort_clients", "close_clients"} do
    case("by " .. method .. " is gone, and the server can end", function()
      local server, port = start()
      local over = false
      local ender = lucio.create_task(function()
        while not over do
          server[method](server)
          lucio.sleep(0)
        end
      end)
      local reader, writer = lucio.open_connection("127.0.0.1", port)
      local ok, data = lucio.pcall(lucio.wait_for, function() return reader:read() end, 60)
      assert.is_true(ok and data == "" or lucio.isinstance(data, lucio.ConnectionError))
      over = true
      ender:await()
      writer:close()
      lucio.pcall(writer.wait_closed, writer)
      assert.is_true(server:drain(60))
    end)
  end
end)

describe("the time that a drain gives its connections", function()
  case("is forgotten once they have ended", function()
    local server, port = start()
    local _, writer = lucio.open_connection("127.0.0.1", port)
    eventually(function() return lucio.stats().watchers >= 3 end)
    local timers = lucio.stats().timers
    local draining = lucio.create_task(server.drain, server, 1000)
    lucio.sleep(0)
    assert.are.equal(timers + 1, lucio.stats().timers)
    writer:close()
    writer:wait_closed()
    assert.is_true(draining:await())
    assert.are.equal(timers, lucio.stats().timers)
  end)
end)
