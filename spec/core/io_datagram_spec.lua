-- IO1: datagrams: endpoints.
local assert = require "luassert"
local case = require "spec.support.case"
local datagram = require "spec.support.datagram"
local eventually = require "spec.support.eventually"
local lucio = require "lucio"
local system = require "spec.support.system"

local HERE, nobody, unix_path = datagram.HERE, datagram.nobody, datagram.unix_path

-- An endpoint that sends to another one.
local function towards(server)
  return lucio.open_datagram{remote_addr = server:getsockname()}
end

local function close(...)
  for _, endpoint in ipairs {...} do
    endpoint:close()
    endpoint:wait_closed()
  end
end

describe("open_datagram", function()
  case("gives an endpoint that sends and receives, each datagram as a whole", function()
    local server <close> = lucio.open_datagram(HERE)
    local client <close> = towards(server)
    client:sendto("one")
    client:sendto("")
    client:sendto(("x"):rep(60000))
    local data, address = server:recvfrom()
    assert.are.equal("one", data)
    assert.are.equal(tostring(client:getsockname()), tostring(address))
    assert.are.same({"127.0.0.1", client:getsockname().port}, {address.host, address.port})
    assert.are.equal("", (server:recvfrom()))
    assert.are.equal(60000, #server:recvfrom())
    server:sendto("answer", address)
    data, address = client:recvfrom()
    assert.are.equal("answer", data)
    assert.are.equal(tostring(server:getsockname()), tostring(address))
  end)

  case("takes two ticks, as create_datagram_endpoint of asyncio", function(t)
    t.start_ticks()
    local endpoint <close> = lucio.open_datagram(HERE)
    assert.are.equal(2, t.tick())
    local name = endpoint:getsockname()
    assert.are.same({"127.0.0.1", "inet"}, {name.host, name.family})
    assert.is_nil(endpoint:getpeername())
  end)

  case("IO1: needs an address or a family", function(t)
    t.raises("unexpected address family", lucio.open_datagram)
    t.raises(lucio.ValueError, lucio.open_datagram, {})
    local endpoint <close> = lucio.open_datagram{family = "inet"}
    local server <close> = lucio.open_datagram(HERE)
    endpoint:sendto("x", server:getsockname())
    local _, address = server:recvfrom()
    assert.are.equal(endpoint:getsockname().port, address.port)
  end)

  system.case(system.IPV6, "the loopback address of IPv6", "speaks IPv6", function(t)
    local server <close> = lucio.open_datagram{local_addr = {"::1", 0}}
    local port = server:getsockname().port
    local client <close> = lucio.open_datagram{remote_addr = {"::1", port}}
    client:sendto("six")
    local data, address = server:recvfrom()
    assert.are.same({"six", "inet6", ("[::1]:%d"):format(address.port)},
      {data, address.family, tostring(address)})
    t.raises("can not get address information", lucio.open_datagram,
      {local_addr = {"127.0.0.1", 0}, remote_addr = {"::1", port}})
  end, case)

  case("looks names up", function()
    local four <close> = lucio.open_datagram{local_addr = {"localhost", 0}, family = "inet"}
    assert.are.equal("127.0.0.1", four:getsockname().host)
  end)

  case("takes paths: sockets of the family unix", function(t)
    local path, own = unix_path(), unix_path()
    local server <close> = lucio.open_datagram{local_addr = path}
    local client <close> = lucio.open_datagram{local_addr = own, remote_addr = path}
    local nameless <close> = lucio.open_datagram{remote_addr = path}
    client:sendto(("x"):rep(100000))
    nameless:sendto("who?")
    local data, address = server:recvfrom()
    assert.are.same({100000, own}, {#data, address})
    server:sendto("y", address)
    assert.are.equal("y", (client:recvfrom()))
    assert.are.same({"who?"}, {server:recvfrom()})
    -- a socket that was left there is no obstacle, a file is
    local again <close> = lucio.open_datagram{local_addr = path}
    assert.are.equal(path, again:getsockname())
    os.remove(path)
    io.open(path, "w"):close()
    assert.are.equal("EADDRINUSE", t.raises(lucio.OSError, lucio.open_datagram,
      {local_addr = path}).code)
    os.remove(path)
    os.remove(own)
  end)

  case("an address in use is an OSError, unless both reuse the port", function(t)
    local first <close> = lucio.open_datagram(HERE)
    local e = t.raises(lucio.OSError, lucio.open_datagram, {local_addr = first:getsockname()})
    assert.are.equal("EADDRINUSE", e.code)
    assert.are.equal("[Errno 98] Address already in use", e.message)
    local options = {local_addr = {"127.0.0.1", 0}, reuse_port = true}
    local second <close> = lucio.open_datagram(options)
    options.local_addr = second:getsockname()
    local third <close> = lucio.open_datagram(options)
    assert.are.equal(second:getsockname().port, third:getsockname().port)
  end)

  case("with allow_broadcast it is not connected: answers of anybody arrive", function(t)
    local server <close> = lucio.open_datagram(HERE)
    local client <close> = lucio.open_datagram{
      remote_addr = server:getsockname(), allow_broadcast = true}
    client:sendto("x")
    local _, address = server:recvfrom()
    local other <close> = lucio.open_datagram{family = "inet"}
    other:sendto("from another", {"127.0.0.1", address.port})
    assert.are.equal("from another", (client:recvfrom()))
    t.raises(lucio.ValueError, client.sendto, client, "x", {"127.0.0.1", 1})
  end)

  case("bad arguments", function(t)
    t.raises(lucio.TypeError, lucio.open_datagram, 5)
    t.raises(lucio.TypeError, lucio.open_datagram, {port = 5})
    t.raises(lucio.TypeError, lucio.open_datagram, {local_addr = 5})
    t.raises(lucio.TypeError, lucio.open_datagram, {local_addr = {"127.0.0.1"}})
    t.raises(lucio.TypeError, lucio.open_datagram, {local_addr = {"::1", 0}, remote_addr = "path"})
    t.raises(lucio.ValueError, lucio.open_datagram, {local_addr = {"127.0.0.1", 65536}})
    t.raises(lucio.ValueError, lucio.open_datagram, {local_addr = ("x"):rep(200)})
    t.raises(lucio.ValueError, lucio.open_datagram, {family = "ipx"})
    t.raises(lucio.gaierror, lucio.open_datagram, {remote_addr = {"no.such.host.invalid", 1}})
    local endpoint <close> = lucio.open_datagram(HERE)
    local address = endpoint:getsockname()
    local e = t.raises(lucio.TypeError, endpoint.sendto, endpoint, 5, address)
    assert.are.equal("bad argument #1 to 'sendto' (string expected, got number)", e.message)
    e = t.raises(lucio.TypeError, endpoint.sendto, endpoint, "x")
    assert.are.equal("bad argument #2 to 'sendto' (address expected, got nil)", e.message)
    t.raises(lucio.TypeError, endpoint.sendto, endpoint, "x", {})
    t.raises(lucio.TypeError, endpoint.sendto, endpoint, "x", {"127.0.0.1", "http"})
    t.raises(lucio.ValueError, endpoint.sendto, endpoint, "x", {"127.0.0.1", 65536})
    t.raises(lucio.ValueError, endpoint.sendto, endpoint, "x", {"localhost", 1})
    t.raises(lucio.ValueError, endpoint.recvfrom, endpoint, -1)
    t.raises(lucio.TypeError, endpoint.recvfrom, endpoint, "x")
    t.raises(lucio.TypeError, endpoint.recvfrom, {})
  end)

  case("asks for the end of its time limit", function(t)
    t.raises(lucio.TimeoutError, lucio.open_datagram,
      {local_addr = {"127.0.0.1", 0}, timeout = 0})
  end)
end)

describe("recvfrom", function()
  case("tells the size of a datagram that it cut off", function()
    local server <close> = lucio.open_datagram(HERE)
    local client <close> = towards(server)
    for _, text in ipairs {"0123456789", "short", ""} do client:sendto(text) end
    local data, _, size = server:recvfrom(5)
    assert.are.same({"01234", 10}, {data, size})
    assert.are.same({"short"}, {(server:recvfrom(5))})
    assert.is_nil((select(3, server:recvfrom(0))))
  end)

  case("serves those who wait in their order, also with those who come late", function(t)
    local server <close> = lucio.open_datagram(HERE)
    local client <close> = towards(server)
    local tasks = {}
    for i = 1, 4 do
      tasks[i] = lucio.create_task(function() t.log(i, (server:recvfrom())) end)
    end
    lucio.sleep(0)
    for i = 1, 5 do client:sendto("message " .. i) end
    -- woken are those who wait; who asks now is behind them
    lucio.sleep(0)
    t.log("late", (server:recvfrom()))
    lucio.gather(tasks)
    t.same_lines {"1 message 1", "2 message 2", "3 message 3", "4 message 4", "late message 5"}
  end)

  case("a receiver that is cancelled loses nothing, at whatever moment", function()
    local server <close> = lucio.open_datagram(HERE)
    local client <close> = towards(server)
    for ticks = 0, 6 do
      local task = lucio.create_task(server.recvfrom, server)
      lucio.sleep(0)
      client:sendto("kept")
      for _ = 1, ticks do lucio.sleep(0) end
      task:cancel()
      local ok, data = pcall(task.await, task)
      if not ok then data = server:recvfrom() end
      assert.are.equal("kept", data)
    end
  end)

  case("what a cancelled receiver was woken for is the next one's", function()
    local server <close> = lucio.open_datagram(HERE)
    local client <close> = towards(server)
    local first = lucio.create_task(server.recvfrom, server)
    local second = lucio.create_task(server.recvfrom, server)
    lucio.sleep(0)
    client:sendto("x")
    -- the first one has been woken when its cancellation arrives
    local loop = lucio.get_running_loop()
    loop:call_soon(first.cancel, first)
    assert.are.equal("x", (lucio.wait_for(second, 5)))
    assert.is_true(first:cancelled() or first:done())
  end)

  case("reads only while somebody waits: what does not fit is the system's to drop", function()
    local server <close> = lucio.open_datagram(HERE)
    local client <close> = towards(server)
    -- more than the system has room for
    local room = io.open("/proc/sys/net/core/rmem_default")
    local many = math.max(5000, room and room:read("n") // 300 or 0)
    if room then room:close() end
    for i = 1, many do client:sendto(("%06d"):format(i):rep(100)) end
    local count, last = 0, 0
    while true do
      local limit = count == 0 and 60 or 0.05
      local ok, data = pcall(lucio.wait_for, function() return (server:recvfrom()) end, limit)
      if not ok then break end
      count = count + 1
      local number = math.tointeger(tonumber(data:sub(1, 6)))
      assert.is_true(number > last)
      last = number
    end
    assert.is_true(count > 0 and count < many)
  end)

  case("does not keep the others from running while it has something", function()
    local server <close> = lucio.open_datagram(HERE)
    local client <close> = towards(server)
    local received, others = 0, 0
    local sender = lucio.create_task(function()
      while true do
        client:sendto("x")
        lucio.sleep(0)
      end
    end)
    local other = lucio.create_task(function()
      while true do
        others = others + 1
        lucio.sleep(0)
      end
    end)
    while received < 500 do
      server:recvfrom()
      received = received + 1
    end
    sender:cancel()
    other:cancel()
    assert.is_true(others > 5)
  end)

  case("raises what the network says to a connected endpoint, which goes on", function(t)
    local address = nobody()
    local client <close> = lucio.open_datagram{remote_addr = address}
    client:sendto("x")
    local e = t.raises(lucio.ConnectionRefusedError, client.recvfrom, client)
    assert.are.equal("ECONNREFUSED", e.code)
    local server <close> = lucio.open_datagram{local_addr = address}
    client:sendto("y")
    assert.are.equal("y", (server:recvfrom()))
    -- said to the next one who sends, where nobody receives
    close(server)
    local failed
    eventually(function()
      local ok, err = pcall(client.sendto, client, "z")
      failed = not ok and err
      return failed
    end)
    assert.is_true(lucio.isinstance(failed, lucio.ConnectionRefusedError))
  end)

  case("a loop over datagrams ends when the endpoint is closed", function()
    local server = lucio.open_datagram(HERE)
    local client = towards(server)
    local got = {}
    local task = lucio.create_task(function()
      for data, address in server:datagrams() do
        got[#got + 1] = data
        server:sendto(data:upper(), address)
      end
      return "over"
    end)
    client:sendto("a")
    assert.are.equal("A", (client:recvfrom()))
    client:sendto("b")
    assert.are.equal("B", (client:recvfrom()))
    server:close()
    assert.are.equal("over", task:await())
    assert.are.same({"a", "b"}, got)
    close(client, server)
  end)
end)

describe("closing", function()
  case("wakes all who receive with an error", function(t)
    local server <close> = lucio.open_datagram(HERE)
    local tasks = {}
    for i = 1, 3 do tasks[i] = lucio.create_task(server.recvfrom, server) end
    lucio.sleep(0)
    server:close()
    for i = 1, 3 do
      local e = t.raises(lucio.ConnectionAbortedError, tasks[i].await, tasks[i])
      assert.are.equal("recvfrom: the endpoint was closed", e.message)
    end
    t.raises(lucio.ConnectionAbortedError, server.recvfrom, server)
    t.raises(lucio.ConnectionAbortedError, server.sendto, server, "x", {"127.0.0.1", 9})
    t.raises(lucio.ConnectionAbortedError, server.drain, server)
    server:close()
    assert.is_true(server:is_closing())
    assert.are.equal(-1, server:fileno())
    assert.are.equal("127.0.0.1", server:getsockname().host)
  end)

  case("what was received by then can still be taken", function(t)
    local taken
    -- a machine with a lot to do may deliver them one by one
    for _ = 1, 100 do
      local server = lucio.open_datagram(HERE)
      local client = towards(server)
      local first = lucio.create_task(server.recvfrom, server)
      lucio.sleep(0)
      for i = 1, 3 do client:sendto(tostring(i)) end
      assert.are.equal("1", (first:await()))
      close(server, client)
      taken = {}
      pcall(function()
        while true do taken[#taken + 1] = server:recvfrom() end
      end)
      t.raises(lucio.ConnectionAbortedError, server.recvfrom, server)
      if #taken == 2 then break end
    end
    assert.are.same({"2", "3"}, taken)
  end)

  case("an endpoint that nobody closed is closed when it is collected, or its loop is", function()
    local fd
    do
      local endpoint = lucio.open_datagram(HERE)
      fd = endpoint:fileno()
      endpoint:close() -- without a warning, the descriptor goes in the next tick
    end
    collectgarbage()
    eventually(function()
      local ok = pcall(lucio.get_running_loop().add_reader, lucio.get_running_loop(), fd, print)
      return not ok
    end)
  end)
end)

describe("sending", function()
  -- Sends datagrams until the system takes no more and some are kept; how many it was.
  local function send_until_kept(client)
    local count = 0
    repeat
      count = count + 1
      client:sendto(("x"):rep(1000))
    until client:get_write_buffer_size() > 20000
    return count
  end

  case("IO1: never suspends: what the system does not take is kept, in order", function(t)
    local path = unix_path()
    local server <close> = lucio.open_datagram{local_addr = path}
    local client <close> = lucio.open_datagram{remote_addr = path}
    t.start_ticks()
    local count = 0
    repeat -- how many the system takes is its own matter
      count = count + 1
      client:sendto(("%06d"):format(count):rep(200))
    until client:get_write_buffer_size() > 200000
    assert.are.equal(0, t.tick())
    local drained = lucio.create_task(client.drain, client)
    lucio.sleep(0.01)
    assert.is_false(drained:done())
    for i = 1, count do
      assert.are.equal(("%06d"):format(i), (server:recvfrom()):sub(1, 6))
    end
    drained:await()
    eventually(function() return client:get_write_buffer_size() == 0 end)
    os.remove(path)
  end)

  case("close sends what is kept, abort does not", function(t)
    local path = unix_path()
    local server <close> = lucio.open_datagram{local_addr = path}
    for _, method in ipairs {"close", "abort"} do
      local client = lucio.open_datagram{remote_addr = path}
      local sent = send_until_kept(client)
      local drain = lucio.create_task(client.drain, client)
      client[method](client)
      collectgarbage()
      local count = 0
      repeat
        -- as long as it takes while more has to come
        local limit = method == "close" and count < sent and 60 or 0.2
        local ok = pcall(lucio.wait_for, function() return server:recvfrom() end, limit)
        count = count + (ok and 1 or 0)
      until not ok
      if method == "close" then
        assert.are.equal(sent, count)
      else
        assert.is_true(count < sent)
      end
      client:wait_closed()
      if not pcall(drain.await, drain) then assert.are.equal("abort", method) end
      t.raises(lucio.ConnectionAbortedError, client.sendto, client, "x")
    end
    os.remove(path)
  end)

  case("a block that is left by an error does not wait for what is kept", function(t)
    local path = unix_path()
    local server <close> = lucio.open_datagram{local_addr = path}
    local sender
    t.raises("enough", function()
      local client <close> = lucio.open_datagram{remote_addr = server:getsockname()}
      sender = client
      send_until_kept(client)
      error("enough")
    end)
    assert.are.equal(-1, sender:fileno())
    os.remove(path)
  end)

  case("what cannot be sent is an OSError, and the endpoint goes on", function(t)
    local server <close> = lucio.open_datagram(HERE)
    local client <close> = towards(server)
    local e = t.raises(lucio.OSError, client.sendto, client, ("x"):rep(70000))
    assert.are.equal("EMSGSIZE", e.code)
    client:sendto("x")
    assert.are.equal("x", (server:recvfrom()))
    e = t.raises(lucio.ValueError, client.sendto, client, "x", {"127.0.0.1", 1})
    assert.are.equal(("Invalid address: must be nil or ('127.0.0.1', %d)"):format(
      server:getsockname().port), e.message)
    client:sendto("again", server:getsockname())
    assert.are.equal("again", (server:recvfrom()))
  end)

  case("marks", function(t)
    local server <close> = lucio.open_datagram(HERE)
    local client <close> = towards(server)
    t.raises(lucio.ValueError, client.set_write_buffer_limits, client, 10, 11)
    assert.are.same({16384, 65536}, {client:get_write_buffer_limits()})
    client:set_write_buffer_limits(0)
    assert.are.same({0, 0}, {client:get_write_buffer_limits()})
    client:sendto("x")
    client:drain()
    assert.are.equal("x", (server:recvfrom()))
  end)
end)
