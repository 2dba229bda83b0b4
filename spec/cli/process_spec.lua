-- SP3, SP9, and what the process itself brings along: child processes in the command.
local assert = require "luassert"
local command = require "spec.cli.command"
local limit = require "spec.support.limit"

local run = command.run

describe("a child process", function()
  it("SP9: is killed and reaped when its loop closes, with a warning", function()
    local r = run{script = [[
      local lucio = require "lucio"
      local process
      lucio.run(function()
        process = lucio.create_subprocess_exec("sleep", "100", {stdin = lucio.subprocess.PIPE})
      end)
      print(process.returncode, process.stdin ~= nil)
      print(os.execute("kill -0 " .. process.pid .. " 2>/dev/null"))]]}
    assert.are.equal("-9\ttrue\nnil\texit\t1\n", r.out)
    assert.matches("^ResourceWarning: process %d+ is still running: killed\n", r.err)
    assert.are.equal(0, r.status)
  end)

  it("SP3: has returncode 255, with a warning, if someone else reaped it", function()
    -- with SIGCHLD ignored the kernel reaps
    local r = run{ignore = "CHLD", script = [[
      local lucio = require "lucio"
      local process = lucio.create_subprocess_shell("exit 3")
      print(process:wait(), process.returncode, pcall(process.kill, process))
      local running = lucio.create_subprocess_exec("sleep", "100")
      running:terminate()
      print(running:wait())]]}
    assert.are.equal("255\t255\tfalse\t[Errno 3] No such process\n255\n", r.out)
    assert.matches("^lucio: child process pid %d+ exit status already read: " ..
      "will report returncode 255\n", r.err)
    assert.are.equal(0, r.status)
  end)

  it("has the signals at their defaults that the command's process may have changed", function()
    local r = run{ignore = "PIPE", script = [[
      local lucio = require "lucio"
      local p = lucio.create_subprocess_shell("grep SigIgn /proc/self/status", {
        stdout = lucio.subprocess.PIPE})
      local ignored = tonumber(p:communicate():match "%x%x%x+", 16)
      print(ignored & (1 << 12), ignored & (1 << 1))]]}
    assert.are.same({"0\t0\n", ""}, {r.out, r.err})
  end)

  it("is gone with its group when it ends in the tick in which its time is over", function()
    local r = run{script = [[
      local lucio = require "lucio"
      local limit, child = 0.1
      repeat -- a machine with a lot to do may not let the shell end in time
        child = lucio.create_subprocess_shell("sleep 1000 & exit 4", {timeout = limit,
          stdout = lucio.subprocess.PIPE})
        -- both come about while there are no ticks
        os.execute(("while grep -qs '^[^)]*) [^Z]' /proc/%d/stat; do sleep 0.01; done; sleep %g")
          :format(child.pid, limit))
        limit = limit * 4
        child:communicate()
      until child.returncode == 4 or limit > 10
      print(child.returncode, child.timed_out)]]}
    assert.are.same({"4\ttrue\n", "", 0}, {r.out, r.err, r.status})
  end)

  it("is served where the command has no standard descriptors", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write [[
      local lucio = require "lucio"
      local PIPE = lucio.subprocess.PIPE
      local p = lucio.create_subprocess_shell("cat; echo err >&2", {
        stdin = PIPE, stdout = PIPE, stderr = PIPE})
      print(p:communicate("in "))]]
    file:close()
    local pipe = assert(io.popen(("timeout %d %s %s 0<&- 2>&-"):format(limit, command.path, path)))
    assert.are.equal("in \terr\n\n", pipe:read("a"))
    pipe:close()
    os.remove(path)
  end)

  it("inherits what the command has", function()
    local r = run{stdin = "from stdin\n", script = [[
      local lucio = require "lucio"
      lucio.create_subprocess_shell("cat; echo out; echo err >&2"):wait()]]}
    assert.are.same({"from stdin\nout\n", "err\n", 0}, {r.out, r.err, r.status})
  end)

  it("is cancelled with its task by Ctrl-C, and killed by <close>", function()
    local r = run{script = [[
      local lucio = require "lucio"
      local group <close> = setmetatable({}, {__close = function() print("clean-up") end})
      local process <close> = lucio.create_subprocess_exec("sleep", "100", {
        start_new_session = true})
      lucio.get_running_loop():call_soon(function()
        io.popen("kill -INT $PPID"):close()
      end)
      process:wait()]]}
    assert.are.equal("clean-up\n", r.out)
    assert.are.equal(130, r.status)
  end)
end)
