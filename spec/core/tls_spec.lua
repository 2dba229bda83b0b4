-- ST15, ST17, ST18, ST20 over TLS: connections, what is verified, ends; on the loopback interface.
local assert = require "luassert"
local case = require "spec.support.case"
local certificates = require "spec.support.certificates"
local eventually = require "spec.support.eventually"
local lucio = require "lucio"
local many_bytes = require "spec.support.many_bytes"
local testing = require "lucio.testing"
local tls = require "spec.support.tls"

if tls.left_out() then return end

local BIG, server_context, client_context = tls.BIG, tls.server_context, tls.client_context
local serving, connect, close, echo = tls.serving, tls.connect, tls.close, tls.echo
local wait_for_end = tls.wait_for_end

local function refused(t, server, options)
  local failure
  serving(echo, {ssl = server}, function(port)
    failure = t.raises(lucio.SSLError, connect, port, options)
  end)
  return failure
end

describe("TLS", function()
  certificates.path ""

  case("lines go to and fro", function()
    serving(echo, {ssl = server_context()}, function(port)
      local reader, writer = connect(port, {})
      for _, line in ipairs {"one\n", "\n", "three\n"} do
        writer:write(line)
        assert.are.equal(line, reader:readline())
      end
      close(writer)
      assert.are.equal("", reader:read())
      assert.is_true(reader:at_eof())
    end)
  end)

  case("large data goes both ways at once, with back-pressure", function()
    for _, version in ipairs {"TLSv1.2", "TLSv1.3"} do
      local context = client_context()
      context.maximum_version = version
      serving(echo, {ssl = server_context()}, function(port)
        local reader, writer = connect(port, {ssl = context})
        local sender = lucio.create_task(function()
          writer:write(BIG)
          assert.is_true(writer:get_write_buffer_size() > 65536)
          writer:drain()
          assert.is_true(writer:get_write_buffer_size() <= 16384)
        end)
        assert.is_true(reader:readexactly(#BIG) == BIG)
        sender:await()
        assert.are.equal(version, writer:get_extra_info("ssl_object"):version())
        close(writer)
      end)
    end
  end)

  case("a reader that does not read stops its peer", function()
    local written = 0
    local go = lucio.Event()
    serving(function(_, writer)
      for _ = 1, 64 do
        writer:write(BIG:sub(1, 262144))
        writer:drain()
        written = written + 1
      end
      close(writer)
    end, {ssl = server_context()}, function(port)
      local reader, writer = connect(port, {})
      for _ = 1, 50 do lucio.sleep(0.001) end
      assert.is_true(written < 64)
      go:set()
      assert.are.equal(64 * 262144, #reader:read())
      close(writer)
    end)
  end)

  case("ST18: get_extra_info tells of the connection, also after its end", function()
    local context = client_context()
    local names
    serving(function(reader, writer)
      local object = writer:get_extra_info("ssl_object")
      names = {object.server_side, object.server_hostname,
        writer:get_extra_info("peercert", "none")}
      echo(reader, writer)
    end, {ssl = server_context()}, function(port)
      local _, writer = connect(port, {ssl = context})
      close(writer)
      assert.are.equal(context, writer:get_extra_info("sslcontext"))
      local certificate = writer:get_extra_info("peercert")
      assert.are.same({"localhost", "specs"},
        {certificate.subject.commonName, certificate.issuer.commonName})
      assert.are.same({"DNS:localhost", "IP Address:127.0.0.1"}, certificate.subjectAltName)
      assert.matches("GMT$", certificate.notAfter)
      local cipher = writer:get_extra_info("cipher")
      assert.are.same({"TLSv1.3", "number"}, {cipher[2], type(cipher[3])})
      assert.are.equal("none", writer:get_extra_info("alpn_protocol", "none"))
      assert.are.equal(port, writer:get_extra_info("peername").port)
    end)
    assert.are.same({true, "localhost", "none"}, names)
  end)

  case("ST17: there is no half-close", function(t)
    serving(echo, {ssl = server_context()}, function(port)
      local _, writer = connect(port, {})
      assert.is_false(writer:can_write_eof())
      t.raises(lucio.RuntimeError, writer.write_eof, writer)
      close(writer)
    end)
  end)

  case("a unix socket carries it too", function(t)
    local path = certificates.path "socket"
    local server = lucio.start_unix_server(echo, path, {ssl = server_context()})
    t.raises(lucio.ValueError, lucio.open_unix_connection, path, {ssl = client_context()})
    local reader, writer = lucio.open_unix_connection(path,
      {ssl = client_context(), server_hostname = "localhost"})
    writer:write("x\n")
    assert.are.equal("x\n", reader:readline())
    close(writer)
    server:close()
    server:wait_closed()
  end)
end)

describe("a read of many bytes over TLS", function()
  many_bytes.cases(tls.secure_pair, function(writer) writer:close() end)
end)

describe("TLS verification", function()
  case("a certificate for another host is refused, and the error says so", function(t)
    local e = refused(t, server_context "other.pem", {})
    assert.are.equal("SSLCertVerificationError", e.name)
    assert.are.equal("Hostname mismatch, certificate is not valid for 'localhost'",
      e.verify_message)
    assert.are.equal("certificate verify failed for 'localhost': " .. e.verify_message, e.message)
    assert.is_true(lucio.isinstance(e, lucio.OSError))
  end)

  case("an address is looked for among the certificate's addresses", function(t)
    serving(echo, {ssl = server_context()}, function(port)
      local _, writer = lucio.open_connection("127.0.0.1", port, {ssl = client_context()})
      close(writer)
    end)
    local e = refused(t, server_context(), {server_hostname = "127.0.0.2"})
    assert.are.equal("IP address mismatch, certificate is not valid for '127.0.0.2'",
      e.verify_message)
  end)

  case("an unknown authority is refused", function(t)
    local e = refused(t, server_context "stranger.pem", {})
    assert.are.equal("self-signed certificate", e.verify_message)
    e = refused(t, server_context(), {ssl = true})
    assert.are.equal("SSLCertVerificationError", e.name)
  end)

  case("an expired certificate is refused", function(t)
    local e = refused(t, server_context "expired.pem", {})
    assert.are.equal("certificate has expired", e.verify_message)
  end)

  case("without check_hostname any name will do, without verify_mode any certificate", function()
    local context = client_context()
    context.check_hostname = false
    serving(echo, {ssl = server_context "other.pem"}, function(port)
      close(select(2, connect(port, {ssl = context})))
    end)
    context.verify_mode = lucio.ssl.CERT_NONE
    serving(echo, {ssl = server_context "stranger.pem"}, function(port)
      close(select(2, connect(port, {ssl = context})))
    end)
  end)

  case("cadata is trusted as cafile is", function()
    local file <close> = assert(io.open(certificates.path "ca.pem"))
    local context = lucio.ssl.create_default_context("SERVER_AUTH", {cadata = file:read("a")})
    serving(echo, {ssl = server_context()}, function(port)
      close(select(2, connect(port, {ssl = context})))
    end)
  end)

  case("a client's certificate is asked for, checked, and shown", function(t)
    local server = server_context()
    server.verify_mode = lucio.ssl.CERT_REQUIRED
    server:load_verify_locations {cafile = certificates.path "ca.pem"}
    local name
    local function serve(reader, writer)
      name = writer:get_extra_info("peercert").subject.commonName
      echo(reader, writer)
    end
    serving(serve, {ssl = server}, function(port)
      local context = client_context()
      context:load_cert_chain(certificates.path "client.pem")
      local reader, writer = connect(port, {ssl = context})
      writer:write("x\n")
      assert.are.equal("x\n", reader:readline())
      close(writer)
      assert.are.equal("client", name)
      -- with TLS 1.3 the client is through before it is refused
      reader, writer = connect(port, {})
      local e = t.raises(lucio.SSLError, reader.read, reader)
      assert.matches("certificate required", e.message, 1, true)
      t.raises(lucio.SSLError, writer.wait_closed, writer)
    end)
  end)

  case("a server's handshake that fails is reported in debug mode alone", function(t)
    serving(echo, {ssl = server_context()}, function(port)
      t.raises(lucio.SSLError, connect, port, {server_hostname = "wrong.example"})
      lucio.sleep(0.01)
      assert.are.equal(0, #t.reports)
      local loop = lucio.get_running_loop()
      local debug = loop:get_debug()
      loop:set_debug(true)
      t.raises(lucio.SSLError, connect, port, {server_hostname = "wrong.example"})
      eventually(function() return #t.reports > 0 end)
      loop:set_debug(debug)
      assert.are.equal("Error on transport creation for incoming connection",
        t.reports[1].message)
      assert.is_true(lucio.isinstance(t.reports[1].exception, lucio.SSLError))
    end)
  end)
end)

describe("TLS options", function()
  case("ALPN: the server's first protocol that the client has", function()
    local server, client = server_context(), client_context()
    server:set_alpn_protocols {"h2", "http/1.1"}
    client:set_alpn_protocols {"http/1.1", "h2"}
    local chosen
    serving(function(reader, writer)
      chosen = writer:get_extra_info("alpn_protocol")
      echo(reader, writer)
    end, {ssl = server}, function(port)
      local _, writer = connect(port, {ssl = client})
      assert.are.equal("h2", writer:get_extra_info("alpn_protocol"))
      close(writer)
      client:set_alpn_protocols {"other"}
      _, writer = connect(port, {ssl = client})
      assert.is_nil(writer:get_extra_info("alpn_protocol"))
      close(writer)
    end)
    assert.is_nil(chosen)
  end)

  case("a session is resumed with the same host, until the trust changes", function()
    for _, version in ipairs {"TLSv1.2", "TLSv1.3"} do
      local context = client_context()
      context.maximum_version = version
      local function reused(port)
        local reader, writer = connect(port, {ssl = context})
        writer:write("x\n")
        reader:readline()
        close(writer)
        return writer:get_extra_info("ssl_object").session_reused
      end
      serving(echo, {ssl = server_context()}, function(port)
        assert.is_false(reused(port))
        assert.is_true(reused(port))
        context:load_verify_locations {cafile = certificates.path "ca.pem"}
        assert.is_false(reused(port))
      end)
    end
  end)

  case("versions below TLS 1.2 are not offered, and both sides must have one in common", function(t)
    local server, client = server_context(), client_context()
    assert.are.equal("TLSv1.2", client.minimum_version)
    server.minimum_version = lucio.ssl.TLSVersion.TLSv1_3
    client.maximum_version = lucio.ssl.TLSVersion.TLSv1_2
    local e = refused(t, server, {ssl = client})
    assert.matches("alert protocol version", e.message, 1, true)
    t.raises("minimum_version: 'TLSv1.2' or 'TLSv1.3' expected, got 'TLSv1.1'", function()
      client.minimum_version = "TLSv1.1"
    end)
  end)

  case("keys: a password, a wrong one, none, a missing file, a key of another", function(t)
    local context = lucio.ssl.create_default_context("CLIENT_AUTH")
    local locked = certificates.path "locked.pem"
    t.raises(lucio.SSLError, context.load_cert_chain, context, locked)
    t.raises(lucio.SSLError, context.load_cert_chain, context, locked, nil, "wrong")
    context:load_cert_chain(locked, nil, "secret")
    t.raises(lucio.FileNotFoundError, context.load_cert_chain, context, "missing.pem")
    local e = t.raises(lucio.SSLError, context.load_cert_chain, context,
      certificates.path "server.crt", certificates.path "other.key")
    assert.matches("key values mismatch", e.message, 1, true)
    t.raises(lucio.FileNotFoundError, lucio.ssl.create_default_context, "SERVER_AUTH",
      {cafile = "missing.pem"})
    t.raises(lucio.SSLError, lucio.ssl.create_default_context, "SERVER_AUTH", {cadata = "x"})
  end)

  case("bad arguments are errors at once", function(t)
    local ssl = lucio.ssl
    local context = client_context()
    t.raises(lucio.ValueError, ssl.create_default_context, "SOMETHING")
    t.raises(lucio.TypeError, ssl.create_default_context, "SERVER_AUTH", {file = "x"})
    t.raises(lucio.TypeError, ssl.create_default_context, 5)
    t.raises(lucio.TypeError, context.load_cert_chain, context, 5)
    t.raises(lucio.TypeError, context.load_cert_chain, {}, "x")
    t.raises(lucio.TypeError, context.set_alpn_protocols, context, {5})
    t.raises(lucio.ValueError, context.set_alpn_protocols, context, {""})
    t.raises(lucio.TypeError, function() context.colour = 5 end)
    t.raises(lucio.TypeError, function() context.check_hostname = 5 end)
    t.raises("Cannot set verify_mode to CERT_NONE when check_hostname is enabled.", function()
      context.verify_mode = "CERT_NONE"
    end)
    local open, start = lucio.open_connection, lucio.start_server
    t.raises(lucio.TypeError, open, "127.0.0.1", 1, {ssl = 5})
    t.raises(lucio.ValueError, open, "127.0.0.1", 1, {server_hostname = "x"})
    t.raises(lucio.ValueError, open, "127.0.0.1", 1, {ssl_handshake_timeout = 5})
    t.raises(lucio.ValueError, open, "127.0.0.1", 1, {ssl = true, ssl_handshake_timeout = 0})
    t.raises(lucio.ValueError, open, "127.0.0.1", 1, {ssl = true, server_hostname = ""})
    t.raises(lucio.TypeError, start, echo, "127.0.0.1", 0, {ssl = true})
    local e = t.raises(lucio.ValueError, start, echo, "127.0.0.1", 0, {ssl = context})
    assert.matches("no certificate", e.message, 1, true)
  end)
end)

describe("TLS handshakes", function()
  -- Calls body(port) with a plain server.
  local function plainly(serve, body) serving(serve, nil, body) end

  case("a name that is none closes the connection again", function(t)
    plainly(wait_for_end, function(port)
      t.raises(lucio.ValueError, connect, port, {server_hostname = "local\0host"})
      t.raises(lucio.ValueError, connect, port, {server_hostname = ("x"):rep(300)})
    end)
  end)

  case("plain text sent to a TLS port is refused", function()
    serving(echo, {ssl = server_context()}, function(port)
      local reader, writer = lucio.open_connection("127.0.0.1", port)
      writer:write("GET / HTTP/1.0\r\n\r\n")
      local ok, data = lucio.pcall(reader.read, reader)
      assert.is_true(not ok or data:byte() ~= ("G"):byte())
      close(writer)
    end)
  end)

  case("a server that speaks no TLS is an error with its reason", function(t)
    plainly(function(reader, writer)
      reader:read(1)
      writer:write("220 ready when you are\r\n")
      pcall(reader.read, reader)
      writer:close()
    end, function(port)
      local e = t.raises(lucio.SSLError, connect, port, {})
      assert.are.equal("wrong version number (TLS handshake with 'localhost')", e.message)
      assert.are.equal("wrong version number", e.reason)
    end)
  end)

  case("a server that closes in the middle is an error", function(t)
    plainly(function(reader, writer)
      reader:read(1)
      writer:close()
    end, function(port)
      t.raises(lucio.ConnectionResetError, connect, port, {})
    end)
  end)

  case("ST20: a handshake has 60 seconds", function(t)
    local loop = lucio.get_running_loop()
    for limit, options in pairs {[60] = {}, [2] = {ssl_handshake_timeout = 2}} do
      local one, other = testing.stream_pair()
      options.server_hostname = "localhost"
      local start = loop:time()
      local e = t.raises(lucio.ConnectionAbortedError, one.writer.start_tls, one.writer,
        client_context(), options)
      assert.matches("handshake is taking longer than", e.message, 1, true)
      assert.are.equal(limit, loop:time() - start)
      other:abort()
      lucio.sleep(0)
    end
  end)

  case("cancelling one closes the connection", function(t)
    local ended = lucio.Event()
    plainly(function(reader, writer)
      reader:read()
      ended:set()
      close(writer)
    end, function(port)
      local task = lucio.create_task(connect, port, {})
      lucio.sleep(0.01)
      task:cancel()
      t.raises(lucio.CancelledError, task.await, task)
      ended:wait()
      t.raises(lucio.TimeoutError, connect, port, {timeout = 0.05})
    end)
  end)

  case("a client that says nothing does not keep others waiting", function()
    serving(echo, {ssl = server_context()}, function(port)
      local _, silent = lucio.open_connection("127.0.0.1", port)
      local reader, writer = connect(port, {})
      writer:write("x\n")
      assert.are.equal("x\n", reader:readline())
      close(writer)
      close(silent)
    end)
  end)

  -- A plain server that upgrades when it is told to.
  local function upgrading(reader, writer)
    local context = server_context()
    assert.are.equal("STARTTLS\n", reader:readline())
    writer:write("go on\n")
    writer:start_tls(context)
    writer:write(reader:readline():upper())
    close(writer)
  end

  case("ST20: start_tls upgrades both ends in place", function(t)
    plainly(upgrading, function(port)
      local reader, writer = lucio.open_connection("127.0.0.1", port)
      writer:write("STARTTLS\n")
      assert.are.equal("go on\n", reader:readline())
      writer:start_tls(client_context(), {server_hostname = "localhost"})
      t.raises(lucio.RuntimeError, writer.start_tls, writer, client_context(),
        {server_hostname = "localhost"})
      writer:write("secret\n")
      assert.are.equal("SECRET\n", reader:readline())
      close(writer)
    end)
  end)

  case("plain text behind the word that starts TLS is no part of the conversation", function(t)
    local failure
    plainly(function(reader, writer)
      failure = t.raises(lucio.SSLError, upgrading, reader, writer)
    end, function(port)
      local reader, writer = lucio.open_connection("127.0.0.1", port)
      writer:write("STARTTLS\nsmuggled words that are no handshake\n")
      lucio.pcall(reader.read, reader)
      close(writer)
    end)
    assert.matches("TLS handshake with a client", failure.message, 1, true)
  end)

  case("ST20: start_tls of a reader that has more than it wants reads on", function()
    local watchers
    serving(function(reader, writer)
      -- the client's first words are more than twice the limit
      eventually(function() return watchers and lucio.stats().watchers < watchers end)
      writer:start_tls(server_context())
      writer:write(reader:readexactly(5))
      close(writer)
    end, {limit = 10}, function(port)
      local reader, writer = lucio.open_connection("127.0.0.1", port)
      eventually(function() return lucio.stats().watchers >= 3 end)
      watchers = lucio.stats().watchers
      writer:start_tls(client_context(), {server_hostname = "localhost"})
      writer:write("hello")
      assert.are.equal("hello", reader:read())
      close(writer)
    end)
  end)

  case("ST20: start_tls that fails closes the connection", function(t)
    plainly(function(reader, writer)
      pcall(upgrading, reader, writer)
    end, function(port)
      local reader, writer = lucio.open_connection("127.0.0.1", port)
      t.raises(lucio.TypeError, writer.start_tls, writer)
      t.raises(lucio.TypeError, writer.start_tls, writer, client_context(), {host = "x"})
      t.raises("check_hostname requires server_hostname", writer.start_tls, writer,
        client_context())
      writer:write("STARTTLS\n")
      assert.are.equal("go on\n", reader:readline())
      t.raises(lucio.SSLCertVerificationError, writer.start_tls, writer, client_context(),
        {server_hostname = "wrong.example"})
      assert.is_true(writer:is_closing())
      t.raises(lucio.SSLCertVerificationError, reader.read, reader)
    end)
  end)
end)

describe("TLS ends", function()
  case("close sends what is left and says so: both ends see an orderly end", function()
    local truncated
    serving(function(reader, writer)
      assert.are.equal(#BIG, #reader:read())
      assert.is_true(writer:is_closing())
      truncated = writer:get_extra_info("ssl_object").truncated
      close(writer)
    end, {ssl = server_context()}, function(port)
      local _, writer = connect(port, {})
      writer:write(BIG)
      close(writer)
    end)
    assert.is_false(truncated)
  end)

  case("an end without a word is an end, and is known", function()
    local truncated
    serving(function(reader, writer)
      writer:write("go\n")
      assert.are.equal("half", reader:read())
      truncated = writer:get_extra_info("ssl_object").truncated
      close(writer)
    end, {ssl = server_context()}, function(port)
      local reader, writer = connect(port, {})
      assert.are.equal("go\n", reader:readline())
      writer:write("half")
      writer:abort()
      writer:wait_closed()
    end)
    assert.is_true(truncated)
  end)

  case("ST20: who waits for the other's word waits for 30 seconds", function(t)
    local one, other = tls.secure_pair {limit = 100}
    local reader, writer = one.reader, one.writer
    -- the other end has more than it wants and reads no further
    writer:write(("x"):rep(1000))
    lucio.sleep(0)
    lucio.sleep(0)
    local loop = lucio.get_running_loop()
    local start = loop:time()
    writer:close()
    local e = t.raises(lucio.TimeoutError, writer.wait_closed, writer)
    assert.are.equal("SSL shutdown timed out", e.message)
    assert.are.equal(30, loop:time() - start)
    t.raises(lucio.TimeoutError, reader.read, reader)
    other:abort()
    lucio.sleep(0)
  end)

  case("abort ends at once", function(t)
    serving(wait_for_end, {ssl = server_context()}, function(port)
      local reader, writer = connect(port, {})
      local read = lucio.create_task(reader.read, reader)
      lucio.sleep(0)
      writer:abort()
      assert.are.equal("", read:await())
      writer:wait_closed()
      t.raises(lucio.ConnectionResetError, writer.drain, writer)
    end)
  end)

  case("cancelling a read loses nothing", function(t)
    serving(echo, {ssl = server_context()}, function(port)
      local reader, writer = connect(port, {})
      local read = lucio.create_task(reader.readline, reader)
      lucio.sleep(0)
      writer:write("he")
      lucio.sleep(0.01)
      read:cancel()
      t.raises(lucio.CancelledError, read.await, read)
      writer:write("llo\n")
      assert.are.equal("hello\n", reader:readline())
      close(writer)
    end)
  end)

  case("a connection that is aborted at once leaves nothing", function()
    local server = server_context()
    local context = client_context()
    local listening = lucio.start_server(function(reader)
      lucio.pcall(reader.read, reader)
    end, "127.0.0.1", 0, {ssl = server})
    local _, writer = connect(listening.sockets[1]:getsockname().port, {ssl = context})
    listening:close()
    writer:abort()
    listening:wait_closed()
  end)

  it("a loop that closes in the middle of connections and handshakes leaves nothing", function()
    local server, client = server_context(), client_context()
    local before = lucio.stats()
    lucio.run(function()
      local listening = lucio.start_server(echo, "127.0.0.1", 0, {ssl = server})
      local port = listening.sockets[1]:getsockname().port
      connect(port, {ssl = client})
      lucio.create_task(connect, port, {ssl = client})
      lucio.open_connection("127.0.0.1", port)
      lucio.sleep(0)
    end)
    for _ = 1, 4 do collectgarbage() end
    local stats = lucio.stats()
    local keys = {"tasks", "timers", "watchers", "anchors", "loops"}
    for _, key in ipairs(keys) do
      assert.are.equal(before[key], stats[key], key)
    end
  end)
end)
