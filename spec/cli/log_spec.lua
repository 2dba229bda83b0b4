-- lucio.log on the real clock: outputs that are slow or fail never hold up the loop, and nothing
-- that was logged is lost when the process ends.
local assert = require "luassert"
local command = require "spec.cli.command"
local limit = require "spec.support.limit"
local screen = require "spec.cli.screen"

local function temporary()
  local path = os.tmpname()
  return path, function()
    local text = command.read_file(path)
    os.remove(path)
    return text
  end
end

-- What a script starts with: `slow`, a stream into a program that copies it to the file `out` as
-- soon as `open_gate` is called, and reads nothing before.
local SLOW = [[
  local lucio = require "lucio"
  local log = require "lucio.log"
  local out, gate = arg[1], os.tmpname()
  os.remove(gate)
  assert(os.execute("mkfifo " .. gate))
  local slow = assert(io.popen("read line <" .. gate .. "; exec cat >" .. out, "w"))
  local function open_gate()
    local file <close> = io.open(gate, "w")
    file:write("go\n")
    file:close()
    os.remove(gate)
  end
  log.basicConfig{stream = slow, level = "INFO", format = "%(message)s"}
  local handler = log.root.handlers[1]
  local function finish()
    handler:close()
    slow:close()
  end
]]

local function numbered(first, last)
  local lines = {}
  for i = first, last do lines[#lines + 1] = i .. " " .. ("x"):rep(90) end
  return table.concat(lines, "\n") .. "\n"
end

describe("a log to a pipe that nobody reads", function()
  it("does not hold up the loop, and is whole and in order in the end", function()
    local path, result = temporary()
    local r = command.run{script = SLOW .. [[
      local ticks = 0
      local function tick() ticks = ticks + 1 lucio.get_running_loop():call_soon(tick) end
      tick()
      for i = 1, 5000 do
        log.info("%d %s", i, ("x"):rep(90))
        if i % 100 == 0 then lucio.sleep(0) end
      end
      print(ticks)
      open_gate()
      finish()]], "SCRIPT", path}
    assert.are.same({"51\n", "", 0}, {r.out, r.err, r.status})
    assert.are.equal(numbered(1, 5000), result())
  end)

  it("drops what is more than a megabyte, and says so where it is missing", function()
    local path, result = temporary()
    local r = command.run{script = SLOW .. [[
      for i = 1, 30000 do log.info("%d %s", i, ("x"):rep(90)) end
      open_gate()
      print(handler:flush() == nil)
      for i = 30001, 30010 do log.info("%d %s", i, ("x"):rep(90)) end
      finish()]], "SCRIPT", path}
    assert.are.same({"true\n", "", 0}, {r.out, r.err, r.status})
    local text = result()
    local kept, dropped, rest = text:match(
      "^(.*\n)lucio%.log: (%d+) records dropped: the output is too slow\n(.*)$")
    local count = select(2, kept:gsub("\n", ""))
    assert.is_true(count > 10000)
    assert.are.equal(30000, count + dropped)
    assert.are.equal(numbered(1, count), kept)
    assert.are.equal(numbered(30001, 30010), rest)
  end)

  it("takes a single record of any length", function()
    local path, result = temporary()
    local r = command.run{script = SLOW .. [[
      log.info(("y"):rep(3000000))
      open_gate()
      finish()]], "SCRIPT", path}
    assert.are.same({"", 0, 3000001}, {r.err, r.status, #result()})
  end)

  it("ends with the process after some seconds without progress", function()
    local r = command.run{script = [[
      local log = require "lucio.log"
      local stuck = io.popen("exec sleep 100", "w")
      log.root:addHandler(log.StreamHandler(stuck))
      -- however little or much a pipe holds, that is in the midst of the second one
      for _, size in ipairs{10, 900000, 10} do log.error(("x"):rep(size)) end
      print("logged")
      -- its file's finalizer would wait for the program
      debug.setmetatable(stuck, nil)]], "SCRIPT"}
    assert.are.same({"logged\n", "lucio.log: 2 records not written to <file>\n", 0},
      {r.out, r.err, r.status})
  end)
end)

describe("a log to a terminal that takes no more", function()
  it("does not hold up the loop", function()
    local home = screen.new_home()
    local script, gate = home .. "/script", home .. "/gate"
    local done, seen = home .. "/done", home .. "/seen"
    local file = assert(io.open(script, "w"))
    file:write [[
      local lucio = require "lucio"
      print("ready")
      io.open(arg[1]):read("l")
      for i = 1, 5000 do
        lucio.log.error("line %d %s", i, ("x"):rep(60))
        if i % 100 == 0 then lucio.sleep(0) end
      end
      io.open(arg[2], "w"):write("done"):close()]]
    file:close()
    assert(os.execute("mkfifo " .. gate))
    -- nobody reads what is shown while a shell command runs
    local r = screen.run {home = home, words = {script, gate, done}, screen.see "ready\n",
      screen.shell(("echo >%s; i=0; until [ -s %s ] || [ $i = 1000 ]; do sleep 0.05; i=$((i + 1)); "
        .. "done; cp %s %s"):format(gate, done, done, seen)),
      screen.see "line 5000 "}
    local text = command.read_file(seen)
    screen.remove(home)
    assert.are.same({"", 0, "done"}, {r.err, r.status, text})
    assert.are.equal(5000, select(2, r.screen:gsub("ERROR:root:line %d+ x+\n", "")))
  end)
end)

describe("a log that cannot be written", function()
  it("is reported once, and the calls go on", function()
    local r = command.run{script = [[
      local log = require "lucio.log"
      log.basicConfig{filename = "/dev/full"}
      for _ = 1, 100 do log.error("x") end
      log.root.handlers[1]:flush()
      for _ = 1, 100 do log.error("x") end
      print("end")]]}
    assert.are.same(
      {"end\n", "lucio.log: cannot write to /dev/full: No space left on device\n", 0},
      {r.out, r.err, r.status})
  end)

  it("does not end the process when its reader has gone", function()
    local r = command.run{script = [[
      local log = require "lucio.log"
      local name = os.tmpname()
      local gone = io.popen("exec <&-; echo gone >" .. name, "w")
      os.execute("until [ -s " .. name .. " ]; do sleep 0.01; done; rm " .. name)
      log.root:addHandler(log.StreamHandler(gone))
      for _ = 1, 100 do log.error("x") end
      log.root.handlers[1]:flush()
      print("end")]]}
    assert.are.same({"end\n", "lucio.log: cannot write to <file>: Broken pipe\n", 0},
      {r.out, r.err, r.status})
  end)

  it("is silent where stderr itself is gone", function()
    local r = command.run{prefix = "exec 2>&-", script = [[
      local log = require "lucio.log"
      log.error("x")
      print("end")]]}
    assert.are.same({"end\n", 0}, {r.out, r.status})
  end)
end)

describe("what was logged", function()
  local TO_FILE = [[
    local lucio = require "lucio"
    local log = require "lucio.log"
    log.basicConfig{filename = arg[1], format = "%(message)s"}
    for i = 1, 2000 do log.error("%d %s", i, ("x"):rep(90)) end
  ]]

  for _, row in ipairs {
    {"the end of the script", "", 0},
    {"os.exit", "os.exit(3)", 3},
    {"os.exit in a task", "lucio.create_task(os.exit, 3) lucio.sleep(60)", 3},
    {"lucio.exit", "lucio.exit(4)", 4},
    {"an error", "error('wrong')", 1},
    {"an error in a run call", "lucio.run(function() error('wrong') end)", 1},
    {"Ctrl-C", "os.execute('(sleep 0.1; kill -INT $PPID) &') lucio.sleep(60)", 130},
  } do
    it("is in the file after " .. row[1], function()
      local path, result = temporary()
      local r = command.run{script = TO_FILE .. row[2], "SCRIPT", path}
      assert.are.equal(row[3], r.status)
      assert.are.equal(numbered(1, 2000), result())
    end)
  end

  -- a build with a sanitizer makes no module that stock Lua could load
  local module = command.path:match("^(.*)/[^/]*$") .. "/bindings/lucio.so"
  local stock = ("LUA_CPATH=%s timeout %d lua5.4 "):format(command.quote(module), limit)
  local loads = os.execute(stock .. "-l lucio -e '' 2>/dev/null")
  for _, row in ipairs(not loads and {} or {
    {"the end of the script", "", 0},
    {"os.exit", "os.exit(3)", 3},
    {"os.exit in a run call", "lucio.run(function() lucio.sleep(0) os.exit(3) end)", 3},
    {"os.exit that closes the state", "os.exit(3, true)", 3},
    {"an error", "error('wrong')", 1},
  }) do
    it("is in the file after " .. row[1] .. " in stock Lua", function()
      local path, result = temporary()
      local script = os.tmpname()
      local file = assert(io.open(script, "w"))
      file:write(TO_FILE, row[2])
      file:close()
      local _, _, status = os.execute(("%s %s %s 2>/dev/null"):format(stock, script, path))
      os.remove(script)
      assert.are.equal(row[3], status)
      assert.are.equal(numbered(1, 2000), result())
    end)
  end

  it("by a finalizer at the end is there too", function()
    local path, result = temporary()
    local r = command.run{script = [[
      local log = require "lucio.log"
      KEPT = setmetatable({}, {__gc = function() log.error("last") end})
      log.basicConfig{filename = arg[1], format = "%(message)s"}
      LATER = setmetatable({}, {__gc = function() log.error("first") end})
      log.error("zeroth")]], "SCRIPT", path}
    assert.are.same({"", 0, "zeroth\nfirst\nlast\n"}, {r.err, r.status, result()})
  end)

  it("on stderr stands in order with what print and io.stderr write there", function()
    local r = command.run{prefix = "exec 2>&1", script = [[
      local log = require "lucio.log"
      for i = 1, 3 do
        io.stderr:write("write ", i, "\n")
        log.error("log %d", i)
      end
      error("wrong", 0)]]}
    assert.matches("^write 1\nERROR:root:log 1\nwrite 2\nERROR:root:log 2\n"
      .. "write 3\nERROR:root:log 3\nlucio: wrong\n", r.err)
  end)

  it("on a pipe that is read stands in order, too", function()
    local r = command.run{script = [[
      local pipe = io.popen(arg[1] .. " - 2>&1 | cat", "w")
      pipe:write([=[
        local log = require "lucio.log"
        log.basicConfig{stream = io.stdout, format = "%(message)s"}
        for i = 1, 3 do
          print("print " .. i)
          log.error("log %d", i)
          io.stderr:write("write ", i, "\n")
        end]=])
      pipe:close()]], "SCRIPT", command.path}
    local lines = {}
    for i = 1, 3 do lines[i] = ("print %d\nlog %d\nwrite %d\n"):format(i, i, i) end
    assert.are.same({table.concat(lines), "", 0}, {r.out, r.err, r.status})
  end)

  it("on a pipe stands before the error that ends the script", function()
    local r = command.run{prefix = "exec 2>&1", script = [[
      local pipe = io.popen(arg[1] .. " - 2>&1 >/dev/null | cat", "w")
      pipe:write([=[
        local log = require "lucio.log"
        for i = 1, 1000 do log.error("%d", i) end
        error("wrong", 0)]=])
      pipe:close()]], "SCRIPT", command.path}
    assert.matches("^ERROR:root:1\nERROR:root:2\n.*\nERROR:root:1000\nlucio: wrong\n", r.out)
  end)

  it("to stdout comes after what print left in its buffer", function()
    local r = command.run{script = [[
      local log = require "lucio.log"
      log.basicConfig{stream = io.stdout, format = "%(message)s"}
      print("a")
      log.error("b")
      print("c")
      log.error("d")]]}
    assert.are.same({"a\nb\nc\nd\n", ""}, {r.out, r.err})
  end)
end)

describe("a log file", function()
  it("is appended to, or emptied with mode w", function()
    local path, result = temporary()
    local text = [[
      local log = require "lucio.log"
      log.basicConfig{filename = arg[1], filemode = arg[2], format = "%(message)s"}
      log.error("%s", arg[2])]]
    for _, mode in ipairs{"w", "a", "a", "w", "a"} do
      assert.are.equal(0, command.run{script = text, "SCRIPT", path, mode}.status)
    end
    assert.are.equal("w\na\n", result())
  end)

  it("is made anew by reopen after it was moved away", function()
    local path, result = temporary()
    local r = command.run{script = [[
      local log = require "lucio.log"
      local handler = log.FileHandler(arg[1])
      log.root:addHandler(handler)
      log.error("old")
      handler:flush()
      assert(os.rename(arg[1], arg[1] .. ".1"))
      log.error("still old")
      handler:flush()
      handler:reopen()
      log.error("new")]], "SCRIPT", path}
    assert.are.same({"", 0, "new\n", "old\nstill old\n"},
      {r.err, r.status, result(), command.read_file(path .. ".1")})
    os.remove(path .. ".1")
  end)

  it("is complete after close, and opened again by the next record", function()
    local path, result = temporary()
    local r = command.run{script = [[
      local log = require "lucio.log"
      local handler = log.FileHandler(arg[1])
      log.root:addHandler(handler)
      for i = 1, 100 do log.error(i) end
      handler:close()
      local file <close> = io.open(arg[1])
      print(#file:read("a"))
      log.error("more")]], "SCRIPT", path}
    assert.are.same({"292\n", "", 0}, {r.out, r.err, r.status})
    assert.matches("\n100\nmore\n$", result())
  end)

  it("is opened with the first record where that is asked for", function()
    local path, result = temporary()
    os.remove(path)
    local r = command.run{script = [[
      local log = require "lucio.log"
      local handler = log.FileHandler(arg[1], "w", {delay = true})
      log.root:addHandler(handler)
      print(io.open(arg[1]))
      log.error("x")]], "SCRIPT", path}
    assert.matches("^nil\t", r.out)
    assert.are.equal("x\n", result())
  end)

  it("is found again after the directory was left that it was named from", function()
    local path, result = temporary()
    local r = command.run{prefix = "cd /tmp", script = [[
      local log = require "lucio.log"
      local handler = log.FileHandler(arg[1])
      print(handler.baseFilename)]], "SCRIPT", path:match("[^/]*$")}
    result()
    assert.are.equal(path .. "\n", r.out)
  end)

  it("keeps the lines of several processes whole", function()
    local path, result = temporary()
    local r = command.run{script = [[
      local writer = [=[
        local log = require "lucio.log"
        log.basicConfig{filename = "]=] .. arg[1] .. [=[", format = "%(message)s"}
        for i = 1, 2000 do log.error(("%d"):format(i % 10):rep(200)) end]=]
      local pipes = {}
      for i = 1, 3 do
        pipes[i] = io.popen(arg[2] .. " -", "w")
        pipes[i]:write(writer)
      end
      for i = 1, 3 do pipes[i]:close() end]], "SCRIPT", path, command.path}
    assert.are.same({"", 0}, {r.err, r.status})
    local lines = 0
    for line in result():gmatch("([^\n]*)\n") do
      lines = lines + 1
      if line ~= line:sub(1, 1):rep(200) then error("a broken line: " .. line) end
    end
    assert.are.equal(6000, lines)
  end)

  it("gives up its descriptor when the handler is collected", function()
    local path, result = temporary()
    local r = command.run{script = [[
      local log = require "lucio.log"
      local function descriptors()
        local list <close> = io.popen("ls /proc/$PPID/fd | wc -l")
        return list:read("n")
      end
      local before = descriptors()
      for _ = 1, 50 do
        local handler = log.FileHandler(arg[1])
        handler:handle(log.makeLogRecord{msg = "x"})
      end
      for _ = 1, 1000 do -- their threads end some time
        collectgarbage()
        if descriptors() < before + 25 then break end
        os.execute("sleep 0.05")
      end
      print(descriptors() < before + 25)]], "SCRIPT", path}
    assert.are.same({"true\n", "", 0}, {r.out, r.err, r.status})
    assert.are.equal(("x\n"):rep(50), result())
  end)
end)
