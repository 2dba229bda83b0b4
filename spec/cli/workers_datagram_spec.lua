-- lucio --workers: sockets of datagrams that the workers share.
local assert = require "luassert"
local loopback = require "spec.support.loopback"
local lucio = require "lucio"
local supervised = require "spec.cli.supervised"

-- Answers each datagram with its number and process in front. OPTIONS: those of the endpoint.
local ENDPOINT = supervised.PRELUDE .. [[
  local endpoint <close> = lucio.open_datagram{OPTIONS}
  say("ready")
  for data, from in endpoint:datagrams() do
    if data == "crash" then os.exit(3) end
    endpoint:sendto(("%s %d %s"):format(index, pid, data), from)
  end
]]

local PROTOCOL = supervised.PRELUDE .. [[
  local over = lucio.Future()
  lucio.get_running_loop():create_datagram_endpoint(function()
    return {
      connection_made = function(self, made) self.transport = made end,
      datagram_received = function(self, data, from)
        self.transport:sendto(("%s %d %s"):format(index, pid, data), from)
      end,
    }
  end, {OPTIONS})
  say("ready")
  over:await()
]]

local function script(text, port, more)
  local options = ("local_addr = {%q, %d}%s"):format(loopback.host, port, more or "")
  return (text:gsub("OPTIONS", options))
end

-- Sends a datagram and waits for the answer: the worker's number, its process, the datagram. It is
-- never sent again.
local function ask(client, text)
  client:sendto(text)
  return client:recvfrom():match "^(%d+) (%d+) (.*)$"
end

local function ready(s, n)
  for i = 1, n do s:line("^(worker)\t.*\tready$", i) end
end

describe("datagrams with --workers", function()
  for name, text in pairs{endpoint = ENDPOINT, protocol = PROTOCOL} do
    it("sent to one port reach one of the workers each: " .. name, function()
      local port = loopback.port()
      supervised.run({"--workers", "2", script = script(text, port)}, function(s)
        ready(s, 2)
        local client <close> = lucio.open_datagram{remote_addr = {loopback.host, port}}
        local index, process, said = ask(client, "one")
        assert.are.equal("one", said)
        -- who is stopped leaves it to the other
        os.execute("kill -STOP " .. process)
        supervised.wait_until(function() return supervised.state(process) == "T" end)
        for i = 1, 20 do
          local other, _, answer = ask(client, tostring(i))
          assert.are.same({3 - index, tostring(i)}, {tonumber(other), answer})
        end
        os.execute("kill -CONT " .. process)
        s:signal "SIGTERM"
        assert.are.equal(0, s:wait())
        assert.are.same({}, s.err)
      end)
    end)

    for _, more in ipairs{"", ", reuse_port = true"} do
      it("are not lost while the workers are reloaded: " .. name .. more, function()
        local port = loopback.port()
        supervised.run({"--workers", "2", script = script(text, port, more)}, function(s)
          ready(s, 2)
          local reloaded = false
          local function talk()
            -- another address each time: the kernel chooses among sockets by it
            repeat
              local client <close> = lucio.open_datagram{remote_addr = {loopback.host, port}}
              for i = 1, 20 do
                assert.are.equal(tostring(i), select(3, ask(client, tostring(i))))
              end
            until reloaded
          end
          local talks = {}
          for i = 1, 8 do talks[i] = lucio.create_task(talk) end
          s:signal "SIGHUP"
          ready(s, 4)
          s:line "^lucio: (all workers are reloaded)"
          reloaded = true
          lucio.gather(talks)
          s:signal "SIGTERM"
          assert.are.equal(0, s:wait())
        end)
      end)
    end
  end

  it("wait for the worker that comes after one that crashed", function()
    local port = loopback.port()
    supervised.run({"--workers", "1", script = script(ENDPOINT, port)}, function(s)
      ready(s, 1)
      local client <close> = lucio.open_datagram{remote_addr = {loopback.host, port}}
      local _, before = ask(client, "hello")
      client:sendto("crash")
      local _, after, said = ask(client, "are you there")
      assert.are.equal("are you there", said)
      assert.are_not.equal(before, after)
    end)
  end)

  it("sent to a unix socket reach one of the workers each", function()
    local path = os.tmpname()
    os.remove(path)
    local text = ENDPOINT:gsub("OPTIONS", ("local_addr = %q"):format(path))
    supervised.run({"--workers", "2", script = text}, function(s)
      ready(s, 2)
      local client <close> = lucio.open_datagram{local_addr = path .. ".client", remote_addr = path}
      for i = 1, 20 do
        assert.are.equal(tostring(i), select(3, ask(client, tostring(i))))
      end
      s:signal "SIGTERM"
      assert.are.equal(0, s:wait())
    end)
    os.remove(path)
    os.remove(path .. ".client")
  end)

  it("come to one worker alone at a port that the system chose, or from one address", function()
    local text = supervised.PRELUDE .. [[
      local one = lucio.open_datagram{local_addr = {"127.0.0.1", 0}}
      local two = lucio.open_datagram{remote_addr = one:getsockname()}
      two:sendto(index)
      assert((one:recvfrom()) == index)
      say(one:getsockname().port)
    ]]
    supervised.run({"--workers", "2", script = text}, function(s)
      assert.are.equal(0, s:wait())
      local first, second = s:line "^worker\t1\t%d+\t(%d+)$", s:line "^worker\t2\t%d+\t(%d+)$"
      assert.are_not.equal(first, second)
    end)
  end)

  it("has one endpoint for an address, which can be opened again", function()
    local port = loopback.port()
    local text = script(supervised.PRELUDE .. [[
      do
        local endpoint <close> = lucio.open_datagram{OPTIONS}
        local ok, e = lucio.pcall(lucio.open_datagram, {OPTIONS})
        say(ok, e.code)
      end
      local endpoint <close> = lucio.open_datagram{OPTIONS}
      local client <close> = lucio.open_datagram{remote_addr = endpoint:getsockname()}
      client:sendto("hello")
      say((endpoint:recvfrom()))
    ]], port)
    supervised.run({"--workers", "1", script = text}, function(s)
      assert.are.equal(0, s:wait())
      assert.are.equal("EADDRINUSE", (s:line "^worker\t1\t%d+\tfalse\t(%S+)$"))
      assert.are.equal("hello", (s:line "^worker\t1\t%d+\t(hello)$"))
    end)
  end)
end)
