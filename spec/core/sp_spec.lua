-- SP1 to SP4, SP6, SP7, SP10: child processes, their arguments and options, exit and signals.
local assert = require "luassert"
local case = require "spec.support.case"
local descriptors = require "spec.support.descriptors"
local eventually = require "spec.support.eventually"
local lucio = require "lucio"

local PIPE, DEVNULL, STDOUT =
  lucio.subprocess.PIPE, lucio.subprocess.DEVNULL, lucio.subprocess.STDOUT

local exec, shell = lucio.create_subprocess_exec, lucio.create_subprocess_shell

-- What a command prints.
local function output(...)
  local argv = {...}
  local options = {}
  if type(argv[#argv]) == "table" then options = table.remove(argv) end
  options.stdout = PIPE
  argv[#argv + 1] = options
  local process = exec(table.unpack(argv))
  local out = process:communicate()
  return out, process.returncode
end

describe("create_subprocess_exec", function()
  case("SP1: passes the arguments on as they are, without a shell", function()
    assert.are.equal("[a b][$HOME][;][*]\n", (output("printf", "[%s][%s][%s][%s]\n", "a b", "$HOME",
      ";", "*")))
  end)

  case("takes one table with everything", function()
    local process = exec {"echo", "one", "table", stdout = PIPE}
    assert.are.equal("one table\n", (process:communicate()))
  end)

  case("SP1: nil inherits, DEVNULL is empty and takes all", function()
    local process = exec("sh", "-c", "read line; echo $line$?", {stdin = DEVNULL, stdout = PIPE})
    assert.are.equal("1\n", (process:communicate()))
    process = exec("sh", "-c", "echo lost; echo lost >&2", {stdout = DEVNULL, stderr = DEVNULL})
    assert.are.equal(0, process:wait())
    assert.is_nil(process.stdin)
    assert.is_nil(process.stdout)
    assert.is_nil(process.stderr)
  end)

  case("SP1: a Lua file and a descriptor serve as stdin and stdout", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    assert.are.equal(0, exec("echo", "to a file", {stdout = file}):wait())
    file:close()
    file = assert(io.open(path))
    assert.are.equal("to a file\n", (output("cat", {stdin = file})))
    file:close()
    os.remove(path)
    local process = exec("sh", "-c", "echo out; echo err >&2", {stdout = PIPE, stderr = STDOUT})
    assert.are.equal("out\nerr\n", (process:communicate()))
  end)

  case("SP1: stdout and stderr may change places", function()
    local process = shell("echo out; echo err >&2", {stdout = PIPE, stderr = PIPE})
    local out, err = process:communicate()
    assert.are.same({"out\n", "err\n"}, {out, err})
    -- descriptors below 3 are moved out of the way first
    process = shell("exec 3>&1; { echo out; echo err >&2; } 2>&1", {stdout = PIPE, stderr = 1})
    assert.are.equal("out\nerr\n", (process:communicate()))
  end)

  case("SP1: text and buffering options are ValueErrors", function(t)
    t.raises("text must be False", exec, "true", {text = true})
    t.raises("universal_newlines must be False", exec, "true", {universal_newlines = true})
    t.raises("bufsize must be 0", exec, "true", {bufsize = 1})
    t.raises("encoding must be None", exec, "true", {encoding = "utf-8"})
    t.raises("errors must be None", exec, "true", {errors = "strict"})
    t.raises("shell must be False", exec, "true", {shell = true})
    t.raises("STDOUT can only be used for stderr", exec, "true", {stdout = STDOUT})
    t.raises(lucio.ValueError, exec, "true", {text = true})
  end)

  case("bad arguments name what was expected", function(t)
    t.raises("bad argument #1 to 'create_subprocess_exec' (string expected, got nil)", exec)
    t.raises("bad argument #2 to 'create_subprocess_exec' (string expected, got number)", exec,
      "echo", 5)
    t.raises("bad argument #2 to 'create_subprocess_exec' (unknown option 'colour')", exec, "true",
      {colour = 1})
    t.raises("Limit cannot be <= 0", exec, "true", {limit = 0})
    t.raises("embedded null byte", exec, "tr\0ue")
    t.raises("embedded null byte", exec, "true", "a\0")
    t.raises("illegal environment variable name", exec, "true", {env = {["A=B"] = "x"}})
    t.raises(lucio.TypeError, exec, "true", {env = {A = 1}})
    t.raises(lucio.TypeError, exec, "true", {env = "A=1"})
    t.raises(lucio.TypeError, exec, "true", {cwd = 5})
    t.raises(lucio.TypeError, exec, "true", {limit = "1"})
    t.raises(lucio.TypeError, exec, "true", {timeout = "1"})
    t.raises(lucio.ValueError, exec, "true", {timeout = -1})
    t.raises(lucio.ValueError, exec, "true", {timeout = 0 / 0})
    t.raises(lucio.ValueError, exec, "true", {process_group = -1})
    t.raises(lucio.TypeError, exec, "true", {stdout = "file"})
    t.raises(lucio.TypeError, exec, "true", {stdin = {}})
    assert.are.equal("EBADF", t.raises(lucio.OSError, exec, "true", {stdin = 9999}).code)
    local file = assert(io.tmpfile())
    file:close()
    t.raises("stdin: the file is closed", exec, "true", {stdin = file})
    t.raises("bad argument #1 to 'create_subprocess_shell' (string expected, got number)", shell, 5)
    t.raises("shell must be True", shell, "true", {shell = false})
  end)

  case("SP2: what cannot be run is an error of the call", function(t)
    local function failure(class, filename, ...)
      local e = t.raises(class, exec, ...)
      assert.are.equal(filename, e.filename)
      return e.code
    end
    -- one's own PATH may have directories that are closed to the user
    assert.are.equal("ENOENT", failure(lucio.FileNotFoundError, "no-such-program",
      "no-such-program", {env = {PATH = "/usr/bin:/bin"}}))
    assert.are.equal("ENOENT", failure(lucio.FileNotFoundError, "./no-such-program",
      "./no-such-program", {stdin = PIPE, stdout = PIPE, stderr = PIPE}))
    failure(lucio.PermissionError, "/etc/passwd", "/etc/passwd")
    failure(lucio.PermissionError, "/tmp", "/tmp")
    assert.are.equal("ENOENT", failure(lucio.FileNotFoundError, "/no-such-directory", "true",
      {cwd = "/no-such-directory"}))
    assert.are.equal("ENOTDIR", failure(lucio.NotADirectoryError, "/etc/passwd", "true",
      {cwd = "/etc/passwd"}))
    failure(lucio.NotADirectoryError, "/etc/passwd", "/bin/true", {cwd = "/etc/passwd"})
  end)

  case("SP2: cancelling the creation kills and reaps the child", function(t)
    local task = lucio.create_task(exec, "sleep", "100", {stdin = PIPE, stdout = PIPE})
    lucio.sleep(0)
    lucio.sleep(0)
    task:cancel()
    t.raises(lucio.CancelledError, task.await, task)
  end)

  case("cwd is the child's directory", function()
    assert.are.equal("/\n", (output("pwd", {cwd = "/"})))
    local directory = os.tmpname()
    os.remove(directory)
    assert(os.execute("mkdir " .. directory))
    assert(os.execute(("printf '#!/bin/sh\necho here\n' > %s/program; chmod +x %s/program"):format(
      directory, directory)))
    assert.are.equal("here\n", (output("./program", {cwd = directory})))
    assert(os.execute("rm -r " .. directory))
  end)

  case("env replaces the environment, and its PATH finds the program", function(t)
    assert.are.equal("A=1\nB=two words\n", (output("/usr/bin/env",
      {env = {B = "two words", A = "1"}})))
    assert.are.equal("", (output("/usr/bin/env", {env = {}})))
    t.raises(lucio.FileNotFoundError, exec, "echo", {env = {PATH = "/no-such-directory"}})
    assert.are.equal("x\n", (output("echo", "x", {env = {PATH = "/no-such-directory:/bin"}})))
    assert.are.equal(os.getenv "PATH" .. "\n", (output("sh", "-c", "echo $PATH")))
  end)

  case("executable runs another program under the first argument's name", function()
    assert.are.equal("name\n", (output("name", "-c", "echo $0", {executable = "/bin/sh"})))
  end)

  case("start_new_session and process_group give the child a group of its own", function()
    local ids = "cat /proc/self/stat | cut -d' ' -f5,6"
    for _, options in ipairs {{start_new_session = true}, {process_group = 0}} do
      options.stdout = PIPE
      local process = shell(ids, options)
      local group, session = process:communicate():match "(%d+) (%d+)"
      assert.are.equal(process.pid, tonumber(group))
      assert.are.equal(options.start_new_session or false, process.pid == tonumber(session))
    end
    local process = shell(ids, {stdout = PIPE})
    assert.are_not.equal(tostring(process.pid), process:communicate():match "%d+")
  end)

  case("SP10: the child has three descriptors and no more, and no signal blocked or ignored",
    function()
      local file <close> = assert(io.open("/dev/null"))
      local other = exec("sleep", "100", {stdin = PIPE, stdout = PIPE, stderr = PIPE})
      -- 3 is the directory that ls reads
      local out = output("sh", "-c", "ls /proc/self/fd", {stdin = DEVNULL, stderr = PIPE})
      assert.are.equal("0\n1\n2\n3\n", out)
      out = output("grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status")
      local blocked, ignored = out:match "SigBlk:%s*(%x+)\nSigIgn:%s*(%x+)"
      assert.are.equal(0, tonumber(blocked, 16))
      assert.are.equal(0, tonumber(ignored, 16) & (1 << 12)) -- SIGPIPE
      other:kill()
      other:wait()
      assert.is_truthy(file)
    end)

  case("is stopped by a RuntimeError outside of a task", function(t)
    local loop = lucio.get_running_loop()
    local future = lucio.Future()
    loop:call_soon(function() future:set_result(pcall(exec, "true")) end)
    local ok, e = future:await()
    assert.is_false(ok)
    t.raises(lucio.RuntimeError, error, e)
    assert.matches("create_subprocess", e.message)
  end)
end)

describe("Process", function()
  case("SP3: returncode is nil, then the exit status or the negative signal", function()
    local process = shell "exit 7"
    assert.is_nil(process.returncode)
    assert.are.equal(7, process:wait())
    assert.are.equal(7, process.returncode)
    process = shell "kill -USR1 $$"
    assert.are.equal(-lucio.signal.SIGUSR1, process:wait())
    assert.are.equal(("<Process %d>"):format(process.pid), tostring(process))
    assert.is_nil(process.no_such_field)
    assert.is_nil(process[1])
  end)

  case("SP4: any number wait, in order; afterwards wait returns at once", function(t)
    local process = exec("sleep", "0.05")
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = lucio.create_task(function() t.log(i, process:wait()) end)
    end
    lucio.gather(tasks)
    t.same_lines {"1 0", "2 0", "3 0"}
    t.start_ticks()
    assert.are.equal(0, process:wait())
    assert.are.equal(0, t.tick())
  end)

  case("SP4: wait does not wait for a grandchild that holds the pipe", function()
    local process = shell("sleep 100 & exit 3", {stdout = PIPE, process_group = 0, timeout = 60})
    assert.are.equal(3, process:wait())
    process:killpg()
    assert.are.equal("", (process:communicate()))
  end)

  case("creation takes two ticks, and two more for each pipe", function(t)
    for pipes, options in pairs {[0] = {}, {stdout = PIPE}, {stdin = PIPE, stdout = PIPE},
      {stdin = PIPE, stdout = PIPE, stderr = PIPE}} do
      t.start_ticks()
      local process = exec("true", options)
      assert.are.equal(2 + 2 * pipes, t.tick())
      process:communicate()
    end
  end)

  case("who waits goes on two ticks after the returncode is there", function(t)
    local process = exec "true"
    lucio.create_task(function()
      while not process.returncode do lucio.sleep(0) end
      t.start_ticks()
    end)
    process:wait()
    assert.are.equal(1, t.tick())
  end)

  case("SP6: cancelling wait leaves the child running", function(t)
    local process = exec("sleep", "100")
    local task = lucio.create_task(process.wait, process)
    lucio.sleep(0)
    task:cancel()
    t.raises(lucio.CancelledError, task.await, task)
    t.raises(lucio.TimeoutError, lucio.wait_for, function() process:wait() end, 0.01)
    assert.is_nil(process.returncode)
    process:terminate()
    assert.are.equal(-lucio.signal.SIGTERM, process:wait())
  end)

  case("SP7: signals by name and number; ProcessLookupError once the exit is known", function(t)
    for _, signal in ipairs {"SIGHUP", lucio.signal.SIGINT} do
      local process = exec("sleep", "100")
      process:send_signal(signal)
      process:wait()
      assert.are.equal(-(lucio.signal[signal] or signal), process.returncode)
      for _, method in ipairs {"terminate", "kill"} do
        assert.are.equal("ESRCH", t.raises(lucio.ProcessLookupError, process[method], process).code)
      end
      t.raises(lucio.ProcessLookupError, process.send_signal, process, 1)
    end
    local process = exec("sleep", "100")
    t.raises(lucio.ValueError, process.send_signal, process, "SIGNONE")
    t.raises(lucio.ValueError, process.send_signal, process, 999)
    t.raises(lucio.TypeError, process.send_signal, process)
    t.raises(lucio.TypeError, process.kill, {})
    t.raises("the process leads no group of its own", process.killpg, process)
    process:kill()
    process:kill()
    assert.are.equal(-9, process:wait())
  end)

  case("SP7: a signal to one that has ended but is not known to is nothing", function()
    local process = exec "true"
    -- until it is a zombie, or reaped by the tick in which it was made; there are no ticks here
    assert(os.execute(("while grep -qs '^[^)]*) [^Z]' /proc/%d/stat; do sleep 0.01; done"):format(
      process.pid)))
    process:kill()
    assert.are.equal(0, process:wait())
  end)

  case("a child that ignores TERM is killed by KILL", function()
    local process = shell("trap '' TERM; echo ready; while :; do sleep 0.01; done",
      {stdout = PIPE, process_group = 0})
    assert.are.equal("ready\n", process.stdout:readline())
    process:terminate()
    assert.is_false((lucio.pcall(lucio.wait_for, function() process:wait() end, 0.05)))
    process:killpg "SIGKILL"
    assert.are.equal(-9, process:wait())
  end)

  case("timeout kills the whole group", function()
    local process = shell("sleep 100 | sleep 100", {timeout = 0.05, stdout = PIPE})
    local out = process:communicate()
    assert.are.same({"", -9, true}, {out, process.returncode, process.timed_out})
    process = exec("true", {timeout = 100})
    process:wait()
    assert.is_false(process.timed_out)
  end)

  case("timeout kills what the child left behind with its pipe", function()
    -- the shell has to end within the limit, which a machine with a lot to do may not let it
    local limit = 0.05
    local process
    repeat
      process, limit = shell("sleep 100 & exit 4", {timeout = limit, stdout = PIPE}), limit * 4
      assert.are.equal("", (process:communicate()))
    until process.returncode == 4 or limit > 100
    assert.are.same({4, true}, {process.returncode, process.timed_out})
  end)

  case("what it says while we are stopped comes before a time limit, if virtual", function()
    -- it has to begin within the limit, which a machine with a lot to do may not let it
    local script = "sleep %.1f; kill -STOP $PPID; echo late; sleep %.1f; kill -CONT $PPID"
    local seconds, ok, line = 0.2
    repeat
      seconds = seconds * 2
      local process = shell(script:format(seconds / 4, seconds), {stdout = PIPE})
      ok, line = lucio.pcall(lucio.wait_for, function()
        return process.stdout:readline()
      end, seconds)
      process:wait()
    until ok or seconds > 10
    assert.are.same({true, "late\n"}, {ok, line})
  end)

  case("timeout is forgotten once the child has ended", function()
    local timers = lucio.stats().timers
    local process = exec("true", {timeout = 1000})
    assert.are.equal(timers + 1, lucio.stats().timers)
    process:wait()
    assert.are.equal(timers, lucio.stats().timers)
  end)

  case("timeout keeps no child whose output was read", function()
    local function state(pid)
      local ok, stat = lucio.pcall(lucio.fs.read_file, "/proc/" .. pid .. "/stat")
      return ok and stat:match("%) (%a)") or "gone"
    end
    for _ = 1, 20 do
      local process = shell("echo x", {timeout = 1000, stdout = PIPE})
      assert.are.equal("x\n", (process:communicate()))
      assert.are_not.equal("Z", state(process.pid))
    end
  end)

  case("timeout: <close> ends who the child left behind with its pipe", function()
    local pid
    do
      local process <close> = shell("sleep 98765 & echo $!; exit 4",
        {timeout = 1000, stdout = PIPE})
      pid = process.stdout:readline():match("%d+")
      assert.are.equal(4, process:wait())
    end
    eventually(function()
      local ok, line = lucio.pcall(lucio.fs.read_file, "/proc/" .. pid .. "/cmdline")
      return not ok or not line:find("98765", 1, true)
    end, "it goes on")
  end)

  case("SP9: <close> kills a running child and waits for its end", function()
    local process
    do
      local closed <close> = exec("sleep", "100", {stdin = PIPE, stdout = PIPE})
      process = closed
    end
    assert.are.equal(-9, process.returncode)
    do
      local _ <close> = process
    end
    do
      local closed <close> = shell "exit 2"
      closed:wait()
      process = closed
    end
    assert.are.equal(2, process.returncode)
  end)

  -- 300 of them, or so many as LUCIO_SPEC_CHILDREN says
  case("nothing is left of many children", function()
    local rounds = (tonumber(os.getenv("LUCIO_SPEC_CHILDREN")) or 300) // 15
    local function zombies()
      local list = output("sh", "-c", "ps -o stat= --ppid $PPID | grep -c Z")
      return tonumber(list)
    end
    collectgarbage()
    local before = descriptors.count()
    for _ = 1, rounds do
      local tasks = {}
      for i = 1, 15 do tasks[i] = function() return (output("echo", tostring(i))) end end
      local results = lucio.gather(tasks)
      for i = 1, 15 do assert.are.equal(i .. "\n", results[i]) end
    end
    -- fewer: what an earlier case left open was closed meanwhile
    eventually(function()
      collectgarbage()
      return descriptors.count() <= before
    end)
    assert.are.equal(0, zombies())
  end)
end)
