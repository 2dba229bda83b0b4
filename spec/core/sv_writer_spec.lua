-- SV1: what becomes of a connection whose handler has ended.
local assert = require "luassert"
local child = require "spec.support.child"

describe("a connection's writer", function()
  it("SV1: collected as its handler ends, it is closed without a warning", function()
    local r = child.run([[
      local lucio = require "lucio"
      lucio.run(function()
        local server = lucio.start_server(function(reader, writer)
          reader:read(1)
          writer:get_write_buffer_size() -- held until here
          lucio.get_running_loop():call_soon(collectgarbage)
        end, "127.0.0.1", 0)
        for _ = 1, 3 do
          local reader, writer = lucio.open_connection("127.0.0.1",
            server.sockets[1]:getsockname().port)
          writer:write("x")
          print(#reader:read())
          writer:close()
          writer:wait_closed()
        end
        server:close()
        server:wait_closed()
      end)
    ]])
    assert.are.same({"0\n0\n0\n", "", 0}, {r.stdout, r.stderr, r.status})
  end)

  it("SV1: so it is where the error of its handler is reported", function()
    local r = child.run([[
      local lucio = require "lucio"
      lucio.run(function()
        lucio.get_running_loop():set_exception_handler(function(_, context)
          for _ = 1, 3 do collectgarbage() end
          print(context.exception.message, context.peername.host)
        end)
        local server = lucio.start_server(function(reader)
          reader:read(1)
          error(lucio.ValueError "asked for")
        end, "127.0.0.1", 0)
        local reader, writer = lucio.open_connection("127.0.0.1",
          server.sockets[1]:getsockname().port)
        writer:write("x")
        print(#reader:read())
        writer:close()
        server:drain()
      end)
    ]])
    assert.are.same({"asked for\t127.0.0.1\n0\n", "", 0}, {r.stdout, r.stderr, r.status})
  end)

  it("SV1: the report names the peer, also a unix socket's that is gone", function()
    local r = child.run([[
      local lucio = require "lucio"
      lucio.run(function()
        lucio.get_running_loop():set_exception_handler(function(_, context)
          print(context.exception.message, context.peername)
        end)
        local path = os.tmpname()
        os.remove(path)
        local server = lucio.start_unix_server(function(reader, writer)
          reader:read(1)
          writer:abort()
          writer:wait_closed()
          error(lucio.ValueError "asked for")
        end, path)
        local _, writer = lucio.open_unix_connection(path)
        writer:write("x")
        server:drain()
        writer:close()
      end)
    ]], {timeout = 20})
    assert.are.same({"asked for\t\n", "", 0}, {r.stdout, r.stderr, r.status})
  end)
end)
