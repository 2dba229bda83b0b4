-- SV1 to SV7: servers.
local assert = require "luassert"
local case = require "spec.support.case"
local eventually = require "spec.support.eventually"
local loopback = require "spec.support.loopback"
local lucio = require "lucio"

local function start(callback, options)
  local server = lucio.start_server(callback, "127.0.0.1", 0, options)
  return server, server.sockets[1] and server.sockets[1]:getsockname().port
end

local function connect(port)
  return lucio.open_connection("127.0.0.1", port)
end

-- A connection that stays open until the client ends it.
local held = 0
local function hold(reader, writer)
  held = held + 1
  pcall(reader.read, reader)
  writer:close()
end

-- A connection with a server whose callback is hold, which has it by now.
local function connect_held(port)
  local before = held
  local reader, writer = connect(port)
  eventually(function() return held > before end)
  return reader, writer
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

  case("SV1: whatever callbacks raise, the server goes on", function(t)
    local values = {
      function() error("text") end, function() error({}) end, function() error(nil) end,
      function() error(lucio.TimeoutError()) end, function() error(lucio.CancelledError()) end,
      function() local _ <close> = setmetatable({}, {__close = function() error("late") end}) end,
      function(_, writer) writer:abort() error("aborted") end,
    }
    local i = 0
    local server, port = start(function(...)
      i = i + 1
      values[i](...)
    end)
    local own = {}
    for _ = 1, #values do
      local reader, writer = connect(port)
      own[#own + 1] = tostring(writer:get_extra_info "sockname")
      pcall(reader.read, reader)
      writer:close()
      pcall(writer.wait_closed, writer)
      assert.is_true(server:is_serving())
    end
    server:close()
    server:wait_closed()
    -- a cancellation is none
    table.remove(own, 5)
    local peers = {}
    for _, report in ipairs(t.reports) do
      assert.are.equal("Unhandled exception in client_connected_cb", report.message)
      peers[#peers + 1] = tostring(report.peername)
    end
    assert.are.same(own, peers)
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
    eventually(function() return #t.reports > 0 end)
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

  case("SV3: a list without hosts is an OSError", function(t)
    t.raises("could not bind on any address out of {}", lucio.start_server, hold, {}, 0)
  end)

  case("SV3: a port in use is an OSError, and closes what was opened", function(t)
    local port, hosts = loopback.port(), {loopback.other_host, loopback.host}
    local server = lucio.start_server(hold, loopback.host, port)
    lucio.fs.listdir("/proc/self/fd") -- what it sets up for good is no leak
    local before = #lucio.fs.listdir("/proc/self/fd")
    collectgarbage "stop" -- nothing is left to it
    local e = t.raises(lucio.OSError, lucio.start_server, hold, hosts, port)
    local after = #lucio.fs.listdir("/proc/self/fd")
    collectgarbage "restart"
    assert.are.equal("EADDRINUSE", e.code)
    assert.matches("error while attempting to bind on address", e.message, 1, true)
    assert.are.equal(before, after)
    end_all(server)
    server = lucio.start_server(hold, hosts, port)
    end_all(server)
  end)

  case("with reuse_port several servers have one port", function()
    local first, port = start(hold, {reuse_port = true})
    local second = lucio.start_server(hold, "127.0.0.1", port, {reuse_port = true})
    local _, writer = connect(port)
    end_all(first, writer)
    end_all(second)
  end)

  case("bad arguments", function(t)
    t.raises(lucio.TypeError, lucio.start_server, nil, "127.0.0.1", 0)
    t.raises(lucio.TypeError, lucio.start_server, hold, 5, 0)
    t.raises(lucio.TypeError, lucio.start_server, hold, "127.0.0.1", {})
    t.raises(lucio.TypeError, lucio.start_server, hold, "127.0.0.1", 0, {nope = true})
    t.raises(lucio.ValueError, lucio.start_server, hold, "127.0.0.1", 70000)
    local wrong = {
      {"max_connections", 0, lucio.ValueError}, {"max_connections", 1.5, lucio.TypeError},
      {"max_connections", 1 << 40, lucio.ValueError}, {"backlog", "9", lucio.TypeError},
      {"backlog", 1 << 33, lucio.ValueError}, {"drain_timeout", -1, lucio.ValueError},
      {"drain_timeout", 0 / 0, lucio.ValueError}, {"drain_timeout", true, lucio.TypeError},
    }
    for _, row in ipairs(wrong) do
      local e = t.raises(row[3], lucio.start_server, hold, "127.0.0.1", 0, {[row[1]] = row[2]})
      assert.matches("bad argument #4 to 'start_server' (" .. row[1], e.message, 1, true)
    end
  end)
end)

describe("max_connections", function()
  -- A server that says hello and waits for the end; gives the count of those that it has.
  local function start_limited(hosts, most)
    local has = {count = 0, most = 0}
    local server = lucio.start_server(function(reader, writer)
      has.count = has.count + 1
      has.most = math.max(has.most, has.count)
      writer:write("hello\n")
      pcall(reader.read, reader)
      has.count = has.count - 1
    end, hosts, 0, {max_connections = most})
    return server, has
  end

  local function port_of(server, i) return server.sockets[i]:getsockname().port end

  case("accepts no more, and goes on when a connection has ended", function()
    local server, has = start_limited("127.0.0.1", 2)
    local readers, writers = {}, {}
    for i = 1, 5 do readers[i], writers[i] = connect(port_of(server, 1)) end
    for i = 1, 5 do
      -- those before it have to go first
      assert.are.equal("hello\n", readers[i]:readline())
      if i < 3 then lucio.sleep(0.01) end
      assert.is_true(has.count <= 2)
      if i >= 2 then
        writers[i - 1]:close()
        writers[i - 1]:wait_closed()
      end
    end
    assert.are.equal(2, has.most)
    end_all(server, writers[5])
  end)

  case("does not look at who waits to be accepted", function()
    local server = start_limited("127.0.0.1", 1)
    local watchers = lucio.stats().watchers
    local reader, writer = connect(port_of(server, 1))
    local _, other = connect(port_of(server, 1))
    assert.are.equal("hello\n", reader:readline())
    -- three ends are read, and in the place of the listening socket nothing is watched
    eventually(function() return lucio.stats().watchers == watchers + 2 end, "it is watched")
    end_all(server, writer, other)
  end)

  case("counts over all sockets of the server", function()
    local server, has = start_limited({"127.0.0.1", "127.0.0.2"}, 1)
    local first, first_writer = connect(port_of(server, 1))
    assert.are.equal("hello\n", first:readline())
    local second, second_writer = lucio.open_connection("127.0.0.2", port_of(server, 2))
    local greeting = lucio.create_task(second.readline, second)
    for _ = 1, 5 do lucio.sleep(0.002) end
    assert.is_false(greeting:done())
    first_writer:close()
    assert.are.equal("hello\n", greeting:await())
    assert.are.equal(1, has.most)
    end_all(server, first_writer, second_writer)
  end)

  case("a server that is full closes like any other", function()
    local server, has = start_limited("127.0.0.1", 1)
    local reader, writer = connect(port_of(server, 1))
    local _, other = connect(port_of(server, 1))
    assert.are.equal("hello\n", reader:readline())
    server:close()
    writer:close()
    server:wait_closed()
    assert.are.equal(1, has.most)
    end_all(server, writer, other)
  end)

  case("protocols and unix sockets have it too", function()
    local path = os.tmpname()
    local made, over = 0, lucio.Event()
    local server = lucio.get_running_loop():create_unix_server(function()
      return {
        connection_made = function(_, transport)
          made = made + 1
          transport:write("hello\n")
        end,
        connection_lost = function() over:set() end,
      }
    end, os.remove(path) and path, {max_connections = 1})
    local reader, writer = lucio.open_unix_connection(path)
    local later, other = lucio.open_unix_connection(path)
    assert.are.equal("hello\n", reader:readline())
    assert.are.equal(1, made)
    writer:close()
    over:wait()
    assert.are.equal("hello\n", later:readline())
    end_all(server, writer, other)
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
    local reader, writer = connect_held(port)
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
    local _, writer = connect_held(port)
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
      local reader, writer = connect_held(port)
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
    local _, writer = connect_held(port)
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
      writer = select(2, connect_held(port))
      lucio.get_running_loop():call_later(0.02, function() writer:close() end)
    end
    assert.are.equal(0, #kept.sockets)
    assert.is_true(writer:is_closing())
    writer:wait_closed()
  end)

  case("drain: waits for connections that end by themselves", function(t)
    local server, port = start(hold)
    local _, writer = connect_held(port)
    lucio.get_running_loop():call_later(0.01, function() writer:close() end)
    assert.is_true(server:drain(60))
    assert.are.equal(0, #server.sockets)
    assert.is_true(server:drain())
    t.raises(lucio.ConnectionRefusedError, connect, port)
    writer:wait_closed()
  end)

  case("drain: aborts those that go on for longer", function(t)
    local server, port = start(hold)
    local reader, writer = connect_held(port)
    assert.is_false(server:drain(0.02))
    pcall(reader.read, reader)
    assert.is_true(reader:at_eof())
    assert.is_false(server:drain(0))
    t.raises(lucio.ValueError, server.drain, server, -1)
    t.raises(lucio.TypeError, server.drain, server, "1")
    end_all(server, writer)
  end)

  case("drain: a cancelled one leaves the time as it is", function()
    local server, port = start(hold)
    local reader, writer = connect_held(port)
    local draining = lucio.create_task(server.drain, server, 0.03)
    lucio.sleep(0) -- it has begun, and cannot be at its end: no time passes in a tick
    draining:cancel()
    pcall(reader.read, reader)
    server:wait_closed()
    assert.is_true(draining:cancelled())
    end_all(server, writer)
  end)

  case("drain_timeout: bounds every way of closing", function()
    local ways = {
      function(server) server:close() end,
      function(server) local _ <close> = server end,
      function(server) server:drain() end,
      function(server)
        local serving = lucio.create_task(server.serve_forever, server)
        lucio.sleep(0)
        serving:cancel()
        lucio.wait {serving}
      end,
    }
    for _, way in ipairs(ways) do
      local server, port = start(hold, {drain_timeout = 0.01})
      local reader, writer = connect_held(port)
      way(server)
      server:wait_closed()
      pcall(reader.read, reader)
      end_all(server, writer)
    end
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

  case("connecting waits while the queue is full", function()
    local server = lucio.start_unix_server(echo, path, {backlog = 1, start_serving = false})
    server:start_serving()
    local answers = {}
    for i = 1, 20 do
      answers[i] = function()
        local reader, writer <close> = lucio.open_unix_connection(path)
        writer:write(i .. "\n")
        return reader:readline()
      end
    end
    for i, answer in ipairs(lucio.gather(answers)) do assert.are.equal(i .. "\n", answer) end
    end_all(server)
  end)

  case("connecting to a full queue may be given up", function(t)
    local server = lucio.start_unix_server(hold, path, {backlog = 1, max_connections = 1})
    local writers = {}
    local e = t.raises(lucio.TimeoutError, function()
      for i = 1, 10 do
        -- the first ones have to get through
        local timeout = i <= 2 and 60 or 0.05
        local _, writer = lucio.open_unix_connection(path, {timeout = timeout})
        writers[i] = writer
      end
    end)
    assert.is_not_nil(e)
    assert.is_true(#writers >= 2)
    for _, writer in ipairs(writers) do writer:close() end
    end_all(server, table.unpack(writers))
  end)

  case("nobody there is an OSError", function(t)
    local e = t.raises(lucio.OSError, lucio.open_unix_connection, path)
    assert.are.equal("ENOENT", e.code)
    t.raises(lucio.ValueError, lucio.open_unix_connection, ("x"):rep(200))
    t.raises(lucio.ValueError, lucio.open_unix_connection, "")
  end)
end)
