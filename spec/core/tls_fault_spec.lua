-- What can go wrong with a TLS connection: a peer that is silent, resets, truncates, is slow, or
-- reads nothing; certificates that are refused; what is left behind.
local assert = require "luassert"
local case = require "spec.support.case"
local certificates = require "spec.support.certificates"
local lucio = require "lucio"
local tls = require "spec.support.tls"

if tls.left_out() then return end

local server_context, client_context, serving = tls.server_context, tls.client_context, tls.serving
local connect, close = tls.connect, tls.close

-- A relay between a client and a TLS server on `port`, which passes on what pass(data, up, writer)
-- gives. Returns the relay's server.
local function relay(port, pass)
  return lucio.start_server(function(reader, writer)
    local up_reader, up_writer = lucio.open_connection("127.0.0.1", port)
    local back = lucio.create_task(function()
      while true do
        local data = up_reader:read(65536)
        if data == "" then break end
        data = pass(data, false, writer)
        if not data then break end
        writer:write(data)
      end
      writer:close()
    end)
    while true do
      local ok, data = lucio.pcall(reader.read, reader, 65536)
      if not ok or data == "" then break end
      data = pass(data, true, up_writer)
      if not data then break end
      up_writer:write(data)
    end
    up_writer:close()
    lucio.pcall(back.await, back)
  end, "127.0.0.1", 0)
end

-- Runs body(port) with a relay before an echo server.
local function relayed(pass, body)
  serving(tls.try_echo, {ssl = server_context()}, function(port)
    tls.during(relay(port, pass), body)
  end)
end

