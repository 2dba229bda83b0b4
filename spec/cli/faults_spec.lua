-- What the system refuses: descriptors, room on a disk, routes, permissions, names; on the real
-- clock.
local assert = require "luassert"
local command = require "spec.cli.command"
local limit = require "spec.support.limit"
local system = require "spec.support.system"

local quote = command.quote

local function run(argv)
  local r = command.run(argv)
  assert.are.equal("", r.err)
  return r.out
end

local function isolated(name, fn)
  system.case(system.NAMESPACES, "namespaces of users, mounts and networks", name, fn)
end

-- Runs a script in namespaces of its own, in which it is root, after some shell commands.
local function inside(setup, script)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(script)
  file:close()
  local pipe = io.popen(("timeout %d unshare -rmn sh -c %s 2>&1"):format(limit, quote(
    ("set -e; ip link set lo up; %s; exec %s %s"):format(setup, quote(command.path), path))))
  local out = pipe:read("a")
  pipe:close()
  os.remove(path)
  return out
end

describe("a process without descriptors", function()
  it("says EMFILE, loses nothing, and goes on when there are some again", function()
    assert.are.equal(("EMFILE\tEMFILE\ttrue\n"):rep(7) .. "true\n", run{prefix = "ulimit -n 40",
      script = [[
        local lucio = require "lucio"
        local PIPE = lucio.subprocess.PIPE
        local path = os.tmpname()
        local server <close> = lucio.start_unix_server(function(reader) reader:read() end,
          path .. ".socket")
        local function close(_, writer)
          if not writer then _, writer = nil, _ end
          writer:close()
          writer:wait_closed()
        end
        local operations = {
          {function() return lucio.open_unix_connection(path .. ".socket") end, close},
          {function() return lucio.open_datagram{local_addr = {"127.0.0.1", 0}} end, close},
          {function() return lucio.start_server(print, "127.0.0.1", 0) end,
            function(made) made:close() made:wait_closed() end},
          {function() return lucio.fs.open(path) end, function(file) file:close() end},
          {function() return lucio.fs.listdir("/") end, function() end},
          {function() return lucio.connect_stdin() end, function() end},
          {function()
            local options = {stdin = PIPE, stdout = PIPE, stderr = PIPE}
            return lucio.create_subprocess_exec("true", options)
          end, function(child) child:communicate() end},
        }
        local function count() return #lucio.fs.listdir("/proc/self/fd") end
        for _, operation in ipairs(operations) do
          operation[2](operation[1]()) -- works
        end
        collectgarbage()
        local before = count()
        for _, operation in ipairs(operations) do
          local files = {}
          while true do
            local file = io.open("/dev/null")
            if not file then break end
            files[#files + 1] = file
          end
          local ok, e = pcall(operation[1])
          local again, e2 = pcall(operation[1])
          for _, file in ipairs(files) do file:close() end
          print(ok or e.code or e, again or e2.code or e2, (pcall(function()
            operation[2](operation[1]())
          end)))
        end
        collectgarbage()
        for _ = 1, 10000 do
          if count() <= before then break end
          lucio.sleep(0.005)
        end
        print(count() <= before)
        os.remove(path)
      ]]})
  end)
end)

describe("a full disk", function()
  isolated("fails what is written, leaves what was there, takes more when there is room", function()
    local out = inside("mount -t tmpfs -o size=256k none /mnt", [[
      local lucio = require "lucio"
      local fs = lucio.fs
      fs.write_file("/mnt/small", "old")
      local ok, e = pcall(fs.write_file, "/mnt/small", ("x"):rep(1 << 20), {atomic = true})
      print(ok, e.code, fs.read_file("/mnt/small"), #fs.listdir("/mnt"))
      local file = fs.open("/mnt/large", "w")
      ok, e = pcall(function()
        for _ = 1, 100 do file:write(("x"):rep(10000)) end
        file:flush()
      end)
      print(ok, e.code)
      pcall(file.close, file)
      ok, e = pcall(fs.copy, "/mnt/large", "/mnt/copy")
      print(ok, e.code)
      fs.remove("/mnt/large")
      fs.write_file("/mnt/small", "new", {atomic = true})
      print(fs.read_file("/mnt/small"))
      -- a child's output that goes to the same disk
      local child = lucio.create_subprocess_shell("head -c 1000000 /dev/zero >/mnt/output",
        {stderr = lucio.subprocess.PIPE})
      local _, err = child:communicate()
      print(child.returncode ~= 0, err:find("No space left on device", 1, true) ~= nil)
    ]])
    assert.are.equal("false\tENOSPC\told\t1\nfalse\tENOSPC\nfalse\tENOSPC\nnew\ntrue\ttrue\n", out)
  end)
end)

describe("a network that leads nowhere", function()
  isolated("is an OSError of a connection and of a datagram, at once", function()
    local out = inside("true", [[
      local lucio = require "lucio"
      local function code(fn, ...)
        local ok, e = pcall(fn, ...)
        return ok or e.code
      end
      print(code(lucio.open_connection, "192.0.2.1", 80))
      print(code(lucio.open_connection, "192.0.2.1", 80, {happy_eyeballs_delay = 0.01}))
      print(code(lucio.open_datagram, {remote_addr = {"192.0.2.1", 80}}))
      local endpoint <close> = lucio.open_datagram{family = "inet"}
      print(code(endpoint.sendto, endpoint, "x", {"192.0.2.1", 80}))
      print(code(lucio.start_server, print, "192.0.2.1", 80))
      print(code(lucio.open_connection, "127.0.0.1", 80))
    ]])
    assert.are.equal("ENETUNREACH\nENETUNREACH\nENETUNREACH\nENETUNREACH\nEADDRNOTAVAIL\n" ..
      "ECONNREFUSED\n", out)
  end)
end)

describe("a resolver that hangs", function()
  isolated("keeps nobody else from running, and is left at once", function()
    local file = os.tmpname()
    local out = inside(("echo 'nameserver 127.0.0.1\noptions timeout:30' >%s; " ..
      "mount --bind %s /etc/resolv.conf"):format(file, file), [[
      local lucio = require "lucio"
      -- a name server that never answers
      local server <close> = lucio.open_datagram{local_addr = {"127.0.0.1", 53}}
      local loop = lucio.get_running_loop()
      local lookups = {}
      local function ask(i)
        lookups[i] = lucio.create_task(function()
          loop:getaddrinfo(("slow%d.example"):format(i), 80)
        end)
      end
      local function threads() return #lucio.fs.listdir("/proc/self/task") end
      local before = threads()
      for i = 1, 5 do ask(i) end
      lucio.sleep(0)
      -- others are looked up meanwhile
      print(#lucio.wait_for(function() return loop:getaddrinfo("localhost", 80) end, 60) > 0)
      for i = 6, 40 do ask(i) end
      lucio.sleep(0)
      -- eight for all of them, and a few for files
      print(threads() - before < 20)
      local question = lucio.wait_for(function() return (server:recvfrom()) end, 60)
      print(question:find("\4slow", 1, true) ~= nil or question:find("slow%d") ~= nil)
      -- numbers need no resolver, files are read by other threads
      print(#loop:getaddrinfo("127.0.0.1", 80), #lucio.fs.read_file("/proc/self/stat") > 0)
      local began = loop:time()
      local ok, e = pcall(lucio.open_connection, "slow.example", 80, {timeout = 0.1})
      print(ok, e.name)
      for _, task in ipairs(lookups) do task:cancel() end
      lucio.wait(lookups)
      for _, task in ipairs(lookups) do assert(task:cancelled()) end
      -- the resolver itself would take a minute
      print(loop:time() - began < 50)
    ]])
    os.remove(file)
    assert.are.equal("true\ntrue\ntrue\n1\ttrue\nfalse\tTimeoutError\ntrue\n", out)
  end)
end)

describe("a host some of whose addresses lead nowhere", function()
  local HOSTS = "echo '127.0.0.2 race\n127.0.0.3 race\n127.0.0.3 pair\n127.0.0.4 pair' >%s; " ..
    "mount --bind %s /etc/hosts"

  isolated("is reached at the next one, and the others are given up", function()
    local file = os.tmpname()
    local out = inside(HOSTS:format(file, file), [[
      local lucio = require "lucio"
      local eventually = require "spec.support.eventually"
      local sweep = require("spec.support.sweep")
      local function hold(reader) lucio.pcall(reader.read, reader) end
      local server <close> = lucio.start_server(hold, "127.0.0.3", 0)
      local port = server.sockets[1]:getsockname().port
      local second <close> = lucio.start_server(hold, "127.0.0.4", port)
      -- takes one connection and has room for two; the kernel drops what comes then
      local held = {}
      local full <close> = lucio.start_server(function(_, writer)
        held.writer = writer
        lucio.Future():await()
      end, "127.0.0.2", port, {backlog = 1, max_connections = 1})
      for i = 1, 3 do held[i] = table.pack(lucio.open_connection("127.0.0.2", port)) end
      print(lucio.get_running_loop():getaddrinfo("race", port)[1].address.host)
      local function count() return #lucio.fs.listdir("/proc/self/fd") end
      local function finish(writer)
        writer:close()
        writer:wait_closed()
      end
      local ok, e = pcall(lucio.open_connection, "race", port, {timeout = 0.05})
      print(ok, e.name) -- one after the other it takes minutes
      local _, writer = lucio.open_connection("race", port, {happy_eyeballs_delay = 0.01})
      print(writer:get_extra_info("peername").host)
      -- nobody goes on with the other address: there are this task, and two of servers
      eventually(function() return #lucio.all_tasks() == 3 end)
      finish(writer)
      eventually(function() return #lucio.all_tasks() == 2 end)
      for _, host in ipairs {"race", "pair"} do
        local before = count()
        collectgarbage "stop"
        for i = 1, 20 do
          -- more than one may get through in the same tick
          local _, writer = lucio.open_connection(host, port, {happy_eyeballs_delay = 0})
          finish(writer)
        end
        eventually(function() return count() <= before end, "a connection is left")
        collectgarbage "restart"
        for _, run in ipairs {sweep.run, sweep.slowly} do
          run(function(first)
            local reader, writer = lucio.open_connection(host, port, {happy_eyeballs_delay = 0})
            if first then finish(writer) end
            return reader, writer
          end, function(_, writer) finish(writer) end)
        end
      end
      print("nothing is left")
      for _, connection in ipairs(held) do connection[2]:abort() end
      for _, task in ipairs(lucio.all_tasks()) do
        if task ~= lucio.current_task() then task:cancel() end
      end
    ]])
    os.remove(file)
    assert.are.equal("127.0.0.2\nfalse\tTimeoutError\n127.0.0.3\nnothing is left\n", out)
  end)
end)

describe("permission denied", function()
  system.case(system.another_user(command.path), "root, setpriv and a path that all may read",
    "is a PermissionError of whatever needs it", function()
    local path = os.tmpname()
    os.remove(path)
    local script = ([[
      local lucio = require "lucio"
      local fs, path = lucio.fs, %q
      local function fails(fn, ...)
        local ok, e = pcall(fn, ...)
        print(not ok and lucio.isinstance(e, lucio.PermissionError) and e.code)
      end
      fails(fs.open, path .. "/closed/file")
      fails(fs.write_file, path .. "/file", "x")
      fails(fs.listdir, path .. "/closed")
      fails(fs.remove, path .. "/closed")
      fails(lucio.create_subprocess_exec, path .. "/no-program")
      fails(lucio.create_subprocess_exec, "true", {cwd = path .. "/closed"})
      fails(lucio.open_unix_connection, path .. "/closed/socket")
      fails(lucio.start_unix_server, print, path .. "/socket")
      fails(lucio.open_datagram, {local_addr = path .. "/socket"})
    ]]):format(path)
    local pipe <close> = io.popen(("mkdir -p %s/closed && chmod 700 %s/closed && " ..
      "touch %s/no-program && setpriv --reuid=65534 --clear-groups %s -e %s 2>&1; rm -r %s"):format(
      path, path, path, quote(command.path), quote(script), path))
    assert.are.equal(("EACCES\n"):rep(9), pipe:read("a"))
  end)
end)

describe("a peer that is stopped", function()
  it("takes connections and says nothing; a limit ends the wait", function()
    assert.are.equal("TimeoutError\nhello\n", run{script = [[
      local lucio = require "lucio"
      local child = lucio.create_subprocess_exec(arg[-1], "-e", [=[
        local lucio = require "lucio"
        local server = lucio.start_server(function(_, writer) writer:write("hello\n") end,
          "127.0.0.1", 0)
        print(server.sockets[1]:getsockname().port)
        io.stdout:flush()
        server:serve_forever()
      ]=], {stdout = lucio.subprocess.PIPE})
      local _ <close> = setmetatable({}, {__close = function()
        child:kill()
        child:wait()
      end})
      local port = tonumber(child.stdout:readline())
      child:send_signal("SIGSTOP")
      repeat
        lucio.sleep(0.001)
        local file <close> = io.open("/proc/" .. child.pid .. "/stat")
      until file:read("a"):find("%) T")
      local reader, writer <close> = lucio.open_connection("127.0.0.1", port)
      local ok, e = pcall(lucio.wait_for, function() return reader:readline() end, 0.2)
      print(ok or e.name)
      child:send_signal("SIGCONT")
      print((lucio.wait_for(function() return reader:readline() end, 60):gsub("\n", "")))
    ]]})
  end)
end)
