-- How bytes get through a stream: what is read and written when, and what holds them.
local assert = require "luassert"
local child = require "spec.support.child"

describe("a stream", function()
  it("makes room for a writer of the same loop in the tick after bytes were taken in", function()
    -- a program of its own: a case has a ticker, so that no tick of it only takes bytes in
    local r = child.run([[
      local lucio = require "lucio"
      lucio.run(function()
        local one, other = lucio.testing.stream_pair()
        local loop = lucio.get_running_loop()
        one.writer:write(("x"):rep(4 << 20))
        local before = one.writer:get_write_buffer_size()
        print(#other.reader:read(1 << 20) > 0)
        local after = loop:create_future()
        loop:call_soon(function() after:set_result(one.writer:get_write_buffer_size()) end)
        print(after:await() < before)
        one.writer:abort()
        other.writer:abort()
      end)
    ]])
    assert.are.same({"true\ntrue\n", "", 0}, {r.stdout, r.stderr, r.status})
  end)

  it("lets a finalizer that still has its ends know that they are gone", function()
    local r = child.run([[
      local lucio = require "lucio"
      local holder = setmetatable({}, {__gc = function(holder)
        for _, name in ipairs {"reader", "writer", "socket"} do
          for method in pairs(getmetatable(holder[name]).__index) do
            local ok, e = pcall(holder[name][method], holder[name], "x")
            if ok or not tostring(e):find("bad self", 1, true) then print(name, method, ok, e) end
          end
        end
        print(pcall(holder.lines))
      end})
      lucio.run(function()
        local server = lucio.start_server(function(reader, writer)
          reader:read()
          writer:close()
        end, "127.0.0.1", 0)
        holder.reader, holder.writer =
          lucio.open_connection("127.0.0.1", server.sockets[1]:getsockname().port)
        holder.socket = holder.writer:get_extra_info "socket"
        holder.lines = holder.reader:lines()
        holder.writer:close()
        holder.writer:wait_closed()
        server:close()
        server:wait_closed()
        holder = nil
        collectgarbage()
        collectgarbage()
      end)
    ]])
    assert.are.same({"true\tnil\n", "", 0}, {r.stdout, r.stderr, r.status})
  end)
end)
