-- Cancellation at each await of each operation with streams, datagrams, files, child processes: an
-- operation is begun and cancelled after k ticks, for every k until it ends by itself. Then no
-- task and no descriptor of it is left, and nothing that was read is lost.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"
local reads = require "spec.support.cancelled_reads"
local sweep = require("spec.support.sweep").run

local PIPE = lucio.subprocess.PIPE
local LINES, TEXT, trickle = reads.LINES, reads.TEXT, reads.trickle

local function close(writer)
  writer:close()
  pcall(writer.wait_closed, writer)
end

local function with_server(handle, body)
  local server = lucio.start_server(handle, "127.0.0.1", 0)
  body(server.sockets[1]:getsockname().port, server)
  server:close()
  server:wait_closed()
end

local function to_the_end(reader) reader:read() end

describe("an operation that is cancelled at any moment leaves nothing:", function()
  case("open_connection, with a number, a name, a race", function()
    with_server(to_the_end, function(port)
      local function undo(_, writer) close(writer) end
      for _, host in ipairs {"127.0.0.1", "localhost"} do
        sweep(function(first)
          local reader, writer = lucio.open_connection(host, port)
          if first then close(writer) end
          return reader, writer
        end, undo)
      end
      sweep(function(first)
        local reader, writer = lucio.open_connection("localhost", port,
          {happy_eyeballs_delay = 0.01, timeout = 5})
        if first then close(writer) end
        return reader, writer
      end, undo)
    end)
  end)

  case("start_server, wait_closed, serve_forever", function()
    local function undo(server)
      server:close()
      server:wait_closed()
    end
    sweep(function(first)
      local server = lucio.start_server(to_the_end, "localhost", 0)
      if first then undo(server) end
      return server
    end, undo)
    sweep(function()
      local server <close> = lucio.start_server(to_the_end, "127.0.0.1", 0)
      lucio.create_task(function() server:close() end)
      pcall(server.serve_forever, server)
      server:wait_closed()
    end)
  end)

  case("a whole conversation: connect, write, drain, read, half close, end", function()
    local function upper(reader, writer)
      for line in reader:lines(true) do
        writer:write(line:upper())
        writer:drain()
      end
    end
    -- a client that is cancelled resets the connection
    with_server(function(...) lucio.pcall(upper, ...) end, function(port)
      sweep(function()
        local reader, writer <close> = lucio.open_connection("127.0.0.1", port)
        writer:writelines {"one\n", "two\n"}
        writer:drain()
        assert.are.equal("ONE\n", reader:readline())
        assert.are.equal("TW", reader:readexactly(2))
        writer:write_eof()
        assert.are.equal("O\n", reader:readuntil("\n"))
        assert.are.equal("", reader:read())
      end)
    end)
  end)

  case("drain to a peer that does not read", function()
    local much = ("x"):rep(32 << 20)
    with_server(function() lucio.sleep(0.01) end, function(port)
      sweep(function()
        local _, writer = lucio.open_connection("127.0.0.1", port)
        local _ <close> = setmetatable({}, {__close = function() writer:abort() end})
        writer:write(much)
        -- it ends when the peer closes
        lucio.pcall(writer.drain, writer)
      end)
    end)
  end)

  case("open_datagram, recvfrom, the end", function()
    local function undo(endpoint)
      endpoint:close()
      endpoint:wait_closed()
    end
    sweep(function(first)
      local endpoint = lucio.open_datagram{local_addr = {"localhost", 0}, timeout = 5}
      if first then undo(endpoint) end
      return endpoint
    end, undo)
    sweep(function()
      local server <close> = lucio.open_datagram{local_addr = {"127.0.0.1", 0}}
      local client <close> = lucio.open_datagram{remote_addr = server:getsockname()}
      client:sendto("x")
      assert.are.equal("x", (server:recvfrom()))
    end)
    sweep(function()
      local over = lucio.Future()
      local transport = lucio.get_running_loop():create_datagram_endpoint(function()
        return {connection_lost = function() over:set_result() end}
      end, {local_addr = {"127.0.0.1", 0}})
      transport:close()
      lucio.shield(over):await()
    end)
  end)

  case("files: whole, by lines, in a block", function()
    local dir <close>, runs = lucio.fs.tempdir(), 0
    sweep(function()
      -- a write that is cancelled goes on, so each has a file of its own
      runs = runs + 1
      local path, lines = dir.path .. "/" .. runs, 0
      lucio.fs.write_file(path, ("line\n"):rep(1000))
      do
        local file <close> = lucio.fs.open(path)
        for _ in file:lines() do lines = lines + 1 end
      end
      assert.are.equal(1000, lines)
      assert.are.equal(5000, #lucio.fs.read_file(path))
      assert.are.equal(5000, lucio.fs.stat(path).size)
    end)
  end)

  case("child processes: creation, communicate, wait", function()
    sweep(function()
      local cat = lucio.create_subprocess_exec("cat", {stdin = PIPE, stdout = PIPE, stderr = PIPE})
      local over
      local _ <close> = setmetatable({}, {__close = function()
        if over then return end
        pcall(cat.kill, cat)
        lucio.shield(lucio.create_task(function()
          cat:communicate()
          cat:wait()
        end)):await()
      end})
      assert.are.equal(100000, #cat:communicate(("x"):rep(100000)))
      assert.are.equal(0, cat:wait())
      over = true
    end)
  end)
end)

describe("reads that are cancelled at any moment lose nothing:", function()
  for name, take in pairs(reads.TAKES) do
    case(name .. " of a connection", function()
      with_server(trickle, function(port)
        local reader, writer <close> = lucio.open_connection("127.0.0.1", port)
        -- handed over in the same step: a cancellation cannot come between
        assert.are.equal(TEXT, reads.all(function() return (take(reader)) end))
        writer:close()
      end)
    end)
  end

  case("recvfrom", function()
    local server <close> = lucio.open_datagram{local_addr = {"127.0.0.1", 0}}
    local client <close> = lucio.open_datagram{remote_addr = server:getsockname()}
    local sender = lucio.create_task(function()
      for i = 1, #LINES do
        client:sendto(LINES[i])
        if i % 3 == 0 then lucio.sleep(0) end
      end
      client:sendto("")
    end)
    assert.are.equal(TEXT, reads.all(function() return (server:recvfrom()) end))
    sender:await()
  end)

  case("a child's output", function()
    local child = lucio.create_subprocess_exec("cat", {stdin = PIPE, stdout = PIPE})
    local sender = lucio.create_task(function()
      trickle(nil, child.stdin)
      child.stdin:close()
    end)
    assert.are.equal(TEXT, reads.all(function() return child.stdout:read(11) end))
    sender:await()
    assert.are.equal(0, child:wait())
  end)
end)
