-- IO1: datagrams: protocols over endpoints.
local assert = require "luassert"
local case = require "spec.support.case"
local datagram = require "spec.support.datagram"
local eventually = require "spec.support.eventually"
local lucio = require "lucio"

local HERE, nobody, unix_path = datagram.HERE, datagram.nobody, datagram.unix_path

describe("create_datagram_endpoint", function()
  local function protocol(t, own)
    local made = {over = lucio.Future()}
    function made:connection_made(transport)
      self.transport = transport
      t.log("made", t.tick())
    end
    function made.datagram_received(_, data) t.log("received", data) end
    function made.error_received(_, e) t.log("error", e.code) end
    function made:connection_lost(e)
      t.log("lost", e)
      self.over:set_result()
    end
    for name, method in pairs(own or {}) do made[name] = method end
    return made
  end

  case("TR1: calls the methods of a protocol, one for each datagram", function(t)
    local loop = lucio.get_running_loop()
    t.start_ticks()
    local transport, made = loop:create_datagram_endpoint(function()
      return protocol(t, {datagram_received = function(self, data, address)
        t.log("received", data)
        self.transport:sendto(data:upper(), address)
      end})
    end, HERE)
    t.log("open", t.tick())
    assert.are.equal(transport, made.transport)
    assert.are.equal(made, transport:get_protocol())
    local client <close> = lucio.open_datagram{remote_addr = transport:get_extra_info("sockname")}
    client:sendto("one")
    client:sendto("two")
    assert.are.same({"ONE", "TWO"}, {(client:recvfrom()), (client:recvfrom())})
    transport:close()
    transport:sendto("nowhere", client:getsockname())
    made.over:await()
    t.same_lines {"made 1", "open 2", "received one", "received two", "lost nil"}
  end)

  case("IO1: errors of the socket go to error_received", function(t)
    local loop = lucio.get_running_loop()
    local address = nobody()
    local transport, made = loop:create_datagram_endpoint(function()
      return protocol(t)
    end, {remote_addr = address})
    assert.are.equal(tostring(address), tostring(transport:get_extra_info("peername")))
    transport:sendto("x")
    eventually(function() return #t.lines >= 2 end)
    transport:sendto(("x"):rep(70000))
    transport:abort()
    made.over:await()
    t.same_lines {"made " .. t.lines[1]:match("%d+"), "error ECONNREFUSED", "error EMSGSIZE",
      "lost nil"}
  end)

  case("an error of a method is reported, and the socket goes on", function(t)
    local loop = lucio.get_running_loop()
    local count = lucio.Queue()
    local transport, made = loop:create_datagram_endpoint(function()
      return protocol(t, {datagram_received = function(_, data)
        count:put_nowait(data)
        error(lucio.ValueError(data))
      end})
    end, HERE)
    local client <close> = lucio.open_datagram{remote_addr = transport:getsockname()}
    for i = 1, 2 do
      client:sendto("bad " .. i)
      assert.are.equal("bad " .. i, count:get())
    end
    transport:close()
    made.over:await()
    local reports = t.reports
    assert.are.equal(2, #reports)
    assert.are.same({"Exception in protocol.datagram_received()", "bad 2"},
      {reports[2].message, reports[2].exception.message})
    assert.are.equal(made, reports[2].protocol)
    assert.are.equal(transport, reports[2].transport)
  end)

  case("TR3: pause_writing and resume_writing alternate", function(t)
    local path = unix_path()
    local server <close> = lucio.open_datagram{local_addr = path}
    local order, sent = {}, 0
    local transport, made = lucio.get_running_loop():create_datagram_endpoint(function()
      return protocol(t, {
        pause_writing = function() order[#order + 1] = "pause" end,
        resume_writing = function() order[#order + 1] = "resume" end,
      })
    end, {remote_addr = path})
    for _ = 1, 2 do
      repeat
        sent = sent + 1
        transport:sendto(("x"):rep(1000))
      until transport:get_write_buffer_size() > 200000
      for _ = 1, sent do server:recvfrom() end
      sent = 0
      eventually(function() return transport:get_write_buffer_size() == 0 end)
    end
    transport:close()
    made.over:await()
    assert.are.same({"pause", "resume", "pause", "resume"}, order)
    os.remove(path)
  end)

  case("bad arguments; a factory that fails", function(t)
    local loop = lucio.get_running_loop()
    t.raises(lucio.TypeError, loop.create_datagram_endpoint, loop)
    t.raises(lucio.TypeError, loop.create_datagram_endpoint, loop, function() end, HERE)
    local e = t.raises(lucio.ValueError, loop.create_datagram_endpoint, loop,
      function() error(lucio.ValueError("none today")) end, HERE)
    assert.are.equal("none today", e.message)
    t.raises(lucio.ValueError, loop.create_datagram_endpoint, loop, function() return {} end)
  end)

  case("needs none of its methods; may close at once", function()
    local loop = lucio.get_running_loop()
    local transport = loop:create_datagram_endpoint(function() return {} end, HERE)
    local client <close> = lucio.open_datagram{remote_addr = transport:getsockname()}
    client:sendto("x")
    transport:set_protocol({})
    transport:close()
    local over = lucio.Future()
    loop:create_datagram_endpoint(function()
      return {
        connection_made = function(_, other) other:close() end,
        connection_lost = function() over:set_result() end,
      }
    end, HERE)
    over:await()
  end)
end)
