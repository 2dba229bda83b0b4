-- lucio --workers: processes that share ports, and the one that looks after them.
local assert = require "luassert"
local command = require "spec.cli.command"
local lucio = require "lucio"
local supervised = require "spec.cli.supervised"

local wait_until = supervised.wait_until

-- Connects until worker `index` answers; gives its process.
local function process_of(s, index)
  return wait_until(function()
    local who, process = s:ask("hello")
    return who == index and process
  end)
end

describe("lucio --workers", function()
  it("runs the script in processes that share a port, and each knows its number", function()
    supervised.run({"--workers", "2", script = supervised.SERVER}, function(s)
      local port = s:port()
      assert.are.equal(port, tonumber((s:line "^worker\t2\t%d+\t(%d+)$")))
      assert.are_not.equal(process_of(s, "1"), process_of(s, "2"))
      s:signal "SIGTERM"
      assert.are.equal(0, s:wait())
      assert.are.same({}, s.err)
    end)
  end)

  it("starts a worker again that has crashed, at the same port", function()
    supervised.run({"--workers", "1", script = supervised.SERVER}, function(s)
      local port = s:port()
      local _, process = s:ask "hello"
      assert.is_nil(s:ask "crash")
      local said = s:line("^lucio: worker 1 %(process (%d+)%) ended with status 3; " ..
        "it starts again in 0.1 s$")
      assert.are.equal(process, said)
      assert.are.equal(port, tonumber((s:line("^worker\t1\t%d+\t(%d+)$", 2))))
      -- nobody was there for a moment, and who came waited
      local _, again, line = s:ask "hello"
      assert.are.equal("hello", line)
      assert.are_not.equal(process, again)
      os.execute("kill -9 " .. again)
      s:line("^lucio: worker 1 %(process " .. again .. "%) was ended by signal 9 ")
      assert.are.equal("1", (s:ask "hello"))
    end)
  end)

  it("waits longer after each crash in a row", function()
    local mark = os.tmpname()
    -- the first one is ready before the second one fails: else all would end
    local script = supervised.PRELUDE .. [[
      local server = lucio.start_server(print, "127.0.0.1", 0)
      if index == "1" then os.remove(arg[1]) end
      while index == "2" do
        if not io.open(arg[1]) then error("again") end
        lucio.sleep(0.01)
      end
      server:serve_forever()
    ]]
    supervised.run({"--workers", "2", "SCRIPT", mark, script = script}, function(s)
      for i, seconds in ipairs {"0.1", "0.2", "0.4", "0.8"} do
        assert.are.equal(seconds, (s:line("^lucio: worker 2 .* it starts again in (%S+) s$", i)))
      end
      s:signal "SIGTERM"
      assert.are.equal(0, s:wait())
    end)
  end)

  it("does not start a worker again that has ended with 0; ends when all have", function()
    local script = supervised.PRELUDE .. [[
      say("done")
      if index == "2" then lucio.sleep(0.1) end
    ]]
    supervised.run({"--workers", "3", script = script}, function(s)
      assert.are.equal(0, s:wait())
      assert.are.equal(3, #s.out)
      assert.are.same({}, s.err)
    end)
  end)

  it("a mistake in the script ends it, and is told once", function()
    supervised.run({"--workers", "3", script = "x = = 1"}, function(s)
      assert.are.equal(1, s:wait())
      assert.are.equal(2, #s.err)
      assert.matches("unexpected symbol near '='", s.err[1], 1, true)
      assert.matches("^lucio: worker 1 .* ended with status 1 before any worker was ready$",
        s.err[2])
    end)
  end)

  it("so does a port in use", function()
    lucio.run(function()
      local server <close> = lucio.start_server(print, "127.0.0.1", 0)
      local port = server.sockets[1]:getsockname().port
      local r = command.run{"--workers", "2", "SCRIPT", tostring(port), script = supervised.SERVER}
      assert.are.equal(1, r.status)
      assert.matches("error while attempting to bind on address ('127.0.0.1', " .. port ..
        "): [errno 98] address already in use", r.err, 1, true)
    end)
  end)

  it("refuses what several processes cannot have", function()
    local cases = {
      {"'--workers' does not go with the virtual clock", "--workers", "2", "--virtual-clock"},
      {"'--workers' does not go with -i", "--workers", "2", "-i"},
      {"'--workers' needs a script in a file", "--workers", "2", "-"},
      {"'--workers' needs a number up to 1024, or auto", "--workers", "-1"},
      {"'--workers' needs a number up to 1024, or auto", "--workers=many"},
      {"'--workers' needs a number up to 1024, or auto", "--workers", "2000"},
      {"'--drain-timeout' is for --workers alone", "--drain-timeout", "2"},
      {"'--drain-timeout' needs 0 or more seconds", "--drain-timeout", "-2"},
    }
    for _, words in ipairs(cases) do
      local said = table.remove(words, 1)
      words.script = "print(1)"
      words[#words + 1] = words[3] == "-" and "x" or "SCRIPT"
      if words[3] == "-" then words.script = nil end
      local r = command.run(words)
      assert.are.same({1, "lucio: " .. said, ""}, {r.status, r.err:match "^[^\n]*", r.out})
    end
    local r = command.run{"--workers", "2", "SCRIPT", script = "print(1)", clock = "virtual"}
    assert.matches("does not go with the virtual clock", r.err, 1, true)
  end)

  it("auto is one for each processor", function()
    local r = command.run{"--workers", "auto", "-e", "print(lucio.cpu_count())"}
    local count = tonumber(r.out:match "^%d+")
    assert.are.equal((count .. "\n"):rep(count), r.out)
  end)
end)

describe("SIGTERM", function()
  it("lets connections end, and takes no more", function()
    supervised.run({"--workers", "2", script = supervised.SERVER}, function(s)
      local reader, writer = lucio.open_connection("127.0.0.1", s:port())
      writer:write("one\n")
      local index, process = reader:readline():match "^(%d) (%d+) one\n$"
      s:signal "SIGTERM"
      wait_until(function()
        local ok, e = pcall(s.ask, s, "two")
        return not ok and lucio.isinstance(e, lucio.ConnectionRefusedError)
      end)
      writer:write("three\n")
      assert.are.equal(index .. " " .. process .. " three\n", reader:readline())
      writer:close()
      assert.are.equal(0, s:wait())
      assert.are.same({}, s.err)
    end)
  end)

  it("ends a worker without a word that begins to serve after it", function()
    for _, serve in ipairs {"lucio.start_server(print, '127.0.0.1', 0)",
      "lucio.start_unix_server(print, arg[1] .. '.socket')",
      "lucio.open_datagram{local_addr = arg[1] .. '.socket'}"} do
      local mark = os.tmpname()
      local script = supervised.PRELUDE .. [[
        if index == "2" then
          say("late")
          os.execute("while [ -e " .. arg[1] .. " ]; do sleep 0.01; done")
          ]] .. serve .. [[
          say("never")
        end
      ]] .. supervised.SERVER:sub(#supervised.PRELUDE + 1):gsub("tonumber%b() or ", "")
      supervised.run({"--workers", "2", "SCRIPT", mark, script = script}, function(s)
        s:line "^worker\t2\t%d+\t(late)$"
        s:port()
        s:signal "SIGTERM"
        wait_until(function()
          local ok, e = pcall(s.ask, s, "hello")
          return not ok and lucio.isinstance(e, lucio.ConnectionRefusedError)
        end)
        os.remove(mark)
        assert.are.equal(0, s:wait())
        assert.are.same({}, s.err)
        assert.are.equal(2, #s.out)
      end)
    end
  end)

  it("aborts connections that go on for too long", function()
    local options = {"--workers", "1", "--drain-timeout", "0.1", script = supervised.SERVER}
    supervised.run(options, function(s)
      local reader, writer = lucio.open_connection("127.0.0.1", s:port())
      writer:write("one\n")
      reader:readline()
      s:signal "SIGTERM"
      assert.are.equal(0, s:wait())
      pcall(reader.read, reader)
      assert.is_true(reader:at_eof())
      writer:close()
      assert.are.same({}, s.err)
    end)
  end)

  local STUBBORN = supervised.PRELUDE .. [[
    say("here")
    while true do pcall(lucio.sleep, 1000) end
  ]]

  it("a worker that does not end is killed in the end", function()
    local options = {"--workers", "1", "--drain-timeout", "0", script = STUBBORN}
    supervised.run(options, function(s)
      s:line "^worker\t1\t(%d+)\there$"
      s:signal "SIGTERM"
      assert.are.equal(1, s:wait())
    end)
  end)

  it("a second one does not wait", function()
    local options = {"--workers", "2", "--drain-timeout", "inf", script = STUBBORN}
    supervised.run(options, function(s)
      s:line "^worker\t2\t(%d+)\there$"
      -- two that come before it sees the first would be one
      repeat
        s:signal "SIGTERM"
        lucio.sleep(0.1)
      until s.process.returncode
      assert.are.equal(1, s:wait())
    end)
  end)

  it("SIGINT does the same, without a word, and the status is 130", function()
    supervised.run({"--workers", "2", script = supervised.SERVER}, function(s)
      s:port()
      s:signal "SIGINT"
      assert.are.equal(130, s:wait())
      assert.are.same({}, s.err)
    end)
  end)

  it("a worker that it is sent to itself ends in order, and another takes its place", function()
    supervised.run({"--workers", "1", script = supervised.SERVER}, function(s)
      s:port()
      local _, process = s:ask "hello"
      os.execute("kill " .. process)
      s:line("^lucio: worker 1 %(process " .. process .. "%) was ended by signal 15 ")
      local _, again = s:ask "hello"
      assert.are_not.equal(process, again)
    end)
  end)

  it("workers end when their supervisor is killed", function()
    supervised.run({"--workers", "2", script = supervised.SERVER}, function(s)
      local processes = {process_of(s, "1"), process_of(s, "2")}
      s:signal "SIGKILL"
      assert.are.equal(-9, s.process:wait())
      for _, process in ipairs(processes) do
        wait_until(function() return not supervised.is_alive(process) end)
      end
    end)
  end)
end)

describe("SIGHUP", function()
  it("reloads the workers one by one: no connection is refused, no request is lost", function()
    supervised.run({"--workers", "2", script = supervised.SERVER}, function(s)
      local first = {process_of(s, "1"), process_of(s, "2")}
      local answered, faults, going = 0, {}, true
      local function client(i)
        while going do
          local ok, who, _, line = pcall(s.ask, s, i % 2 == 0 and "slow" or "fast")
          if ok and line then
            answered = answered + 1
          else
            faults[#faults + 1] = tostring(who)
          end
        end
      end
      local clients = {}
      for i = 1, 6 do clients[i] = lucio.create_task(client, i) end
      for i = 1, 3 do
        s:signal "SIGHUP"
        s:line("^lucio: (all workers are reloaded)$", i)
      end
      local before = answered
      wait_until(function() return answered > before + 20 end)
      going = false
      lucio.gather(clients)
      assert.are.same({}, faults)
      for index = 1, 2 do
        assert.are_not.equal(first[index], process_of(s, tostring(index)))
      end
      s:signal "SIGTERM"
      assert.are.equal(0, s:wait())
      assert.are.same({"lucio: all workers are reloaded", "lucio: all workers are reloaded",
        "lucio: all workers are reloaded"}, s.err)
      -- two at first, two for each reload
      local started = 0
      for _, line in ipairs(s.out) do started = started + (line:find "^worker" and 1 or 0) end
      assert.are.equal(8, started)
    end)
  end)

  it("lets the old workers go on when the new script fails; takes it when it is mended", function()
    local script = supervised.SERVER
    supervised.run({"--workers", "2", script = script}, function(s)
      local process = process_of(s, "1")
      s.write("error('no')")
      s:signal "SIGHUP"
      s:line "^lucio: worker 1 .* ended with status 1; the reload stops, (the old workers go on)$"
      assert.are.equal(process, process_of(s, "1"))
      s.write((script:gsub('"%%s %%d %%s\\n"', '"%%s %%d new %%s\\n"')))
      s:signal "SIGHUP"
      s:line "^lucio: (all workers are reloaded)$"
      for _ = 1, 4 do assert.are.equal("new hello", (select(3, s:ask "hello"))) end
    end)
  end)

  it("starts what has ended; is taken again when it comes during a reload", function()
    local script = supervised.PRELUDE .. [[
      say("here")
      if index == "1" then
        lucio.start_server(print, "127.0.0.1", 0):serve_forever()
      end
    ]]
    supervised.run({"--workers", "2", script = script}, function(s)
      s:line "^worker\t1\t(%d+)\there$"
      s:line "^worker\t2\t(%d+)\there$"
      s:signal "SIGHUP"
      s:line("^worker\t1\t(%d+)\there$", 2)
      s:line("^worker\t2\t(%d+)\there$", 2)
    end)
  end)
end)

describe("what workers have in common", function()
  it("unix sockets, whose file goes with the last; with reuse_port a queue for each", function()
    local path = os.tmpname()
    os.remove(path)
    local script = supervised.PRELUDE .. [[
      local function handle(reader, writer)
        writer:write(index .. " " .. reader:readline())
      end
      local unix = lucio.start_unix_server(handle, arg[1])
      local both = {lucio.start_server(handle, "127.0.0.1", 0), lucio.start_server(handle,
        "127.0.0.1", 0)}
      local own = lucio.start_server(handle, "127.0.0.1", 0, {reuse_port = true})
      local ports = {}
      for i, server in ipairs {both[1], both[2], own} do
        ports[i] = server.sockets[1]:getsockname().port
      end
      print(pcall(lucio.start_server, handle, "127.0.0.1", ports[1]))
      say(table.concat(ports, " "))
      own:serve_forever()
    ]]
    supervised.run({"--workers", "2", "SCRIPT", path, script = script}, function(s)
      local ports = s:line "^worker\t1\t%d+\t(.*)$"
      assert.are.equal(ports, (s:line "^worker\t2\t%d+\t(.*)$"))
      local list = {}
      for port in ports:gmatch "%d+" do list[#list + 1] = math.tointeger(port) end
      assert.are_not.equal(list[1], list[2])
      for _, open in ipairs {
        function() return lucio.open_unix_connection(path) end,
        function() return lucio.open_connection("127.0.0.1", list[1]) end,
        function() return lucio.open_connection("127.0.0.1", list[3]) end,
      } do
        local seen = {}
        wait_until(function()
          local reader, writer <close> = open()
          writer:write("x\n")
          seen[reader:readline()] = true
          return seen["1 x\n"] and seen["2 x\n"]
        end)
      end
      s:line "^false\t.*(address already in use)"
      s:signal "SIGTERM"
      assert.are.equal(0, s:wait())
      assert.is_nil(io.open(path))
    end)
  end)

  it("lucio ps looks at each and names them; SIGUSR1 to the supervisor is for all", function()
    supervised.run({"--workers", "2", script = supervised.SERVER}, function(s)
      local processes = {process_of(s, "1"), process_of(s, "2")}
      local said = command.run{"ps", tostring(s.process.pid)}.err
      assert.matches("runs no script; ask one of its workers:", said, 1, true)
      for _, process in ipairs(processes) do
        assert.matches(" " .. process .. "%f[%D]", said)
        local r = command.run{"ps", process}
        assert.matches("serve_forever", r.out, 1, true)
      end
      s:signal "SIGUSR1"
      wait_until(function()
        local trees = 0
        for _, line in ipairs(s.err) do
          trees = trees + (line:find "^Tasks of process" and 1 or 0)
        end
        return trees == 2
      end)
    end)
  end)
end)
