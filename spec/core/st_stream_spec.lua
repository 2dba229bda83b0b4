-- ST8, ST10 to ST19, ST21, ST22: writers and connections, over sockets of the loopback interface.
local assert = require "luassert"
local case = require "spec.support.case"
local eventually = require "spec.support.eventually"
local loopback = require "spec.support.loopback"
local lucio = require "lucio"

-- More than the kernel keeps for a socket whose peer does not read: the most that it sends ahead,
-- and the room that there is at first where that comes to.
local BIG = ("x"):rep(4 << 20)
for name, place in pairs {tcp_wmem = "(%d+)%s*$", tcp_rmem = "^%d+%s+(%d+)"} do
  local file <close> = assert(io.open("/proc/sys/net/ipv4/" .. name))
  BIG = BIG .. ("x"):rep(tonumber(file:read("a"):match(place)))
end

-- Calls body(reader, writer) with a connection whose other end is serve(reader, writer), of a
-- server with those options. All is closed afterwards, and the errors of both sides come out.
local function connected(serve, body, options)
  local accepted = lucio.Future()
  local server = lucio.start_server(function(reader, writer)
    local ok, e = pcall(serve, reader, writer)
    writer:close()
    if not accepted:done() then accepted:set_result(ok or e) end
  end, "127.0.0.1", 0, options)
  local reader, writer = lucio.open_connection("127.0.0.1",
    server.sockets[1]:getsockname().port)
  local ok, e = pcall(body, reader, writer)
  writer:close()
  pcall(writer.wait_closed, writer)
  local served = accepted:await()
  server:close()
  server:wait_closed()
  if not ok then error(e, 0) end
  if served ~= true then error(served, 0) end
end

local function wait_for_end(reader) reader:read() end

