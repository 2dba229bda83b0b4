-- Streams over descriptors that the command was started with. [IO2]
local command = require "spec.cli.command"
local limit = require "spec.support.limit"
local system = require "spec.support.system"
local screen = require "spec.cli.screen"

local function run(argv)
  local r = command.run(argv)
  assert.are.equal("", r.err)
  return r
end

describe("connect_stdin", function()
  it("reads a pipe, also after collections, while tasks go on", function()
    local mark = os.tmpname()
    local r = run{
      input = "echo one; until [ -s " .. mark .. " ]; do sleep 0.01; done; echo two; printf rest",
      "SCRIPT", mark, script = [[
        local lucio = require "lucio"
        local ticks = 0
        local ticker = lucio.create_task(function()
          while true do
            lucio.sleep(0.01)
            ticks = ticks + 1
            if ticks == 4 then io.open(arg[1], "w"):write("four"):close() end
          end
        end)
        local reader = lucio.connect_stdin()
        for line in reader:lines() do
          print(line)
          collectgarbage()
        end
        print(ticks > 3, reader:at_eof())
        ticker:cancel()
      ]]}
    os.remove(mark)
    assert.are.equal("one\ntwo\nrest\ntrue\ttrue\n", r.out)
  end)

  it("goes on waiting where somebody else was faster to read", function()
    local r = run{
      script = [=[
        local lucio = require "lucio"
        local child = lucio.create_subprocess_exec(arg[-1], "-e", [[
          local lucio = require "lucio"
          local got, ends = "", 0
          local function read(reader)
            repeat
              local data = reader:read(100)
              got = got .. data
              io.stdout:write(data)
              io.stdout:flush()
            until data == ""
            ends = ends + 1
          end
          local transports = {}
          for i = 1, 2 do
            transports[i] = lucio.get_running_loop():connect_read_pipe(function()
              return {
                data_received = function(_, data)
                  got = got .. data
                  io.stdout:write(data)
                  io.stdout:flush()
                end,
                connection_lost = function(_, e) ends = e and tostring(e) or ends + 1 end,
              }
            end, 0)
          end
          lucio.gather(function() read(lucio.connect_stdin()) end,
            function() read(lucio.connect_stdin()) end)
          for _ = 1, 1000 do
            if ends == 4 then break end
            lucio.sleep(0.01)
          end
          print(#got, ends)
        ]], {stdin = -1, stdout = -1})
        for i = 1, 200 do
          child.stdin:write("x")
          child.stdout:readexactly(1)
        end
        child.stdin:close()
        print(child.stdout:read())
        child:wait()
      ]=]}
    assert.are.equal("200\t4\n\n", r.out)
  end)

  it("leaves what other processes share as it was", function()
    local r = run{
      input = "echo x",
      script = [[
        local lucio = require "lucio"
        local reader <close> = lucio.connect_stdin()
        assert(reader:readline() == "x\n")
        -- the flags of descriptor 0, whose last digits but three say O_NONBLOCK (04000)
        for line in io.lines("/proc/self/fdinfo/0") do
          local flags = line:match("^flags:%s*(%d+)")
          if flags then print(tonumber(flags, 8) & 2048) end
        end
      ]]}
    assert.are.equal("0\n", r.out)
  end)

  it("reads a regular file from where it stands", function()
    local text = ("line\n"):rep(100000)
    local r = run{stdin = "first" .. text, script = [[
      io.stdin:setvbuf("no")
      io.read(5)
      local reader = require("lucio").connect_stdin()
      local count = 0
      for line in reader:lines() do
        assert(line == "line")
        count = count + 1
      end
      print(count)
    ]]}
    assert.are.equal("100000\n", r.out)
  end)
end)

describe("connect_stdin, for other kinds of input", function()
  -- Says what it read, and which flags of descriptor 0 say O_NONBLOCK (04000) afterwards.
  local script = [[
    local lucio = require "lucio"
    local ok, reader = pcall(lucio.connect_stdin)
    print(ok and reader:read(5) or reader.name)
    for line in io.lines("/proc/self/fdinfo/0") do
      local flags = line:match("^flags:%s*(%d+)")
      if flags then print(tonumber(flags, 8) & 2048) end
    end
  ]]

  it("a terminal, which stays as other processes see it", function()
    local path = os.tmpname()
    local file <close> = assert(io.open(path, "w"))
    file:write(script, "print('end')\n")
    file:close()
    local keys = "hello\n"
    local input = ("S%d\n%sE3\nend"):format(#keys, keys)
    local shell = ("printf %%s %s | %s %d 80 %s %s"):format(command.quote(input),
      command.quote(screen.pty), limit, command.quote(command.path), path)
    local pipe <close> = io.popen(shell)
    local shown = pipe:read("a")
    os.remove(path)
    assert.matches("hello\r\n.*0\r\n", shown)
  end)

  it("one that is closed has nothing, and its number is nobody else's", function()
    local pipe <close> = io.popen(("%s -e %s 0<&-"):format(command.quote(command.path),
      command.quote(script .. [[
        local server <close> = lucio.start_server(print, "127.0.0.1", 0)
        print(server.sockets[1]:fileno() > 2)]])))
    assert.are.equal("\n0\ntrue\n", pipe:read("a"))
  end)

  system.case(system.another_user(command.path), "root, setpriv and a path that all may read",
    "a pipe of somebody else, which cannot be opened again, is not told to wait less", function()
    local text = script:gsub("\n", " ")
    local pipe <close> = io.popen(("(sleep 0.1; printf hello; sleep 0.1) | " ..
      "setpriv --reuid=65534 --clear-groups %s -e %s"):format(command.quote(command.path),
      command.quote(text)))
    assert.are.equal("hello\n0\n", pipe:read("a"))
    local output <close> = io.popen(("setpriv --reuid=65534 --clear-groups %s -e %s | " ..
      "(sleep 0.2; wc -c)"):format(command.quote(command.path), command.quote([[
        local lucio = require "lucio"
        local writer <close> = lucio.connect_stdout()
        for _ = 1, 100 do
          writer:write(("x"):rep(10000))
          writer:drain()
        end]])))
    assert.are.equal("1000000", output:read("a"):match("%d+"))
  end)
end)

describe("connect_stdout", function()
  it("lets tasks go on while a slow pipe takes nothing, and loses nothing", function()
    local mark = os.tmpname()
    local r = run{output = "(until [ -s " .. mark .. " ]; do sleep 0.01; done; wc -c)",
      "SCRIPT", mark, script = [[
      local lucio = require "lucio"
      local ticks = 0
      local ticker = lucio.create_task(function()
        while true do
          lucio.sleep(0.01)
          ticks = ticks + 1
          if ticks == 4 then io.open(arg[1], "w"):write("four"):close() end
        end
      end)
      print "first" -- what was printed goes out before
      local writer <close> = lucio.connect_stdout()
      for _ = 1, 1000 do
        writer:write(("x"):rep(1000))
        writer:drain()
      end
      ticker:cancel()
      assert(ticks > 3)
      -- descriptor 1 is as it was
      for line in io.lines("/proc/self/fdinfo/1") do
        local flags = line:match("^flags:%s*(%d+)")
        if flags then assert(tonumber(flags, 8) & 2048 == 0) end
      end
    ]]}
    os.remove(mark)
    assert.are.equal("1000006", r.out:match("%d+"))
  end)

  it("writes to a file as well, and connect_stderr to standard error", function()
    local r = command.run{script = [[
      local lucio = require "lucio"
      for _, name in ipairs {"connect_stdout", "connect_stderr"} do
        local writer = lucio[name]()
        writer:write(name .. "\n")
        writer:close()
        writer:wait_closed()
      end
      print(pcall(lucio.connect_stdout, {limit = 1}))
    ]]}
    assert.are.equal("connect_stdout\n" ..
      "false\tbad argument #1 to 'connect_stdout' (unknown option 'limit')\n", r.out)
    assert.are.equal("connect_stderr\n", r.err)
  end)

  it("raises where a reader has gone, or the disk is full", function()
    local script = [[
      local lucio = require "lucio"
      local writer = lucio.connect_stdout()
      local ok, e
      while true do
        writer:write(("x"):rep(1000))
        ok, e = pcall(writer.drain, writer)
        if not ok then break end
        lucio.sleep(0.001)
      end
      -- the error that ended it
      local _, cause = pcall(writer.wait_closed, writer)
      io.stderr:write((cause or e).code or e.name)
    ]]
    local r = command.run{script = script, output = "head -c 1"}
    assert.are.equal(0, r.status)
    assert.is_true(r.err == "EPIPE" or r.err == "ConnectionResetError", r.err)
    local pipe <close> = io.popen(("%s -e %s 2>&1 >/dev/full"):format(command.quote(command.path),
      command.quote(script)))
    assert.are.equal("ENOSPC", pipe:read("a"))
  end)
end)

describe("connect_write_pipe", function()
  -- Writes to standard output until the connection is lost; says on stderr how it ended.
  local script = [[
    local lucio = require "lucio"
    local over, written = lucio.Future(), 0
    local transport = lucio.get_running_loop():connect_write_pipe(function()
      return {connection_lost = function(_, e) over:set_result(e and e.name or "clean") end}
    end, 1)
    while not over:done() do
      -- it may be long until the reader is there
      if transport:get_write_buffer_size() < 1e6 then
        transport:write(("line\n"):rep(tonumber(arg[1])))
      end
      lucio.sleep(0.002)
    end
    io.stderr:write(over:result())
  ]]

  it("IO2: a reader that goes away is an error or an end, and no signal", function()
    for _, size in ipairs {"1", "100000"} do
      local r = command.run{script = script, "SCRIPT", size, output = "head -1"}
      assert.are.equal(0, r.status)
      assert.are.equal("line\n", r.out)
      assert.is_true(r.err == "BrokenPipeError" or size == "1" and r.err == "clean", r.err)
    end
  end)
end)