describe("A TLS handshake", function()
  certificates.path ""

  case("of a silent peer ends with its limit, on either side", function(t)
    local loop = lucio.get_running_loop()
    local ended = lucio.Future()
    -- the client's
    tls.during(lucio.start_server(function(reader, writer)
      lucio.pcall(reader.read, reader)
      writer:close()
    end, "127.0.0.1", 0), function(port)
      local e = t.raises(lucio.ConnectionAbortedError, connect, port,
        {ssl_handshake_timeout = 0.05})
      assert.are.equal("SSL handshake is taking longer than 0.05 seconds: aborting the connection",
        e.message)
    end)
    -- the server's: the callback is never called
    local debug = loop:get_debug()
    loop:set_debug(true)
    serving(function() error("a silent client was served") end,
      {ssl = server_context(), ssl_handshake_timeout = 0.05}, function(port)
        local reader, _ <close> = lucio.open_connection("127.0.0.1", port)
        local ok, data = lucio.pcall(reader.read, reader)
        ended:set_result(not ok or data == "")
      end)
    loop:set_debug(debug)
    assert.is_true(ended:result())
    assert.is_true(lucio.isinstance(t.reports[1].exception, lucio.ConnectionAbortedError))
  end)

  case("with garbage in the place of its first, its second or its last message fails", function(t)
    for turn = 1, 2 do
      for _, to_server in ipairs {true, false} do
        local seen = 0
        relayed(function(data, up)
          if up ~= to_server then return data end
          seen = seen + 1
          return seen == turn and ("\x16\x03\x03\x00\x10" .. ("garbage!"):rep(2)) or data
        end, function(port)
          local ok, reader, writer = lucio.pcall(connect, port)
          -- with TLS 1.3 the client is through before the server has its last message
          if ok then
            ok, reader = lucio.pcall(function()
              writer:write("x\n")
              assert(reader:readline() == "x\n", lucio.SSLError("nothing came"))
            end)
          end
          assert.is_false(ok and not (to_server == false and turn == 2))
          if not ok then assert.is_true(lucio.isinstance(reader, lucio.OSError)) end
          if writer then
            writer:abort()
            lucio.pcall(writer.wait_closed, writer)
          end
        end)
      end
    end
    assert.is_true(#t.reports <= 4)
  end)

  case("whose peer resets the connection in the middle fails", function(t)
    for _, to_server in ipairs {true, false} do
      relayed(function(data, up, writer)
        if up ~= to_server then return data end
        writer:abort()
        return nil
      end, function(port)
        t.raises(lucio.ConnectionError, connect, port)
      end)
    end
  end)

  case("whose messages come byte by byte is done in the end", function()
    relayed(function(data, _, writer)
      for i = 1, #data - 1 do
        writer:write(data:sub(i, i))
        if i % 64 == 0 then lucio.sleep(0) end
      end
      return data:sub(#data)
    end, function(port)
      local reader, writer = connect(port)
      writer:write("slowly\n")
      assert.are.equal("slowly\n", reader:readline())
      close(writer)
    end)
  end)

  case("refuses names by the rules of wildcards", function()
    serving(tls.try_echo, {ssl = server_context "wild.pem"}, function(port)
      local function try(name)
        return lucio.pcall(function()
          local _, writer = connect(port, {server_hostname = name})
          close(writer)
        end)
      end
      for _, name in ipairs {"a.wild.example", "B.Wild.Example", "xn--nxasmq6b.wild.example"} do
        assert.is_true(try(name), name)
      end
      for _, name in ipairs {"wild.example", "a.b.wild.example", "awild.example", "part1.example",
        "partial.example", "127.0.0.1"} do
        local ok, e = try(name)
        assert.is_false(ok, name)
        assert.is_true(lucio.isinstance(e, lucio.SSLCertVerificationError), name)
        assert.matches("mismatch, certificate is not valid for '" .. name .. "'", e.message, 1,
          true)
      end
    end)
  end)
end)

describe("A TLS connection", function()
  case("that is reset ends with that error, data before it having been read", function(t)
    local go = lucio.Event()
    relayed(function(data, up, writer)
      if up or not go:is_set() then return data end
      writer:abort()
      return nil
    end, function(port)
      local reader, writer = connect(port)
      writer:write("first\n")
      assert.are.equal("first\n", reader:readline())
      go:set()
      writer:write("second\n")
      local ok, e = lucio.pcall(reader.readline, reader)
      assert.is_true((ok and e == "") or lucio.isinstance(e, lucio.ConnectionError))
      writer:abort()
      lucio.pcall(writer.wait_closed, writer)
      t.raises(lucio.ConnectionError, writer.drain, writer)
    end)
  end)

  case("whose records were changed on the way ends with an error", function(t)
    local go = lucio.Event()
    relayed(function(data, up)
      if up or not go:is_set() then return data end
      return data:sub(1, -2) .. string.char(data:byte(-1) ~ 1)
    end, function(port)
      local reader, writer = connect(port)
      writer:write("first\n")
      assert.are.equal("first\n", reader:readline())
      go:set()
      writer:write("second\n")
      local e = t.raises(lucio.SSLError, reader.readline, reader)
      assert.matches("decryption failed or bad record mac", e.message, 1, true)
      assert.matches("(TLS connection with 'localhost')", e.message, 1, true)
      t.raises(lucio.SSLError, writer.wait_closed, writer)
    end)
  end)

  case("that ends in the middle of a record has ended, and is known to be truncated", function()
    local go = lucio.Event()
    relayed(function(data, up, writer)
      if up or not go:is_set() then return data end
      writer:write(data:sub(1, #data // 2))
      return nil
    end, function(port)
      local reader, writer = connect(port)
      writer:write("first\n")
      assert.are.equal("first\n", reader:readline())
      go:set()
      writer:write("second\n")
      assert.are.equal("", reader:readline())
      assert.is_true(writer:get_extra_info("ssl_object").truncated)
      close(writer)
    end)
  end)

  case("whose peer closes while much is being written tells the writer", function(t)
    serving(function(reader, writer)
      reader:readexactly(1)
      writer:abort()
    end, {ssl = server_context()}, function(port)
      local _, writer = connect(port)
      local e = t.raises(lucio.ConnectionError, function()
        for _ = 1, 100 do
          writer:write(tls.BIG)
          writer:drain()
        end
      end)
      assert.is_true(lucio.isinstance(e, lucio.OSError))
      lucio.pcall(writer.wait_closed, writer)
    end)
  end)

  case("puts a small write into one record, and a list as well", function()
    local go, size = lucio.Event(), 0
    relayed(function(data, up)
      if up and go:is_set() then size = size + #data end
      return data
    end, function(port)
      local reader, writer = connect(port)
      writer:write("first\n")
      assert.are.equal("first\n", reader:readline())
      go:set()
      writer:write(("x"):rep(60))
      reader:readexactly(60)
      -- a header, the text, its type, its tag (RFC 8446, section 5.2)
      assert.are.equal(5 + 60 + 1 + 16, size)
      writer:writelines {("x"):rep(10), ("y"):rep(20), ("z"):rep(30)}
      reader:readexactly(60)
      assert.are.equal(2 * (5 + 60 + 1 + 16), size)
      writer:write(("x"):rep(200000))
      reader:readexactly(200000)
      close(writer)
    end)
  end)

  case("with a reader that does not read stops its writer, with small memory", function()
    local one, other = tls.secure_pair()
    local written = 0
    local sender = lucio.create_task(function()
      for _ = 1, 64 do
        one.writer:write(tls.BIG:sub(1, 262144))
        one.writer:drain()
        written = written + 262144
      end
    end)
    for _ = 1, 200 do lucio.sleep(0) end
    assert.is_true(written < 64 * 262144)
    assert.is_true(one.writer:get_write_buffer_size() < 2 * 262144)
    assert.are.equal(64 * 262144, #other.reader:readexactly(64 * 262144))
    sender:await()
    one.writer:close()
    other.writer:close()
    one.writer:wait_closed()
    other.writer:wait_closed()
  end)

  case("goes on when its peer changes the keys", function()
    -- the openssl command sends KeyUpdate messages for the lines "k" and "K", and says so
    local server = lucio.start_server(function(reader, writer)
      local lines = 0
      for line in reader:lines() do
        lines = lines + 1
        writer:write(line:upper() .. "\n")
        if lines == 3 then break end
      end
      close(writer)
    end, "127.0.0.1", 0, {ssl = server_context()})
    tls.during(server, function(port)
      local process = lucio.create_subprocess_exec("openssl", "s_client", "-connect",
        "127.0.0.1:" .. port, "-CAfile", certificates.path "ca.pem",
        {stdin = lucio.subprocess.PIPE, stdout = lucio.subprocess.PIPE,
          stderr = lucio.subprocess.PIPE})
      local function say(word, stream, answer)
        process.stdin:write(word .. "\n")
        for line in stream:lines() do
          if line == answer then return end
        end
        error("s_client ended without " .. answer)
      end
      say("one", process.stdout, "ONE")
      say("k", process.stderr, "KEYUPDATE")
      say("two", process.stdout, "TWO")
      say("K", process.stderr, "KEYUPDATE")
      say("three", process.stdout, "THREE")
      process.stdin:close()
      process:wait()
    end)
  end)

  case("of ten at once that are dropped without a word leaves nothing", function(t)
    serving(tls.try_echo, {ssl = server_context()}, function(port)
      local context = client_context()
      local list = {}
      for i = 1, 10 do
        list[i] = function()
          local reader, writer = connect(port, {ssl = context})
          writer:write("x\n")
          assert(reader:readline() == "x\n")
          writer:abort()
        end
      end
      lucio.gather(list)
    end)
    assert.are.equal(0, #t.reports)
  end)
end)