describe("StreamWriter", function()
  case("ST10: write sends at once, and never suspends", function(t)
    connected(function(reader, writer) writer:write(reader:readexactly(6)) end,
      function(reader, writer)
        t.start_ticks()
        writer:write("abc")
        writer:write("")
        writer:writelines {"d", "", "ef"}
        assert.are.equal(0, t.tick())
        assert.are.equal(0, writer:get_write_buffer_size())
        assert.are.equal("abcdef", reader:read())
      end)
  end)

  case("ST10: what the kernel does not take is kept, in order", function()
    connected(function(reader, writer)
      local data = reader:readexactly(#BIG + 3)
      writer:write(tostring(data == BIG .. "end"))
    end, function(reader, writer)
      writer:write(BIG)
      assert.is_true(writer:get_write_buffer_size() > 0)
      writer:write("end")
      writer:drain()
      assert.are.equal("true", reader:read())
    end)
  end)

  case("bad arguments are TypeErrors", function(t)
    connected(wait_for_end, function(_, writer)
      local e = t.raises(lucio.TypeError, writer.write, writer, 5)
      assert.are.equal("bad argument #1 to 'write' (string expected, got number)", e.message)
      e = t.raises(lucio.TypeError, writer.writelines, writer, {"a", {}})
      assert.matches("item 2: string expected, got table", e.message, 1, true)
      t.raises(lucio.TypeError, writer.write, {}, "x")
    end)
  end)

  case("ST11: drain returns at once below the high-water mark", function(t)
    connected(wait_for_end, function(_, writer)
      writer:write("x")
      t.start_ticks()
      writer:drain()
      assert.are.equal(0, t.tick())
    end)
  end)

  case("ST11: drain waits for the low-water mark; many may drain at once", function()
    local go = lucio.Event()
    connected(function(reader)
      go:wait()
      reader:readexactly(#BIG)
    end, function(_, writer)
      writer:write(BIG)
      local drains = {}
      for i = 1, 3 do drains[i] = lucio.create_task(writer.drain, writer) end
      lucio.sleep(0.01)
      for i = 1, 3 do assert.is_false(drains[i]:done()) end
      go:set()
      lucio.gather(drains)
      assert.is_true(writer:get_write_buffer_size() <= 16384)
    end)
  end)

  case("ST12: marks", function(t)
    connected(wait_for_end, function(_, writer)
      for _, marks in ipairs {{10, 11}, {-1}, {0 / 0}} do
        t.raises(lucio.ValueError, writer.set_write_buffer_limits, writer, marks[1], marks[2])
      end
      t.raises("high (10) must be >= low (20) must be >= 0", writer.set_write_buffer_limits, writer,
        10, 20)
      t.raises("high (-1) must be >= low (-1) must be >= 0", writer.set_write_buffer_limits, writer,
        -1)
      assert.are.same({16384, 65536}, {writer:get_write_buffer_limits()})
      writer:set_write_buffer_limits(1000)
      assert.are.same({250, 1000}, {writer:get_write_buffer_limits()})
      writer:set_write_buffer_limits(nil, 10)
      assert.are.same({10, 40}, {writer:get_write_buffer_limits()})
      writer:set_write_buffer_limits(0)
      writer:write(BIG)
      local drain = lucio.create_task(writer.drain, writer)
      lucio.sleep(0)
      assert.is_false(drain:done())
      writer:abort()
      drain:await() -- no error ended the connection
      t.raises(lucio.ConnectionResetError, writer.drain, writer)
    end)
  end)

  case("ST13: drain raises once the connection is lost", function(t)
    connected(function(_, writer) writer:abort() end, function(reader, writer)
      local ok, e = lucio.pcall(reader.read, reader)
      assert.is_true(ok or lucio.isinstance(e, lucio.ConnectionError))
      eventually(function()
        writer:write("x")
        return not lucio.pcall(writer.drain, writer)
      end)
      t.raises(lucio.ConnectionError, writer.drain, writer)
    end)
  end)

  case("ST13: drain after a failed write raises ConnectionResetError", function(t)
    local path, gone = os.tmpname(), lucio.Event()
    os.remove(path)
    local server = lucio.start_unix_server(function(_, writer)
      writer:abort()
      lucio.sleep(0)
      gone:set()
    end, path)
    local _, writer = lucio.open_unix_connection(path)
    gone:wait()
    writer:write("x")
    writer:write("y")
    t.raises("Connection lost", writer.drain, writer)
    server:close()
    server:wait_closed()
    os.remove(path)
  end)

  case("ST8: a stored error beats buffered data and is raised again and again", function(t)
    local go = lucio.Event()
    connected(function(_, writer)
      writer:write("data")
      go:wait()
      -- input that nobody took makes the kernel send a reset
      writer:abort()
    end, function(reader, writer)
      for _ = 1, 2 do
        writer:write("never read")
        lucio.sleep(0.01)
      end
      go:set()
      eventually(function() return writer:is_closing() end)
      lucio.sleep(0) -- the reader is told in the tick after
      t.raises(lucio.ConnectionResetError, reader.read, reader, 4)
      t.raises(lucio.ConnectionResetError, reader.readline, reader)
    end, {limit = 1})
  end)

  case("ST14: writes after close are dropped", function()
    connected(function(reader, writer) writer:write(reader:read()) end, function(reader, writer)
      writer:write("kept")
      writer:close()
      assert.is_true(writer:is_closing())
      writer:write("dropped")
      writer:writelines {"dropped"}
      writer:wait_closed()
      assert.are.equal("", reader:read())
    end)
  end)

  case("ST14: a write after write_eof is a RuntimeError", function(t)
    connected(wait_for_end, function(_, writer)
      writer:write_eof()
      t.raises(lucio.RuntimeError, writer.write, writer, "x")
    end)
  end)

  case("ST15: close sends what is left, and the reader sees the end", function()
    local size
    connected(function(reader) size = #reader:read() end, function(reader, writer)
      writer:write(BIG)
      writer:close()
      writer:close()
      assert.is_true(writer:is_closing())
      writer:wait_closed()
      assert.are.equal("", reader:read())
    end)
    assert.are.equal(#BIG, size)
  end)

  case("ST16: wait_closed is repeatable and works with unread input", function()
    connected(function(_, writer) writer:write("unread") end, function(_, writer)
      lucio.sleep(0.01)
      local first = lucio.create_task(writer.wait_closed, writer)
      lucio.sleep(0)
      writer:close()
      first:await()
      writer:wait_closed()
    end)
  end)

  case("ST17: write_eof half-closes once all is sent", function()
    connected(function(reader, writer) writer:write(tostring(#reader:read())) end,
      function(reader, writer)
        assert.is_true(writer:can_write_eof())
        writer:write(BIG)
        writer:write_eof()
        assert.are.equal(tostring(#BIG), reader:read())
      end)
  end)

  case("ST18: get_extra_info", function()
    connected(wait_for_end, function(_, writer)
      local peer, own = writer:get_extra_info "peername", writer:get_extra_info "sockname"
      local socket = writer:get_extra_info "socket"
      assert.are.same({"127.0.0.1", "inet"}, {peer.host, peer.family})
      assert.are.equal("127.0.0.1:" .. peer.port, tostring(peer))
      assert.are.equal(tostring(own), tostring(socket:getsockname()))
      assert.are.equal(tostring(peer), tostring(socket:getpeername()))
      assert.is_true(socket:fileno() >= 0)
      assert.are.equal("none", writer:get_extra_info("cipher", "none"))
      assert.is_nil(writer:get_extra_info("cipher"))
      writer:close()
      writer:wait_closed()
      assert.are.equal(tostring(peer), tostring(writer:get_extra_info "peername"))
      assert.are.equal(-1, socket:fileno())
    end)
  end)

  case("API.md rule 4: a reader closes with its block", function()
    connected(wait_for_end, function(reader, writer)
      do
        local _ <close> = reader
      end
      assert.is_true(writer:is_closing())
      assert.are.equal("", reader:read())
    end)
  end)

  case("API.md rule 4: a writer closes with its block", function()
    connected(wait_for_end, function(_, writer)
      do
        local _ <close> = writer
      end
      assert.is_true(writer:is_closing())
      assert.matches("closed", tostring(writer))
    end)
  end)
end)

describe("a stream's input", function()
  case("ST1: is paused at twice the limit and resumed by reading", function()
    local go = lucio.Event()
    connected(function(reader)
      go:wait()
      assert.are.equal(#BIG, #reader:readexactly(#BIG))
    end, function(_, writer)
      writer:write(BIG)
      lucio.sleep(0.02)
      -- neither side takes any more
      assert.is_true(writer:get_write_buffer_size() > 0)
      go:set()
      writer:drain()
    end, {limit = 1000})
  end)

  case("ST7: a cancelled read of a socket loses nothing", function()
    local go = lucio.Event()
    connected(function(_, writer)
      writer:write("abc")
      go:wait()
      writer:write("def")
    end, function(reader)
      local read = lucio.create_task(reader.readexactly, reader, 6)
      lucio.sleep(0.01)
      read:cancel()
      lucio.wait {read}
      go:set()
      assert.are.equal("abcdef", reader:readexactly(6))
    end)
  end)
end)

describe("open_connection", function()
  -- A host and a port at which nobody listens.
  local function nobody() return loopback.host, loopback.port() end

  case("ST21: one failure is raised as it is", function(t)
    local host, port = nobody()
    local e = t.raises(lucio.ConnectionRefusedError, lucio.open_connection, host, port)
    assert.are.equal(("[Errno 111] Connect call failed ('%s', %d)"):format(host, port), e.message)
    assert.are.same({"ECONNREFUSED", 111}, {e.code, e.errno})
  end)

  case("ST21: all_errors gives a group", function(t)
    local host, port = nobody()
    local group = t.raises(lucio.ExceptionGroup, lucio.open_connection, host, port,
      {all_errors = true})
    assert.are.equal("ConnectionRefusedError", group.exceptions[1].name)
  end)

  case("ST21: a race gives the first connection, and closes the others", function()
    local server = lucio.start_server(function(_, writer) writer:close() end, "127.0.0.1", 0)
    local port = server.sockets[1]:getsockname().port
    local reader, writer = lucio.open_connection("localhost", port, {happy_eyeballs_delay = 0.2})
    assert.are.equal("", reader:read())
    writer:close()
    writer:wait_closed()
    server:close()
    server:wait_closed()
  end)

  case("local_addr is one of the same family; of a name, each is tried", function(t)
    local server = lucio.start_server(function(reader) reader:read() end, "127.0.0.1", 0)
    local port = server.sockets[1]:getsockname().port
    for _, from in ipairs {"127.0.0.1", "127.0.0.2", "localhost"} do
      local _, writer <close> = lucio.open_connection("127.0.0.1", port, {local_addr = {from, 0}})
      local host = writer:get_extra_info("sockname").host
      assert.are.equal(from == "localhost" and "127.0.0.1" or from, host)
    end
    t.raises("no matching local address with family=inet found", lucio.open_connection,
      "127.0.0.1", port, {local_addr = {"::1", 0}})
    t.raises("no matching local address with family=inet found", lucio.open_connection,
      "127.0.0.1", port, {local_addr = {"::1", 0}, happy_eyeballs_delay = 0.1})
    -- an address of nobody here
    local e = t.raises(lucio.OSError, lucio.open_connection, "127.0.0.1", port,
      {local_addr = {"192.0.2.1", 0}})
    assert.are.equal("EADDRNOTAVAIL", e.code)
    server:drain()
  end)

  case("ST22: bad arguments", function(t)
    t.raises(lucio.TypeError, lucio.open_connection, nil, 80)
    t.raises(lucio.TypeError, lucio.open_connection, "127.0.0.1", nil)
    t.raises(lucio.TypeError, lucio.open_connection, "127.0.0.1", 80, {nope = 1})
    t.raises(lucio.ValueError, lucio.open_connection, "127.0.0.1", 80, {server_hostname = "x"})
    t.raises(lucio.ValueError, lucio.open_connection, "127.0.0.1", 80, {limit = 0})
    t.raises(lucio.ValueError, lucio.open_connection, "127.0.0.1", 100000)
  end)

  case("a timeout ends it", function(t)
    local host, port = nobody()
    local attempt = lucio.create_task(lucio.open_connection, host, port, {timeout = 60})
    t.raises(lucio.ConnectionRefusedError, attempt.await, attempt)
  end)

  case("ST22: cancelling it leaves no socket", function()
    local server = lucio.start_server(function(reader, writer)
      reader:read()
      writer:close()
    end, "127.0.0.1", 0)
    local port = server.sockets[1]:getsockname().port
    for ticks = 0, 3 do
      local task = lucio.create_task(lucio.open_connection, "127.0.0.1", port)
      for _ = 1, ticks do lucio.sleep(0) end
      task:cancel()
      lucio.wait {task}
      if not task:cancelled() then
        local _, writer = task:result()
        writer:close()
        writer:wait_closed()
      end
    end
    server:close()
    server:wait_closed()
  end)

  case("local_addr binds the own end", function()
    local server = lucio.start_server(function(_, writer)
      writer:write(tostring(writer:get_extra_info("peername").host))
      writer:close()
    end, "127.0.0.1", 0)
    local reader, writer = lucio.open_connection("127.0.0.1",
      server.sockets[1]:getsockname().port, {local_addr = {"127.0.0.2", 0}})
    assert.are.equal("127.0.0.2", reader:read())
    writer:close()
    server:close()
    server:wait_closed()
    writer:wait_closed()
  end)

  case("both ends take the ticks, and the order, that they take in asyncio", function(t)
    local expected = {"handler 4", "connected 4", "end 7", "closed 9"}
    -- where the machine has a lot to do, the kernel may deliver later, which takes more
    for _ = 1, 50 do
      t.lines = {}
      local server = lucio.start_server(function(_, writer)
        t.log("handler", t.tick())
        writer:close()
      end, "127.0.0.1", 0)
      t.start_ticks()
      local reader, writer = lucio.open_connection("127.0.0.1",
        server.sockets[1]:getsockname().port)
      t.log("connected", t.tick())
      reader:read()
      t.log("end", t.tick())
      writer:close()
      writer:wait_closed()
      t.log("closed", t.tick())
      server:close()
      server:wait_closed()
      if table.concat(t.lines, "\n") == table.concat(expected, "\n") then break end
    end
    t.same_lines(expected)
  end)
end)
