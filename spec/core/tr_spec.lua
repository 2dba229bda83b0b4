-- TR1 to TR4: transports and protocols.
local assert = require "luassert"
local case = require "spec.support.case"
local eventually = require "spec.support.eventually"
local lucio = require "lucio"

-- A factory of protocols that log what happens to them, with `own` methods in the place of some.
-- Each has the field `over`, a future that is done with connection_lost.
local function logging(t, name, own)
  own = own or {}
  return function()
    local protocol = {over = lucio.Future()}
    local function method(what, default)
      protocol[what] = function(self, argument)
        t.log(name, what, what == "data_received" and argument or nil)
        if own[what] then return own[what](self, argument) end
        if default then return default(self, argument) end
      end
    end
    method("connection_made", function(self, transport) self.transport = transport end)
    method "data_received"
    method "eof_received"
    method "pause_writing"
    method "resume_writing"
    method("connection_lost", function(self, e) self.over:set_result(e) end)
    return protocol
  end
end

local function connected(t, client, server_methods, body)
  local loop, accepted = lucio.get_running_loop(), nil
  local make = logging(t, "server", server_methods)
  local server = loop:create_server(function()
    accepted = make()
    return accepted
  end, "127.0.0.1", 0)
  local transport, protocol = loop:create_connection(logging(t, "client", client), "127.0.0.1",
    server.sockets[1]:getsockname().port)
  eventually(function() return accepted end)
  body(transport, protocol, accepted)
  transport:close()
  protocol.over:await()
  server:close()
  server:wait_closed()
end

local function answer_upper(self, data) self.transport:write(data:upper()) end
local function keep(self, transport) self.transport = transport end

