-- SV1 to SV7: servers.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

local function start(callback, options)
  local server = lucio.start_server(callback, "127.0.0.1", 0, options)
  return server, server.sockets[1] and server.sockets[1]:getsockname().port
end

local function connect(port)
  return lucio.open_connection("127.0.0.1", port)
end

-- A connection that stays open until the client ends it.
local function hold(reader, writer)
  pcall(reader.read, reader)
  writer:close()
end

local function end_all(server, ...)
  for _, writer in ipairs {...} do
    writer:close()
    pcall(writer.wait_closed, writer)
  end
  server:close()
  server:wait_closed()
end

describe("start_server", function()
  case("SV1: runs a task for each connection, with a reader and a writer", function(t)
    local server, port = start(function(reader, writer)
      local name = reader:readline()
      writer:write("hello " .. name)
      writer:drain()
      writer:close()
      t.log(lucio.current_task() ~= nil, name)
    end)
    local readers, writers = {}, {}
    for i = 1, 3 do
      readers[i], writers[i] = connect(port)
      writers[i]:write("client " .. i .. "\n")
    end
    for i = 1, 3 do assert.are.equal("hello client " .. i .. "\n", readers[i]:read()) end
    end_all(server, table.unpack(writers))
    assert.are.equal(3, #t.lines)
  end)

  case("SV1: an error of the callback is reported with the peer, and closes the connection",
    function(t)
      local server, port = start(function() error(lucio.ValueError("broken")) end)
      local reader, writer = connect(port)
      assert.are.equal("", reader:read())
      assert.are.equal(1, #t.reports)
      assert.are.equal("Unhandled exception in client_connected_cb", t.reports[1].message)
      assert.are.equal("broken", t.reports[1].exception.message)
      assert.are.equal("127.0.0.1", t.reports[1].peername.host)
      end_all(server, writer)
    end)

  case("SV1: a cancelled callback just closes the connection", function()
    local handler
    local server, port = start(function(reader)
      handler = lucio.current_task()
      reader:read()
    end)
    local reader, writer = connect(port)
    while not handler do lucio.sleep(0.001) end
    handler:cancel()
    assert.are.equal("", reader:read())
    end_all(server, writer)
  end)

  case("SV1: the report has the peer's address also when the connection is gone", function(t)
    local server, port = start(function(_, writer)
      writer:abort()
      writer:wait_closed()
      error(lucio.ValueError("late"))
    end)
    local reader, writer = connect(port)
    local own = tostring(writer:get_extra_info "sockname")
    assert.are.equal("", reader:read())
    lucio.sleep(0.01)
    assert.are.equal(own, tostring(t.reports[1].peername))
    end_all(server, writer)
  end)

  case("SV1: the connection is closed when the callback returns", function()
    local kept
    local server, port = start(function(_, writer)
      writer:write("last words")
      kept = writer
    end)
    local reader, writer = connect(port)
    assert.are.equal("last words", reader:read())
    assert.is_true(kept:is_closing())
    end_all(server, writer)
  end)

  case("SV1: an error of the task factory is reported, and ends the connection", function(t)
    local server, port = start(hold)
    local loop = lucio.get_running_loop()
    loop:set_task_factory(function() error("no tasks today") end)
    local reader, writer = connect(port)
    assert.are.equal("", reader:read())
    loop:set_task_factory(nil)
    assert.are.equal("Fatal error in a stream", t.reports[1].message)
    assert.matches("no tasks today", t.reports[1].exception.value, 1, true)
    end_all(server, writer)
  end)

  case("SV1: the handler's names are those of asyncio", function()
    local name
    local before = lucio.create_task(lucio.sleep, 0)
    local number = tonumber(before:get_name():match("%d+"))
    local server, port = start(function(_, writer)
      name = lucio.current_task():get_name()
      writer:close()
    end)
    local reader, writer = connect(port)
    reader:read()
    -- one number goes to the look-up of the host, one to the task that asyncio has for accepting
    assert.are.equal("Task-" .. number + 3, name)
    end_all(server, writer)
  end)

  case("SV2: it listens before it returns, unless told not to", function(t)
    local server, port = start(hold, {start_serving = false})
    assert.is_false(server:is_serving())
    t.raises(lucio.ConnectionRefusedError, connect, port)
    server:start_serving()
    server:start_serving()
    assert.is_true(server:is_serving())
    local _, writer = connect(port)
    end_all(server, writer)
    t.raises(lucio.RuntimeError, server.start_serving, server)
  end)

  case("SV3: a list of hosts, and any port", function()
    local server = lucio.start_server(hold, {"127.0.0.1", "127.0.0.2"}, 0)
    assert.are.equal(2, #server.sockets)
    assert.are.equal("127.0.0.2", server.sockets[2]:getsockname().host)
    end_all(server)
    server = lucio.start_server(hold, nil, 0)
    assert.are.equal("0.0.0.0", server.sockets[1]:getsockname().host)
    end_all(server)
  end)

  case("SV3: a port in use is an OSError, and closes what was opened", function(t)
    local server, port = start(hold)
    local e = t.raises(lucio.OSError, lucio.start_server, hold, {"127.0.0.2", "127.0.0.1"}, port)
    assert.are.equal("EADDRINUSE", e.code)
    assert.matches("error while attempting to bind on address", e.message, 1, true)
    end_all(server)
    server = lucio.start_server(hold, {"127.0.0.2", "127.0.0.1"}, port)
    end_all(server)
  end)

  case("bad arguments", function(t)
    t.raises(lucio.TypeError, lucio.start_server, nil, "127.0.0.1", 0)
    t.raises(lucio.TypeError, lucio.start_server, hold, 5, 0)
    t.raises(lucio.TypeError, lucio.start_server, hold, "127.0.0.1", {})
    t.raises(lucio.TypeError, lucio.start_server, hold, "127.0.0.1", 0, {nope = true})
    t.raises(lucio.ValueError, lucio.start_server, hold, "127.0.0.1", 70000)
  end)
end)

describe("a loop that closes", function()
  -- Leaves a server, a connection and its task.
  local function leave_open()
    local server, port = start(function(reader)
      while true do pcall(reader.read, reader) end
    end)
    local _, writer = connect(port)
    writer:write("x")
    lucio.sleep(0.01)
    return server
  end

  it("forgets servers, connections and their tasks", function()
    lucio.run(function() end)
    collectgarbage()
    local before = lucio.stats()
    local loop = lucio.new_event_loop()
    local server = loop:run_until_complete(leave_open)
    loop:close()
    assert.is_false(server:is_serving())
    server:close()
    local after = lucio.stats()
    assert.are.same({before.anchors, before.watchers}, {after.anchors, after.watchers})
  end)
end)

describe("Server", function()
  case("SV4: close stops listening and leaves the connections", function(t)
    local server, port = start(hold)
    local reader, writer = connect(port)
    lucio.sleep(0.01)
    assert.are.equal(1, #server.sockets)
    server:close()
    server:close()
    assert.are.equal(0, #server.sockets)
    assert.is_false(server:is_serving())
    t.raises(lucio.ConnectionRefusedError, connect, port)
    assert.is_false(reader:at_eof())
    end_all(server, writer)
  end)

  case("SV5: wait_closed waits for the close and for all connections", function()
    local server, port = start(hold)
    local _, writer = connect(port)
    lucio.sleep(0.01)
    local waiting = lucio.create_task(server.wait_closed, server)
    lucio.sleep(0.01)
    assert.is_false(waiting:done())
    server:close()
    lucio.sleep(0.01)
    assert.is_false(waiting:done())
    writer:close()
    waiting:await()
    server:wait_closed()
    writer:wait_closed()
  end)

  case("SV5: close_clients and abort_clients end the connections", function()
    for _, method in ipairs {"close_clients", "abort_clients"} do
      local server, port = start(hold)
      local reader, writer = connect(port)
      lucio.sleep(0.01)
      server:close()
      server[method](server)
      assert.are.equal("", reader:read())
      end_all(server, writer)
    end
  end)

  case("SV6: serve_forever is cancelled by close", function(t)
    local server = start(hold, {start_serving = false})
    local serving = lucio.create_task(server.serve_forever, server)
    lucio.sleep(0)
    assert.is_true(server:is_serving())
    t.raises(lucio.RuntimeError, server.serve_forever, server)
    server:close()
    lucio.wait {serving}
    assert.is_true(serving:cancelled())
    t.raises(lucio.RuntimeError, server.serve_forever, server)
  end)

  case("SV6: a cancelled serve_forever closes, waits for connections, and goes on", function()
    local server, port = start(hold)
    local _, writer = connect(port)
    local serving = lucio.create_task(server.serve_forever, server)
    lucio.sleep(0.01)
    serving:cancel()
    lucio.sleep(0.01)
    assert.is_false(serving:done())
    assert.is_false(server:is_serving())
    writer:close()
    lucio.wait {serving}
    assert.is_true(serving:cancelled())
    writer:wait_closed()
  end)

  case("SV6: the block form closes and waits", function()
    local writer, kept
    do
      local server <close>, port = start(hold)
      kept = server
      writer = select(2, connect(port))
      lucio.get_running_loop():call_later(0.02, function() writer:close() end)
    end
    assert.are.equal(0, #kept.sockets)
    assert.is_true(writer:is_closing())
    writer:wait_closed()
  end)

  case("its text says what it does", function()
    local server, port = start(hold)
    assert.are.equal("<Server serving 127.0.0.1:" .. port .. ">", tostring(server))
    end_all(server)
    assert.are.equal("<Server closed>", tostring(server))
  end)
end)

describe("start_unix_server", function()
  local path

  before_each(function()
    path = os.tmpname()
    os.remove(path)
  end)

  after_each(function() os.remove(path) end)

  local function echo(reader, writer)
    writer:write(reader:readline())
    writer:close()
  end

  case("SV7: serves a path, and removes it at the end", function()
    local server = lucio.start_unix_server(echo, path)
    local reader, writer = lucio.open_unix_connection(path)
    assert.are.equal(path, writer:get_extra_info "peername")
    writer:write("hi\n")
    assert.are.equal("hi\n", reader:read())
    end_all(server, writer)
    assert.is_nil(io.open(path))
  end)

  case("SV7: a stale socket is removed, another file is an error", function(t)
    local first = lucio.start_unix_server(echo, path, {cleanup_socket = false})
    end_all(first)
    local server = lucio.start_unix_server(echo, path)
    end_all(server)
    assert(io.open(path, "w")):close()
    local e = t.raises(lucio.OSError, lucio.start_unix_server, echo, path)
    assert.are.equal("EADDRINUSE", e.code)
  end)

  case("SV7: a path that another server has taken is left alone", function()
    local first = lucio.start_unix_server(echo, path)
    local second = lucio.start_unix_server(echo, path)
    end_all(first)
    local reader, writer = lucio.open_unix_connection(path)
    writer:write("x\n")
    assert.are.equal("x\n", reader:read())
    end_all(second, writer)
  end)

  case("an abstract name leaves no file", function()
    local name = "\0lucio-spec-" .. path
    local server = lucio.start_unix_server(echo, name)
    local reader, writer = lucio.open_unix_connection(name)
    writer:write("x\n")
    assert.are.equal("x\n", reader:read())
    end_all(server, writer)
  end)

  case("nobody there is an OSError", function(t)
    local e = t.raises(lucio.OSError, lucio.open_unix_connection, path)
    assert.are.equal("ENOENT", e.code)
    t.raises(lucio.ValueError, lucio.open_unix_connection, ("x"):rep(200))
    t.raises(lucio.ValueError, lucio.open_unix_connection, "")
  end)
end)
