-- Cancellation at each await of each operation with TLS connections, on either side: nothing is
-- left, and nothing that was read is lost.
local assert = require "luassert"
local case = require "spec.support.case"
local certificates = require "spec.support.certificates"
local lucio = require "lucio"
local reads = require "spec.support.cancelled_reads"
local sweep = require("spec.support.sweep").run
local tls = require "spec.support.tls"

if tls.left_out() then return end

-- Calls fn(port, context) while a server serves, whose clients may end in any way; the context is
-- for all of them.
local function with_server(handle, fn)
  local context = tls.client_context()
  tls.serving(function(...) lucio.pcall(handle, ...) end, {ssl = tls.server_context()},
    function(port) fn(port, context) end)
end

local function aborting(writer)
  return setmetatable({}, {__close = function() writer:abort() end})
end

describe("an operation over TLS that is cancelled at any moment leaves nothing:", function()
  certificates.path ""

  case("open_connection, with a full and with a resumed handshake", function()
    for _, version in ipairs {"TLSv1.2", "TLSv1.3"} do
      with_server(tls.wait_for_end, function(port, context)
        context.maximum_version = version
        sweep(function(first)
          local reader, writer = tls.connect(port, {ssl = context})
          if first then tls.close(writer) end
          return reader, writer
        end, function(_, writer) tls.close(writer) end)
      end)
    end
  end)

  case("a whole conversation: connect, write, drain, read, the end", function()
    with_server(function(reader, writer)
      for line in reader:lines(true) do
        writer:write(line:upper())
        writer:drain()
      end
    end, function(port, context)
      sweep(function()
        local reader, writer <close> = tls.connect(port, {ssl = context})
        writer:writelines {"one\n", "two\n"}
        writer:drain()
        assert.are.equal("ONE\n", reader:readline())
        assert.are.equal("TW", reader:readexactly(2))
        assert.are.equal("O\n", reader:readuntil("\n"))
        tls.close(writer)
        assert.are.equal("", reader:read())
      end)
    end)
  end)

  case("close, which waits for the peer's word", function()
    with_server(tls.wait_for_end, function(port, context)
      local others = {}
      sweep(function()
        local _, writer = tls.connect(port, {ssl = context})
        -- the closing goes on when the task that waits for it does not
        others[#others + 1] = writer
        tls.close(writer)
      end)
      for _, writer in ipairs(others) do writer:wait_closed() end
    end)
  end)

  case("drain to a peer that does not read", function()
    with_server(function() lucio.sleep(0.01) end, function(port, context)
      sweep(function()
        local _, writer = tls.connect(port, {ssl = context})
        local _ <close> = aborting(writer)
        writer:write(tls.BIG)
        -- it ends when the peer closes
        lucio.pcall(writer.drain, writer)
      end)
    end)
  end)

  case("start_tls, on the client's and on the server's side", function()
    local client, server = tls.client_context(), tls.server_context()
    local function as_client(writer)
      writer:start_tls(client, {server_hostname = "localhost", server_side = false})
    end
    local function as_server(writer) writer:start_tls(server, {server_side = true}) end
    for _, sides in ipairs {{as_client, as_server}, {as_server, as_client}} do
      tls.serving(function(reader, writer)
        local _ <close> = aborting(writer)
        lucio.pcall(sides[2], writer)
        tls.try_echo(reader, writer)
      end, nil, function(port)
        sweep(function()
          local reader, writer = lucio.open_connection("127.0.0.1", port)
          local _ <close> = aborting(writer)
          sides[1](writer)
          writer:write("secret\n")
          assert.are.equal("secret\n", reader:readline())
        end)
      end)
    end
  end)

  case("a server with its connections, and what its callback does", function()
    local client, server = tls.client_context(), tls.server_context()
    sweep(function()
      local listening <close> = lucio.start_server(tls.try_echo, "127.0.0.1", 0, {ssl = server})
      local port = listening.sockets[1]:getsockname().port
      local peer = lucio.create_task(lucio.pcall, function()
        local reader, writer <close> = tls.connect(port, {ssl = client})
        writer:write("x\n")
        assert.are.equal("x\n", reader:readline())
        listening:close()
      end)
      local _ <close> = setmetatable({}, {__close = function()
        peer:cancel()
        listening:abort_clients()
      end})
      pcall(listening.serve_forever, listening)
      lucio.shield(peer):await()
    end)
    sweep(function()
      local over = lucio.Future()
      local listening <close> = lucio.start_server(function(reader, writer)
        local task = lucio.current_task()
        over:add_done_callback(function() task:cancel() end)
        writer:write(reader:readline())
        writer:drain()
        reader:read()
      end, "127.0.0.1", 0, {ssl = server})
      local port = listening.sockets[1]:getsockname().port
      local _ <close> = setmetatable({}, {__close = function()
        if not over:done() then over:set_result() end
      end})
      local reader, writer <close> = tls.connect(port, {ssl = client})
      writer:write("y\n")
      assert.are.equal("y\n", reader:readline())
    end)
  end)
end)

describe("reads over TLS that are cancelled at any moment lose nothing:", function()
  for name, take in pairs(reads.TAKES) do
    case(name, function()
      with_server(reads.trickle, function(port, context)
        local reader, writer <close> = tls.connect(port, {ssl = context})
        assert.are.equal(reads.TEXT, reads.all(function() return (take(reader)) end))
        writer:close()
      end)
    end)
  end

  case("read of many bytes, which are a string at once", function()
    local much = tls.BIG:sub(1, 2 << 20)
    with_server(function(_, writer)
      for i = 1, #much, 50000 do
        writer:write(much:sub(i, i + 49999))
        writer:drain()
      end
    end, function(port, context)
      for _, size in ipairs {10000, 65536, 300000} do
        local reader, writer <close> = tls.connect(port, {ssl = context})
        assert.is_true(reads.all(function() return reader:read(size) end) == much)
        writer:close()
      end
    end)
  end)
end)