describe("a protocol", function()
  case("TR1: is told of the beginning, of data, of the end, each once and in order", function(t)
    connected(t, nil, {connection_made = keep, data_received = answer_upper},
      function(transport, protocol)
        assert.are.equal(protocol, transport:get_protocol())
        assert.are.equal(transport, protocol.transport)
        transport:writelines {"a", "b"}
        lucio.sleep(0.01)
        transport:write_eof()
        assert.is_nil(protocol.over:await())
      end)
    table.sort(t.lines)
    t.same_lines {
      "client connection_lost nil", "client connection_made nil", "client data_received AB",
      "client eof_received nil", "server connection_lost nil", "server connection_made nil",
      "server data_received ab", "server eof_received nil"}
  end)

  case("ST17: write_eof raises what the kernel says of a connection that was reset", function(t)
    connected(t, nil, {connection_made = function(self, transport)
      self.transport = transport
      transport:pause_reading() -- input that nobody took makes the kernel send a reset
    end}, function(transport, _, accepted)
      transport:pause_reading()
      transport:write("x")
      accepted.transport:abort()
      assert.is_nil(accepted.over:await())
      lucio.sleep(0.05) -- the kernel delivers it at once, unless the machine has a lot to do
      local e = t.raises(lucio.OSError, transport.write_eof, transport)
      assert.are.equal("ENOTCONN", e.code)
      transport:write_eof() -- the end was asked for already
    end)
  end)

  case("TR1: an aborted connection is lost without an error, a reset one with it", function(t)
    connected(t, nil, {connection_made = keep}, function(transport, protocol, other)
      transport:write("never read")
      other.transport:pause_reading()
      lucio.sleep(0.01)
      other.transport:abort()
      assert.is_nil(other.over:await())
      local e = protocol.over:await()
      assert.is_true(e == nil or lucio.isinstance(e, lucio.ConnectionResetError))
    end)
  end)

  case("TR2: a true result of eof_received keeps the sending side open", function(t)
    local function finish(self)
      lucio.get_running_loop():call_later(0.01, function()
        self.transport:write("late")
        self.transport:close()
      end)
      return true
    end
    local got
    connected(t, {connection_made = keep, data_received = function(_, data) got = data end},
      {connection_made = keep, eof_received = finish}, function(transport, protocol)
        transport:write_eof()
        protocol.over:await()
      end)
    assert.are.equal("late", got)
  end)

  case("TR3: pause_writing and resume_writing alternate", function(t)
    local order, size = {}, 0
    connected(t, {
      connection_made = keep,
      pause_writing = function() order[#order + 1] = "pause" end,
      resume_writing = function() order[#order + 1] = "resume" end,
    }, {connection_made = keep, data_received = function(_, data) size = size + #data end},
      function(transport, protocol)
        for _ = 1, 2 do
          transport:write(("x"):rep(8 << 20))
          transport:write("more")
          while transport:get_write_buffer_size() > 0 do lucio.sleep(0.001) end
        end
        transport:write_eof()
        protocol.over:await()
      end)
    assert.are.same({"pause", "resume", "pause", "resume"}, order)
    assert.are.equal(2 * ((8 << 20) + 4), size)
  end)

  case("TR3: pause_reading and resume_reading may be called at any time", function(t)
    connected(t, nil, {connection_made = keep}, function(transport, _, other)
      for _ = 1, 2 do other.transport:pause_reading() end
      assert.is_false(other.transport:is_reading())
      transport:write("x")
      lucio.sleep(0.01)
      local before = #t.lines
      for _ = 1, 2 do other.transport:resume_reading() end
      assert.is_true(other.transport:is_reading())
      lucio.sleep(0.01)
      assert.are.equal(before + 1, #t.lines)
      other.transport:close()
      other.transport:resume_reading()
      assert.is_false(other.transport:is_reading())
    end)
  end)

  case("TR4: an error of a method is reported and ends the connection with it", function(t)
    for _, method in ipairs {"connection_made", "data_received", "eof_received"} do
      local function fail() error(lucio.ValueError(method)) end
      connected(t, nil, {[method] = fail}, function(transport, protocol, other)
        transport:write("x")
        if method == "eof_received" then transport:write_eof() end
        protocol.over:await()
        assert.are.equal(method, other.over:await().message)
      end)
      local reports = t.reports
      local report = reports[#reports]
      assert.are.equal(("Fatal error: protocol.%s() call failed."):format(method), report.message)
      assert.are.equal(method, report.exception.message)
      assert.is_truthy(report.transport and report.protocol)
    end
  end)

  case("needs none of its methods", function()
    local loop = lucio.get_running_loop()
    local server = loop:create_server(function() return {} end, "127.0.0.1", 0)
    local transport = loop:create_connection(function() return {} end, "127.0.0.1",
      server.sockets[1]:getsockname().port)
    transport:write("x")
    transport:set_protocol({})
    transport:close()
    server:close()
    server:wait_closed()
  end)
end)

describe("create_connection", function()
  case("takes as many ticks as in asyncio, and so do the methods", function(t)
    local loop = lucio.get_running_loop()
    local function protocol(name)
      return {
        connection_made = function(self, transport)
          self.transport = transport
          t.log(name, "made", t.tick())
          if name == "client" then transport:write("x") end
        end,
        data_received = function(self)
          t.log(name, "data", t.tick())
          self.transport:close()
        end,
        connection_lost = function() t.log(name, "lost", t.tick()) end,
      }
    end
    local expected = {"server made 3", "client made 3", "connected 4", "server data 4",
      "server lost 5", "closed 6", "client lost 7"}
    -- where the machine has a lot to do, the kernel may deliver later, which takes more
    for _ = 1, 50 do
      t.lines = {}
      local server = loop:create_server(function() return protocol "server" end, "127.0.0.1", 0)
      t.start_ticks()
      loop:create_connection(function() return protocol "client" end, "127.0.0.1",
        server.sockets[1]:getsockname().port)
      t.log("connected", t.tick())
      server:close()
      server:wait_closed()
      t.log("closed", t.tick())
      eventually(function() return t.lines[#t.lines]:find("client lost", 1, true) end)
      if table.concat(t.lines, "\n") == table.concat(expected, "\n") then break end
    end
    t.same_lines(expected)
  end)

  case("bad arguments", function(t)
    local loop = lucio.get_running_loop()
    t.raises(lucio.TypeError, loop.create_connection, loop, nil, "127.0.0.1", 1)
    t.raises(lucio.TypeError, loop.create_connection, loop, function() end, nil, 1)
    t.raises(lucio.TypeError, loop.create_server, loop, {}, "127.0.0.1", 1)
    local server = loop:create_server(function() return {} end, "127.0.0.1", 0)
    local port = server.sockets[1]:getsockname().port
    t.raises(lucio.TypeError, loop.create_connection, loop, function() end, "127.0.0.1", port)
    t.raises("no", loop.create_connection, loop, function() error("no") end, "127.0.0.1", port)
    server:close()
    server:wait_closed()
  end)

  case("over a unix socket", function(t)
    local loop, file = lucio.get_running_loop(), os.tmpname()
    local path = "\0lucio" .. file
    os.remove(file)
    local server = loop:create_unix_server(
      logging(t, "server", {connection_made = keep, data_received = answer_upper}), path)
    local got = lucio.Future()
    local transport = loop:create_unix_connection(logging(t, "client",
      {data_received = function(_, data) got:set_result(data) end}), path)
    transport:write("abc")
    assert.are.equal("ABC", got:await())
    transport:close()
    server:close()
    server:wait_closed()
  end)
end)
