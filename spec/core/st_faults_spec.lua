-- Connections whose other side misbehaves: resets at every point of a conversation, half-open
-- peers, slow readers, slow writers.
local assert = require "luassert"
local case = require "spec.support.case"
local eventually = require "spec.support.eventually"
local lucio = require "lucio"

local function with_server(handle, body, options)
  local server = lucio.start_server(handle, "127.0.0.1", 0, options)
  body(server.sockets[1]:getsockname().port, server)
  server:close()
  server:wait_closed()
end

local BIG = ("x"):rep(300000)

-- A conversation in steps; each side does its own.
local SERVER = {
  function(reader) assert.are.equal("hello\n", reader:readline()) end,
  function(_, writer) writer:write("welcome\n") end,
  function(_, writer) writer:write(BIG) writer:drain() end,
  function(reader) assert.are.equal(#BIG, #reader:readexactly(#BIG)) end,
  function(reader, writer)
    writer:write_eof()
    assert.are.equal("", reader:read(1))
  end,
}

local CLIENT = {
  function(_, writer) writer:write("hello\n") end,
  function(reader) assert.are.equal("welcome\n", reader:readline()) end,
  function(reader) assert.are.equal(#BIG, #reader:readexactly(#BIG)) end,
  function(_, writer) writer:write(BIG) writer:drain() end,
  function(reader, writer)
    writer:write_eof()
    assert.are.equal("", reader:read(1))
  end,
}

-- Does the steps, all or up to one. True, or the error.
local function talk(steps, last, reader, writer)
  return select(2, lucio.pcall(function()
    for i = 1, last do steps[i](reader, writer) end
    return true
  end))
end

local function is_loss(e)
  -- OSError also says that there is no connection to half-close
  return e == true or lucio.isinstance(e, lucio.OSError) or
    lucio.isinstance(e, lucio.IncompleteReadError) or
    -- an end where a line was expected
    type(e) == "table" and tostring(e.message):find("equal", 1, true) ~= nil
end

describe("a peer that resets the connection", function()
  for last = 0, #SERVER - 1 do
    case("after step " .. last .. " of the server, ends the client's side, and no other", function()
      local served
      with_server(function(reader, writer)
        served = talk(SERVER, last, reader, writer)
        writer:abort()
      end, function(port)
        local reader, writer = lucio.open_connection("127.0.0.1", port)
        local e = lucio.wait_for(function() return talk(CLIENT, #CLIENT, reader, writer) end, 60)
        assert.is_true(is_loss(e), tostring(e))
        -- whatever is done with it afterwards ends too
        lucio.wait_for(function()
          for _ = 1, 20 do
            lucio.pcall(reader.read, reader, 100)
            lucio.pcall(writer.write, writer, "more")
            lucio.pcall(writer.drain, writer)
          end
          writer:close()
          lucio.pcall(writer.wait_closed, writer)
        end, 20)
        eventually(function() return served ~= nil end, "the server's side did not end")
        -- the server goes on
        local _, other <close> = lucio.open_connection("127.0.0.1", port)
        other:write("hello\n")
        eventually(function() return served end, "no second connection")
      end)
    end)

    case("after step " .. last .. " of the client, ends the server's side", function(t)
      local over = lucio.Queue()
      with_server(function(reader, writer)
        over:put(talk(SERVER, #SERVER, reader, writer))
        -- the handler may fail with it, or not
        lucio.pcall(writer.drain, writer)
      end, function(port)
        local reader, writer = lucio.open_connection("127.0.0.1", port)
        assert.is_true(talk(CLIENT, last, reader, writer))
        writer:abort()
        lucio.pcall(writer.wait_closed, writer)
        local e = lucio.wait_for(function() return over:get() end, 60)
        assert.is_true(is_loss(e), tostring(e))
      end)
      assert.are.equal(0, #t.reports)
    end)
  end
end)

describe("a peer that is half open", function()
  case("ST17: sends no more and still gets everything", function()
    with_server(function(reader, writer)
      local text = reader:read()
      for i = 1, 100 do
        writer:write(text:rep(i))
        writer:drain()
      end
    end, function(port)
      local reader, writer <close> = lucio.open_connection("127.0.0.1", port)
      writer:write("x")
      writer:write_eof()
      assert.are.equal(5050, #reader:read())
    end)
  end)

  case("and says nothing: a limit in the handler ends it, others are served", function()
    local accepted, ended = 0, 0
    with_server(function(reader, writer)
      accepted = accepted + 1
      -- who speaks comes last; what it says may take longer than a limit that can be waited for
      local limit = accepted <= 20 and 0.05 or 60
      local ok, line = lucio.pcall(lucio.wait_for, function() return reader:readline() end, limit)
      if ok then
        writer:write(line)
      else
        ended = ended + 1
      end
    end, function(port)
      local silent = {}
      for i = 1, 20 do silent[i] = table.pack(lucio.open_connection("127.0.0.1", port)) end
      eventually(function() return accepted == 20 end)
      local reader, writer <close> = lucio.open_connection("127.0.0.1", port)
      writer:write("at once\n")
      assert.are.equal("at once\n", reader:readline())
      for _, connection in ipairs(silent) do
        assert.are.equal("", connection[1]:read())
        connection[2]:close()
      end
      assert.are.equal(20, ended)
    end)
  end)
end)

describe("a peer that is slow", function()
  case("to read: no more than the marks say is kept for it, and it gets all", function()
    local most, size = 0, 64 << 10
    with_server(function(_, writer)
      for _ = 1, 512 do
        writer:write(("x"):rep(size))
        most = math.max(most, writer:get_write_buffer_size())
        writer:drain()
      end
    end, function(port)
      local reader, _ <close> = lucio.open_connection("127.0.0.1", port)
      local got = 0
      for i = 1, math.huge do
        local data = reader:read(100000)
        if data == "" then break end
        got = got + #data
        if i % 50 == 0 then lucio.sleep(0.001) end
      end
      assert.are.equal(512 * size, got)
    end)
    assert.is_true(most <= 65536 + size, "kept: " .. most)
  end)

  case("to read, and gone: the writer is told, and nothing is kept", function()
    local failed
    with_server(function(_, writer)
      local ok, e = lucio.pcall(function()
        while true do
          writer:write(("x"):rep(100000))
          writer:drain()
        end
      end)
      failed = not ok and e
      assert.are.equal(0, writer:get_write_buffer_size())
    end, function(port)
      local reader, writer = lucio.open_connection("127.0.0.1", port)
      reader:read(10)
      lucio.sleep(0.02)
      writer:abort()
      eventually(function() return failed end, "the writer was not told")
      assert.is_true(lucio.isinstance(failed, lucio.ConnectionError))
    end)
  end)

  case("to write: a byte at a time keeps nobody else waiting, and ends at its limit", function()
    local slow, late = 0, 0
    with_server(function(reader, writer)
      local first = reader:readexactly(1)
      -- the fast ones are so as far as the machine lets them: a limit that ends while it stops this
      -- process is not theirs
      local limit = first == "x" and 0.1 or 60
      local ok, line = lucio.pcall(lucio.wait_for, function() return reader:readline() end, limit)
      if ok then
        writer:write(first .. line)
      else
        late = late + 1
      end
    end, function(port)
      local tasks = {}
      for i = 1, 10 do
        tasks[i] = lucio.create_task(function()
          local _, writer = lucio.open_connection("127.0.0.1", port)
          while not writer:is_closing() do
            writer:write("x")
            if not lucio.pcall(writer.drain, writer) then break end
            slow = slow + 1
            lucio.sleep(0.005)
          end
          writer:abort()
        end)
      end
      for _ = 1, 20 do
        local reader, writer <close> = lucio.open_connection("127.0.0.1", port)
        writer:write("fast\n")
        assert.are.equal("fast\n", reader:readline())
      end
      eventually(function() return late == 10 end, "the slow ones go on for ever")
      for _, task in ipairs(tasks) do lucio.wait_for(task, 60) end
    end)
    assert.is_true(slow >= 10)
  end)

  case("a line without an end is not kept beyond the limit", function(t)
    local failed
    with_server(function(reader)
      failed = t.raises(lucio.ValueError, reader.readline, reader)
    end, function(port)
      local _, writer = lucio.open_connection("127.0.0.1", port)
      for _ = 1, 1000 do
        writer:write(("x"):rep(1000))
        if not lucio.pcall(writer.drain, writer) or failed then break end
        lucio.sleep(0)
      end
      eventually(function() return failed end, "no error")
      writer:abort()
    end, {limit = 4096})
  end)
end)
