-- What contexts can be told and asked: names that clients ask for, sessions, flags; SSLObject.
local assert = require "luassert"
local case = require "spec.support.case"
local certificates = require "spec.support.certificates"
local lucio = require "lucio"
local tls = require "spec.support.tls"

if tls.left_out() then return end

local server_context, client_context, serving = tls.server_context, tls.client_context, tls.serving
local connect, close, echo = tls.connect, tls.close, tls.echo

-- A connection that has got its tickets: the answer to what it said comes after them.
local function talk(port, options)
  local reader, writer = connect(port, options)
  writer:write("x\n")
  assert.are.equal("x\n", reader:readline())
  return writer
end

describe("sni_callback", function()
  certificates.path ""

  case("is told the name, and may choose another context", function()
    local server, other = server_context(), server_context "other.pem"
    local asked = {}
    server.sni_callback = function(object, name, context)
      asked[#asked + 1] = tostring(name)
      assert(context == server and object.context == server and object.server_side)
      if name == "other.example" then object.context = other end
    end
    local chosen
    serving(function(reader, writer)
      chosen = writer:get_extra_info("ssl_object").context
      assert.are.equal(server, writer:get_extra_info("sslcontext"))
      echo(reader, writer)
    end, {ssl = server}, function(port)
      for _, name in ipairs {"localhost", "other.example"} do
        local writer = talk(port, {server_hostname = name})
        assert.are.equal(name, writer:get_extra_info("peercert").subject.commonName)
        assert.are.equal(name == "localhost" and server or other, chosen)
        close(writer)
      end
      local context = client_context()
      local writer = talk(port, {server_hostname = "127.0.0.1", ssl = context})
      close(writer)
    end)
    assert.are.same({"localhost", "other.example", "nil"}, asked)
    assert.are.equal("function", type(server.sni_callback))
    server:set_servername_callback(nil)
    assert.is_nil(server.sni_callback)
  end)

  case("ALPN is that of the context it has chosen", function()
    local server, other = server_context(), server_context "other.pem"
    server:set_alpn_protocols {"one"}
    other:set_alpn_protocols {"two"}
    server:set_servername_callback(function(object) object.context = other end)
    serving(echo, {ssl = server}, function(port)
      local context = client_context()
      context:set_alpn_protocols {"one", "two"}
      local writer = talk(port, {server_hostname = "other.example", ssl = context})
      assert.are.equal("two", writer:get_extra_info("alpn_protocol"))
      assert.are.equal("two", writer:get_extra_info("ssl_object"):selected_alpn_protocol())
      close(writer)
    end)
  end)

  case("refuses a client by the number of an alert", function(t)
    local server = server_context()
    server.sni_callback = function()
      return lucio.ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    end
    serving(echo, {ssl = server}, function(port)
      local e = t.raises(lucio.SSLError, connect, port)
      assert.matches("unrecognized name", e.message, 1, true)
    end)
  end)

  case("one that fails, waits or answers nonsense refuses the client and is reported", function(t)
    local server = server_context()
    local wrong = {
      function() error(lucio.ValueError("no idea")) end,
      function() lucio.sleep(1) end,
      function() return "yes" end,
      function(object) object.context = client_context() end,
    }
    for i, callback in ipairs(wrong) do
      server.sni_callback = callback
      serving(echo, {ssl = server}, function(port)
        t.raises(lucio.SSLError, connect, port)
      end)
      assert.are.equal("Error in the callback for a server name (sni_callback)",
        t.reports[i].message)
    end
    assert.are.equal("no idea", t.reports[1].exception.message)
    assert.are.equal("sni_callback: nil or the number of an alert expected, got string",
      t.reports[3].exception.message)
    assert.are.equal(#wrong, #t.reports)
    t.raises(lucio.TypeError, function() server.sni_callback = 5 end)
  end)

  case("may write to another connection", function()
    local server = server_context()
    local others = {}
    server.sni_callback = function()
      if others[1] then others[1]:write("somebody comes\n") end
    end
    serving(function(reader, writer)
      others[#others + 1] = writer
      echo(reader, writer)
    end, {ssl = server}, function(port)
      local reader, writer = connect(port)
      writer:write("x\n")
      assert.are.equal("x\n", reader:readline())
      local second = talk(port)
      assert.are.equal("somebody comes\n", reader:readline())
      close(writer)
      close(second)
    end)
  end)

  case("a context and its callback that know each other are collected together", function()
    local found = setmetatable({}, {__mode = "k"})
    do
      local server = server_context()
      server.sni_callback = function() return server end
      found[server] = true
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(found))
  end)
end)

describe("keylog_filename", function()
  -- The lines of a key log, sorted, and how many of them are comments.
  local function read_log(path)
    local lines, comments = {}, 0
    for line in io.lines(path) do
      if line:sub(1, 1) == "#" then comments = comments + 1 else lines[#lines + 1] = line end
    end
    table.sort(lines)
    return lines, comments
  end

  case("gets the secrets of each connection, on either side", function()
    local own, peers = os.tmpname(), os.tmpname()
    local client, server = client_context(), server_context()
    assert.is_nil(client.keylog_filename)
    client.keylog_filename, server.keylog_filename = own, peers
    assert.are.equal(own, client.keylog_filename)
    local lines = 0
    serving(echo, {ssl = server}, function(port)
      for _, version in ipairs {"TLSv1.2", "TLSv1.3"} do
        client.maximum_version = version
        close(talk(port, {ssl = client}))
        local log, comments = read_log(own)
        local name = version == "TLSv1.2" and "CLIENT_RANDOM" or "CLIENT_TRAFFIC_SECRET_0"
        local random = ("%x"):rep(64)
        assert.matches("\n" .. name .. " " .. random .. " %x+\n",
          "\n" .. table.concat(log, "\n") .. "\n")
        assert.are.same({log, comments}, {read_log(peers)})
        assert.are.equal(1, comments)
        assert.is_true(#log > lines)
        lines = #log
      end
      client.keylog_filename = nil
      close(talk(port, {ssl = client}))
    end)
    assert.is_nil(client.keylog_filename)
    assert.are.equal(lines, #read_log(own))
    assert.is_true(#read_log(peers) > lines)
    os.remove(own)
    os.remove(peers)
  end)

  case("that cannot be written to ends the handshake with an error", function(t)
    local client = client_context()
    client.keylog_filename = "/dev/full"
    serving(tls.try_echo, {ssl = server_context()}, function(port)
      local e = t.raises(lucio.OSError, connect, port, {ssl = client})
      assert.are.equal("keylog_filename '/dev/full': No space left on device", e.message)
    end)
  end)

  case("is a path that can be opened, or nil", function(t)
    local context = client_context()
    local function set(value) context.keylog_filename = value end
    t.raises("keylog_filename: string or nil expected, got number", set, 5)
    t.raises("keylog_filename: string with a zero byte", set, "a\0b")
    local e = t.raises(lucio.FileNotFoundError, set, "/nowhere/log")
    assert.are.equal("/nowhere/log", e.path or e.filename)
    assert.is_nil(context.keylog_filename)
    -- nobody reads the pipe
    local pipe = os.tmpname()
    assert(os.execute(("rm %s && mkfifo %s"):format(pipe, pipe)))
    t.raises(lucio.OSError, set, pipe)
    os.remove(pipe)
  end)
end)

describe("SSLSession", function()
  case("a client resumes one explicitly, in other connections of its context", function(t)
    for _, version in ipairs {"TLSv1.2", "TLSv1.3"} do
      local context = client_context()
      context.maximum_version = version
      serving(echo, {ssl = server_context()}, function(port)
        local writer = talk(port, {ssl = context})
        local object = writer:get_extra_info("ssl_object")
        assert.is_false(object.session_reused)
        local session = object.session
        assert.is_true(session.has_ticket)
        assert.is_true(session.timeout > 0 and session.time > 0)
        assert.are.equal("string", type(session.id))
        close(writer)
        writer = talk(port, {ssl = context, session = session})
        assert.is_true(writer:get_extra_info("ssl_object").session_reused)
        close(writer)
        t.raises("Session refers to a different SSLContext.", connect, port, {session = session})
        t.raises("the session is one with 'localhost', not with '127.0.0.1'", connect, port,
          {ssl = context, session = session, server_hostname = "127.0.0.1"})
        t.raises(lucio.TypeError, connect, port, {ssl = context, session = {}})
        t.raises("session is only meaningful with ssl", lucio.open_connection, "127.0.0.1", port,
          {session = session})
        -- what is trusted has changed
        context:load_verify_locations {cafile = certificates.path "ca.pem"}
        writer = talk(port, {ssl = context, session = session})
        assert.is_false(writer:get_extra_info("ssl_object").session_reused)
        close(writer)
      end)
    end
  end)

  case("a server without tickets has none to resume", function()
    local server, client = server_context(), client_context()
    assert.are.equal(2, server.num_tickets)
    server.num_tickets = 0
    assert.are.equal(0, server.num_tickets)
    serving(echo, {ssl = server}, function(port)
      for _ = 1, 2 do
        local writer = talk(port, {ssl = client})
        assert.is_false(writer:get_extra_info("ssl_object").session_reused)
        close(writer)
      end
    end)
  end)

  case("server:session_stats counts handshakes", function()
    local server, client = server_context(), client_context()
    serving(echo, {ssl = server}, function(port)
      for _ = 1, 2 do close(talk(port, {ssl = client})) end
    end)
    local stats = server:session_stats()
    assert.are.same({2, 2, 1}, {stats.accept, stats.accept_good, stats.hits})
    assert.are.equal(2, client:session_stats().connect_good)
  end)
end)

describe("SSLObject", function()
  case("tells of the connection under Python's names", function(t)
    local context = client_context()
    serving(echo, {ssl = server_context()}, function(port)
      local writer = talk(port, {ssl = context})
      local object = writer:get_extra_info("ssl_object")
      assert.are.equal("TLSv1.3", object:version())
      assert.are.same(writer:get_extra_info("cipher"), object:cipher())
      assert.are.equal("localhost", object:getpeercert().subject.commonName)
      assert.are.equal("\x30\x82", object:getpeercert(true):sub(1, 2)) -- DER: a long sequence
      assert.is_nil(object:compression())
      assert.is_nil(object:selected_alpn_protocol())
      assert.are.same({context, false, "localhost"},
        {object.context, object.server_side, object.server_hostname})
      assert.is_nil(object.colour)
      assert.are.equal("<SSLObject TLSv1.3 of a client>", tostring(object))
      t.raises(lucio.RuntimeError, function() object.context = context end)
      t.raises(lucio.TypeError, function() object.colour = 5 end)
      t.raises(lucio.TypeError, object.version, {})
      close(writer)
      assert.are.equal("TLSv1.3", object:version())
    end)
  end)
end)

describe("SSLContext", function()
  case("one made by its protocol trusts nobody until it is told whom", function(t)
    local ssl = lucio.ssl
    local context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert.are.same({"PROTOCOL_TLS_CLIENT", "CERT_REQUIRED", true},
      {context.protocol, context.verify_mode, context.check_hostname})
    local server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    assert.are.same({"PROTOCOL_TLS_SERVER", "CERT_NONE", false},
      {server.protocol, server.verify_mode, server.check_hostname})
    server:load_cert_chain(certificates.path "server.pem")
    serving(echo, {ssl = server}, function(port)
      local e = t.raises(ssl.CertificateError, connect, port, {ssl = context})
      assert.are.equal("unable to get local issuer certificate", e.verify_message)
      assert.are.equal(20, e.verify_code)
      context:load_verify_locations {cafile = certificates.path "ca.pem"}
      close(talk(port, {ssl = context}))
    end)
    t.raises(lucio.ValueError, ssl.SSLContext, "TLS")
    t.raises(lucio.TypeError, ssl.SSLContext)
  end)

  case("tells what it trusts", function()
    local ssl = lucio.ssl
    local context = client_context()
    assert.are.same({x509 = 1, x509_ca = 1, crl = 0}, context:cert_store_stats())
    assert.are.equal("specs", context:get_ca_certs()[1].subject.commonName)
    assert.are.equal("\x30\x82", context:get_ca_certs(true)[1]:sub(1, 2))
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT):load_default_certs()
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT):set_default_verify_paths()
    assert.are.equal("SSL_CERT_FILE", ssl.get_default_verify_paths().openssl_cafile_env)
    assert.matches("^OpenSSL 3", ssl.OPENSSL_VERSION)
  end)

  case("ciphers are chosen by OpenSSL's names", function(t)
    local context = client_context()
    context.maximum_version = "TLSv1.2"
    context:set_ciphers "ECDHE-ECDSA-AES256-GCM-SHA384"
    local names = {}
    for _, cipher in ipairs(context:get_ciphers()) do names[cipher.name] = cipher end
    assert.are.same({name = "ECDHE-ECDSA-AES256-GCM-SHA384", protocol = "TLSv1.2",
      strength_bits = 256}, names["ECDHE-ECDSA-AES256-GCM-SHA384"])
    serving(echo, {ssl = server_context()}, function(port)
      local writer = talk(port, {ssl = context})
      assert.are.same({"ECDHE-ECDSA-AES256-GCM-SHA384", "TLSv1.2", 256},
        writer:get_extra_info("cipher"))
      close(writer)
    end)
    t.raises("No cipher can be selected: no cipher match", context.set_ciphers, context, "NONE-OF")
    t.raises(lucio.TypeError, context.set_ciphers, context, 5)
  end)

  case("options and verify_flags are numbers of bits", function(t)
    local ssl = lucio.ssl
    local server, client = server_context(), client_context()
    client.options = client.options | ssl.OP_NO_TLSv1_3
    assert.are.equal(ssl.OP_NO_TLSv1_3, client.options & ssl.OP_NO_TLSv1_3)
    client.verify_flags = client.verify_flags | ssl.VERIFY_X509_PARTIAL_CHAIN
    assert.are.equal(ssl.VERIFY_X509_PARTIAL_CHAIN,
      client.verify_flags & ssl.VERIFY_X509_PARTIAL_CHAIN)
    serving(echo, {ssl = server}, function(port)
      local writer = talk(port, {ssl = client})
      assert.are.equal("TLSv1.2", writer:get_extra_info("ssl_object"):version())
      close(writer)
      client.verify_flags = ssl.VERIFY_CRL_CHECK_LEAF
      local e = t.raises(ssl.SSLCertVerificationError, connect, port, {ssl = client})
      assert.are.equal("unable to get certificate CRL", e.verify_message)
    end)
    for _, name in ipairs {"options", "verify_flags", "num_tickets"} do
      t.raises(lucio.TypeError, function() client[name] = "x" end)
      t.raises(lucio.ValueError, function() client[name] = -1 end)
      t.raises(lucio.ValueError, function() client[name] = math.maxinteger end)
    end
  end)

  case("a password may be asked for", function(t)
    local context = lucio.ssl.create_default_context("CLIENT_AUTH")
    local locked = certificates.path "locked.pem"
    context:load_cert_chain(locked, nil, function() return "secret" end)
    t.raises("password callback must return a string", context.load_cert_chain, context, locked,
      nil, function() end)
    t.raises("wait", context.load_cert_chain, context, locked, nil, function() error("wait", 0) end)
  end)

  case("an empty hostname, a name in capitals, a name with a dot at its end", function(t)
    serving(echo, {ssl = server_context()}, function(port)
      t.raises("check_hostname requires server_hostname", connect, port, {server_hostname = ""})
      close(talk(port, {server_hostname = "LOCALHOST"}))
    end)
  end)
end)
