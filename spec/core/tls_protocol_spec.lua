-- TR1, TR2, TR3, TR4, ST15, ST17, ST20 over TLS: transports and protocols, loop:start_tls.
local assert = require "luassert"
local case = require "spec.support.case"
local certificates = require "spec.support.certificates"
local eventually = require "spec.support.eventually"
local lucio = require "lucio"
local tls = require "spec.support.tls"

if tls.left_out() then return end

local BIG, server_context, client_context = tls.BIG, tls.server_context, tls.client_context

-- A protocol that logs what happens to it and calls its `own` methods. `made` and `over` are done
-- with connection_made and connection_lost.
local function logging(t, name, own)
  own = own or {}
  local protocol = {made = lucio.Future(), over = lucio.Future()}
  local function method(what, default)
    protocol[what] = function(self, argument)
      t.log(name, what == "data_received" and what .. " " .. #argument or what)
      if default then default(self, argument) end
      if own[what] then return own[what](self, argument) end
    end
  end
  method("connection_made", function(self, transport)
    self.transport = transport
    self.made:set_result(transport)
  end)
  method "data_received"
  method "eof_received"
  method "pause_writing"
  method "resume_writing"
  method("connection_lost", function(self, e) self.over:set_result(e) end)
  return protocol
end

-- Calls body(port) while a server serves, whose protocols are made by factory().
local function serving(factory, options, body)
  tls.during(lucio.get_running_loop():create_server(factory, "127.0.0.1", 0, options), body)
end

local function connect(factory, port, options)
  options = options or {}
  options.ssl = options.ssl or client_context()
  options.server_hostname = options.server_hostname or "localhost"
  return lucio.get_running_loop():create_connection(factory, "127.0.0.1", port, options)
end

local function only(lines, name)
  local own = {}
  for _, line in ipairs(lines) do
    if line:sub(1, #name) == name then own[#own + 1] = line:sub(#name + 2) end
  end
  return own
end

describe("a protocol over TLS", function()
  certificates.path ""

  case("TR1: hears of the connection when the handshake is done, of its end once", function(t)
    local accepted
    serving(function()
      accepted = logging(t, "server", {data_received = function(self, data)
        self.transport:write(data:upper())
      end})
      return accepted
    end, {ssl = server_context()}, function(port)
      local answer = lucio.Future()
      local transport, protocol = connect(function()
        return logging(t, "client", {data_received = function(_, data)
          answer:set_result(data)
        end})
      end, port)
      assert.are.equal(transport, protocol.made:result())
      assert.are.equal(protocol, transport:get_protocol())
      assert.are.equal("localhost", transport:get_extra_info("peercert").subject.commonName)
      assert.are.equal("TLSv1.3", transport:get_extra_info("cipher")[2])
      assert.are.equal("localhost", transport:get_extra_info("ssl_object").server_hostname)
      assert.are.equal(port, transport:get_extra_info("peername").port)
      transport:writelines {"he", "llo"}
      assert.are.equal("HELLO", answer:await())
      transport:close()
      assert.is_true(transport:is_closing())
      assert.is_nil(protocol.over:await())
      assert.is_nil(accepted.over:await())
    end)
    assert.are.same({"connection_made", "data_received 5", "eof_received", "connection_lost"},
      only(t.lines, "server"))
    assert.are.same({"connection_made", "data_received 5", "eof_received", "connection_lost"},
      only(t.lines, "client"))
  end)

  case("a handshake that fails: the call raises, no protocol hears of a connection", function(t)
    serving(function() return logging(t, "server") end, {ssl = server_context "other.pem"},
      function(port)
        t.raises(lucio.SSLCertVerificationError, connect, function()
          return logging(t, "client")
        end, port)
      end)
    t.same_lines {}
  end)

  case("the factory is called before the handshake, and its error ends the connection", function(t)
    serving(function() error(lucio.ValueError("no protocol today")) end, {ssl = server_context()},
      function(port)
        t.raises(lucio.ConnectionError, connect, function() return {} end, port)
      end)
    assert.are.equal("no protocol today", t.reports[1].exception.message)
  end)

  case("TR2: a true result of eof_received has no effect: there is no half-close", function(t)
    local function stay() return true end
    serving(function() return logging(t, "server", {eof_received = stay}) end,
      {ssl = server_context()}, function(port)
        local transport, protocol = connect(function()
          return logging(t, "client", {eof_received = stay})
        end, port)
        assert.is_false(transport:can_write_eof())
        t.raises(lucio.RuntimeError, transport.write_eof, transport)
        transport:close()
        protocol.over:await()
      end)
  end)

  case("TR3: pause_writing and resume_writing alternate, and all arrives", function(t)
    local size, accepted = 0, nil
    serving(function()
      accepted = logging(t, "server", {data_received = function(_, data) size = size + #data end})
      return accepted
    end, {ssl = server_context()}, function(port)
      local order = {}
      local again
      local transport, protocol = connect(function()
        return logging(t, "client", {
          pause_writing = function() order[#order + 1] = "pause" end,
          resume_writing = function()
            order[#order + 1] = "resume"
            again:set_result()
          end,
        })
      end, port)
      for _ = 1, 2 do
        again = lucio.Future()
        transport:write(BIG)
        transport:write("more")
        again:await()
      end
      transport:close()
      protocol.over:await()
      assert.are.same({"pause", "resume", "pause", "resume"}, order)
    end)
    accepted.over:await()
    assert.are.equal(2 * (#BIG + 4), size)
  end)

  case("TR3: what a protocol writes when it is paused comes after what it was writing", function(t)
    local got, accepted = {}, nil
    serving(function()
      accepted = logging(t, "server", {data_received = function(_, data) got[#got + 1] = data end})
      return accepted
    end, {ssl = server_context()}, function(port)
      local transport, protocol = connect(function()
        return logging(t, "client", {pause_writing = function(self)
          self.transport:write("(paused)")
        end})
      end, port)
      transport:write(BIG)
      transport:close()
      protocol.over:await()
    end)
    accepted.over:await()
    assert.is_true(table.concat(got) == BIG .. "(paused)")
  end)

  case("TR3: one that pauses reading at once gets nothing until it goes on", function(t)
    local accepted, received, resumed
    serving(function()
      accepted = logging(t, "server", {
        connection_made = function(_, transport) transport:pause_reading() end,
        data_received = function(_, data)
          assert(resumed, "data came although reading is paused")
          received:set_result(data)
        end,
      })
      return accepted
    end, {ssl = server_context()}, function(port)
      -- with TLS 1.3 the client's last word of the handshake and its data come together
      for _, version in ipairs {"TLSv1.2", "TLSv1.3"} do
        local context = client_context()
        context.maximum_version = version
        received, resumed = lucio.Future(), false
        local transport, protocol = connect(function()
          return logging(t, "client", {connection_made = function(_, made) made:write("early") end})
        end, port, {ssl = context})
        local other = accepted.made:await()
        for _ = 1, 50 do lucio.sleep(0.001) end
        assert.is_false(received:done())
        resumed = true
        other:resume_reading()
        other:pause_reading()
        for _ = 1, 50 do lucio.sleep(0.001) end
        assert.is_false(received:done())
        other:resume_reading()
        assert.are.equal("early", received:await())
        transport:close()
        protocol.over:await()
      end
    end)
  end)

  case("TR4: an error of a method is reported and ends the connection with it", function(t)
    local accepted
    serving(function()
      accepted = logging(t, "server", {data_received = function()
        error(lucio.ValueError("too much"))
      end})
      return accepted
    end, {ssl = server_context()}, function(port)
      local transport, protocol = connect(function() return logging(t, "client") end, port)
      transport:write("x")
      assert.are.equal("too much", accepted.over:await().message)
      protocol.over:await()
    end)
    assert.are.equal(1, #t.reports)
  end)

  case("TR1: abort ends at once, without a word to the protocol of an end of input", function(t)
    serving(function() return logging(t, "server") end, {ssl = server_context()}, function(port)
      local transport, protocol = connect(function() return logging(t, "client") end, port)
      transport:abort()
      assert.is_nil(protocol.over:await())
    end)
    assert.are.same({"connection_made", "connection_lost"}, only(t.lines, "client"))
  end)

  case("a unix socket carries it too", function(t)
    local loop = lucio.get_running_loop()
    local path = certificates.path "protocol-socket"
    local server = loop:create_unix_server(function() return logging(t, "server") end, path,
      {ssl = server_context()})
    t.raises(lucio.ValueError, loop.create_unix_connection, loop, function() return {} end, path,
      {ssl = client_context()})
    local transport, protocol = loop:create_unix_connection(function()
      return logging(t, "client")
    end, path, {ssl = client_context(), server_hostname = "localhost"})
    transport:close()
    protocol.over:await()
    server:close()
    server:wait_closed()
  end)

  case("cancelling the call in the middle of the handshake closes the connection", function(t)
    local ended = lucio.Future()
    local server = lucio.start_server(function(reader, writer)
      reader:readexactly(1)
      lucio.pcall(reader.read, reader)
      writer:close()
      ended:set_result()
    end, "127.0.0.1", 0)
    local task = lucio.create_task(connect, function() return logging(t, "client") end,
      server.sockets[1]:getsockname().port)
    for _ = 1, 20 do lucio.sleep(0) end
    task:cancel()
    t.raises(lucio.CancelledError, task.await, task)
    ended:await()
    server:close()
    server:wait_closed()
    t.same_lines {}
  end)
end)

describe("loop:start_tls", function()
  -- Calls body(port, take) with a server without TLS; take() gives the next protocol accepted.
  local function plainly(t, own, body)
    local queue = lucio.Queue()
    serving(function()
      local protocol = logging(t, "server", own)
      queue:put_nowait(protocol)
      return protocol
    end, nil, function(port)
      body(port, function()
        local protocol = queue:get()
        protocol.made:await()
        return protocol
      end)
    end)
  end

  local function plain(t, port, own)
    return lucio.get_running_loop():create_connection(function()
      return logging(t, "client", own)
    end, "127.0.0.1", port)
  end

  case("ST20: upgrades in place and gives a new transport to the protocol", function(t)
    local loop = lucio.get_running_loop()
    plainly(t, {data_received = function(self, data)
      if data == "STARTTLS" then
        self.transport:pause_reading()
        self.upgrade = lucio.create_task(loop.start_tls, loop, self.transport, self,
          server_context(), {server_side = true})
        self.transport:write("go on")
      else
        -- data may come before the task goes on
        self.upgrade:add_done_callback(function(task) task:result():write(data:upper()) end)
      end
    end}, function(port, take)
      local answers = lucio.Queue()
      local transport, protocol = plain(t, port, {data_received = function(_, data)
        answers:put_nowait(data)
      end})
      local other = take()
      transport:write("STARTTLS")
      assert.are.equal("go on", answers:get())
      local secure = loop:start_tls(transport, protocol, client_context(),
        {server_hostname = "localhost"})
      assert.are_not.equal(transport, secure)
      assert.are.equal(protocol, secure:get_protocol())
      assert.are.equal("TLSv1.3", secure:get_extra_info("cipher")[2])
      t.raises(lucio.RuntimeError, loop.start_tls, loop, secure, protocol, client_context(),
        {server_hostname = "localhost"})
      secure:write("secret")
      assert.are.equal("SECRET", answers:get())
      secure:close()
      assert.is_nil(protocol.over:await())
      assert.is_nil(other.over:await())
    end)
    assert.are.same({"connection_made", "data_received 5", "data_received 6", "eof_received",
      "connection_lost"}, only(t.lines, "client"))
  end)

  case("may give the connection to another protocol", function(t)
    local loop = lucio.get_running_loop()
    plainly(t, nil, function(port, take)
      local transport, protocol = plain(t, port)
      local accepted = take()
      local server = lucio.create_task(loop.start_tls, loop, accepted.transport, accepted,
        server_context(), {server_side = true})
      local second = logging(t, "second")
      local secure = loop:start_tls(transport, second, client_context(),
        {server_hostname = "localhost"})
      server:await():write("hello")
      eventually(function() return #only(t.lines, "second") > 0 end)
      secure:close()
      second.over:await()
      assert.is_false(protocol.over:done())
    end)
    assert.are.same({"data_received 5", "eof_received", "connection_lost"},
      only(t.lines, "second"))
  end)

  case("ST20: one that fails raises, then the protocol hears of the loss", function(t)
    local loop = lucio.get_running_loop()
    plainly(t, nil, function(port, take)
      local transport, protocol = plain(t, port)
      local accepted = take()
      local server = lucio.create_task(loop.start_tls, loop, accepted.transport, accepted,
        server_context(), {server_side = true})
      local e = t.raises(lucio.SSLCertVerificationError, loop.start_tls, loop, transport, protocol,
        client_context(), {server_hostname = "wrong.example"})
      assert.is_true(transport:is_closing())
      assert.are.equal(e.message, protocol.over:await().message)
      t.raises(lucio.SSLError, server.await, server)
      accepted.over:await()
    end)
  end)

  case("ST20: cancelling it closes the connection", function(t)
    local loop = lucio.get_running_loop()
    plainly(t, nil, function(port, take)
      local transport, protocol = plain(t, port)
      take()
      local task = lucio.create_task(loop.start_tls, loop, transport, protocol, client_context(),
        {server_hostname = "localhost"})
      for _ = 1, 5 do lucio.sleep(0) end
      task:cancel()
      t.raises(lucio.CancelledError, task.await, task)
      protocol.over:await()
    end)
  end)

  case("bad arguments are errors at once", function(t)
    local loop = lucio.get_running_loop()
    local context = client_context()
    plainly(t, nil, function(port, take)
      local transport, protocol = plain(t, port)
      take()
      t.raises(lucio.TypeError, loop.start_tls, loop, {}, protocol, context,
        {server_hostname = "x"})
      t.raises("bad argument #2 to 'start_tls' (protocol as table expected, got nil)",
        loop.start_tls, loop, transport, nil, context)
      t.raises("bad argument #3 to 'start_tls' (SSLContext expected, got nil)", loop.start_tls,
        loop, transport, protocol)
      t.raises("bad argument #4 to 'start_tls' (unknown option 'host')", loop.start_tls, loop,
        transport, protocol, context, {host = "x"})
      t.raises("check_hostname requires server_hostname", loop.start_tls, loop, transport,
        protocol, context)
      t.raises(lucio.ValueError, loop.start_tls, loop, transport, protocol, context,
        {server_side = true})
      t.raises(lucio.ValueError, loop.start_tls, loop, transport, protocol, context,
        {server_hostname = ("x"):rep(300)})
      transport:close()
      protocol.over:await()
      t.raises(lucio.ConnectionResetError, loop.start_tls, loop, transport, protocol, context,
        {server_hostname = "x"})
    end)
  end)
end)
