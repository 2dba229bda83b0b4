-- SP5, SP6, SP8, SP9: the pipes of child processes, and communicate.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

local PIPE, STDOUT = lucio.subprocess.PIPE, lucio.subprocess.STDOUT
local exec, shell = lucio.create_subprocess_exec, lucio.create_subprocess_shell

local BIG = ("0123456789abcdef"):rep(1 << 18) -- 4 MiB, 64 times what a pipe holds
local ALL = {stdin = PIPE, stdout = PIPE, stderr = PIPE}

describe("Process:communicate", function()
  case("SP5: feeds stdin, reads both outputs to their ends, waits", function()
    local process = shell("cat; echo error >&2; exit 5", ALL)
    local out, err = process:communicate("some input")
    assert.are.same({"some input", "error\n", 5}, {out, err, process.returncode})
  end)

  case("SP5: gives nil for what is no pipe", function()
    local results = table.pack(exec("true"):communicate())
    assert.are.same({n = 2}, results)
    local out, err = shell("echo x >&2", {stderr = PIPE}):communicate("ignored: stdin is no pipe")
    assert.are.same({nil, "x\n"}, {out, err})
    out, err = shell("echo o; echo e >&2", {stdout = PIPE, stderr = STDOUT}):communicate()
    assert.are.equal("o\ne\n", out)
    assert.is_nil(err)
  end)

  case("SP5: closes stdin without input too", function()
    local process = exec("cat", {stdin = PIPE, stdout = PIPE})
    assert.are.equal("", (process:communicate()))
    assert.is_true(process.stdin:is_closing())
    process = exec("cat", {stdin = PIPE, stdout = PIPE})
    assert.are.equal("", (process:communicate("")))
  end)

  case("SP5: does not get stuck on full pipes in all directions", function()
    local process = exec("tee", "/dev/stderr", ALL)
    local out, err = process:communicate(BIG)
    assert.is_true(out == BIG)
    assert.is_true(err == BIG)
  end)

  case("SP5: a pipe that breaks while it is fed is ignored", function()
    local process = shell("exec <&-; echo done", {stdin = PIPE, stdout = PIPE})
    assert.are.equal("done\n", (process:communicate(BIG)))
    assert.are.equal(0, process.returncode)
    process = shell("head -c 5", {stdin = PIPE, stdout = PIPE})
    assert.are.equal("01234", (process:communicate(BIG)))
  end)

  case("SP5: many at once", function()
    local semaphore, jobs = lucio.Semaphore(4), {}
    for i = 1, 12 do
      jobs[i] = function()
        local _ <close> = semaphore:acquire()
        local process = exec("tr", "a-z", "A-Z", {stdin = PIPE, stdout = PIPE})
        return (process:communicate(("job %d "):format(i):rep(20000)))
      end
    end
    for i, out in ipairs(lucio.gather(jobs)) do
      assert.is_true(out == ("JOB %d "):format(i):rep(20000))
    end
  end)

  case("SP6: cancelling it leaves the child running", function(t)
    local process = exec("cat", ALL)
    t.raises(lucio.TimeoutError, lucio.wait_for, function()
      process.stdin:write("kept")
      lucio.gather(function() process.stdout:readexactly(5) end, function() process:wait() end)
    end, 0.02)
    assert.is_nil(process.returncode)
    assert.are.equal("kept and more", (process:communicate(" and more")))
    process = exec("sleep", "100", ALL)
    local task = lucio.create_task(process.communicate, process)
    lucio.sleep(0.01)
    task:cancel()
    t.raises(lucio.CancelledError, task.await, task)
    assert.is_nil(process.returncode)
    process:kill()
    assert.are.equal(-9, process:wait())
  end)

  case("bad arguments are TypeErrors", function(t)
    local process = exec("cat", ALL)
    t.raises("bad argument #1 to 'communicate' (string or nil expected, got number)",
      process.communicate, process, 5)
    t.raises(lucio.TypeError, process.wait, {})
    process:communicate()
  end)

  case("gives what another read has left", function()
    local process = shell("echo one; echo two", {stdout = PIPE})
    assert.are.equal("one\n", process.stdout:readline())
    assert.are.equal("two\n", (process:communicate()))
    assert.are.equal("", (process:communicate()))
  end)
end)

describe("the pipes of a process", function()
  case("SP8: stdin takes lines while stdout gives them", function()
    local process = exec("sed", "-u", "s/^/> /", {stdin = PIPE, stdout = PIPE})
    for i = 1, 3 do
      process.stdin:write(("line %d\n"):format(i))
      process.stdin:drain()
      assert.are.equal(("> line %d\n"):format(i), process.stdout:readline())
    end
    process.stdin:close()
    process.stdin:wait_closed()
    assert.are.equal(0, process:wait())
    assert.are.equal("", process.stdout:readline())
  end)

  case("SP8: drain raises once the child has closed its end", function(t)
    local process = shell("exec <&-; read line", {stdin = PIPE})
    local function feed()
      while true do -- it may be long until the child runs
        process.stdin:write(("x"):rep(100))
        process.stdin:drain()
        lucio.sleep(0.001)
      end
    end
    local ok, e = lucio.pcall(feed)
    assert.is_false(ok)
    assert.is_true(lucio.isinstance(e, lucio.BrokenPipeError) or
      lucio.isinstance(e, lucio.ConnectionResetError))
    assert.is_true(process.stdin:is_closing())
    t.raises(lucio.ConnectionError, process.stdin.drain, process.stdin)
    assert.are.equal(1, process:wait())
  end)

  case("SP8: stdin is closed when the child has ended, without a write", function()
    local process = exec("true", {stdin = PIPE})
    process:wait()
    process.stdin:wait_closed()
    assert.is_true(process.stdin:is_closing())
  end)

  case("SP8: stdout is readable after the exit", function()
    local process = shell("echo left; echo here >&2", {stdout = PIPE, stderr = PIPE})
    process:wait()
    assert.are.equal("left\n", process.stdout:readline())
    assert.are.equal("", process.stdout:read())
    assert.are.equal("here\n", process.stderr:read())
    assert.is_true(process.stdout:at_eof())
  end)

  case("SP8: a reader outlives its Process object", function()
    local stdout, wait
    do
      local process = shell("echo early; echo late", {stdout = PIPE})
      stdout, wait = process.stdout, process:wait()
    end
    collectgarbage()
    collectgarbage()
    assert.are.equal(0, wait)
    assert.are.equal("early\nlate\n", stdout:read())
  end)

  case("SP8: the limit bounds lines, and what is taken from the child", function(t)
    local process = shell("head -c 100000 /dev/zero | tr '\\0' x; echo; echo y", {stdout = PIPE,
      limit = 1000})
    t.raises(lucio.ValueError, process.stdout.readline, process.stdout)
    process:communicate()
    -- twice the limit, what was read at once, and the pipe's own 64 KiB are all that goes out
    process = shell("head -c 4000000 /dev/zero; echo end >&2", {stdout = PIPE, stderr = PIPE,
      limit = 1000})
    t.raises(lucio.TimeoutError, lucio.wait_for, function() process.stderr:readline() end, 0.05)
    assert.is_nil(process.returncode)
    local out, err = process:communicate()
    assert.are.same({4000000, "end\n"}, {#out, err})
  end)

  case("SP9: what the child has written last comes before wait returns", function(t)
    for _ = 1, 20 do
      t.lines = {}
      local process = shell("read line; echo $line", {stdin = PIPE, stdout = PIPE})
      local reader = lucio.create_task(function()
        for line in process.stdout:lines() do t.log(line) end
        t.log "end"
      end)
      lucio.sleep(0)
      process.stdin:write("line\n")
      t.log(process:wait())
      reader:await()
      assert.are.equal(3, #t.lines)
      assert.are.equal("line", t.lines[1])
    end
  end)

  case("lines of several children come as they are written", function()
    local texts, jobs, children = {}, {}, {}
    for i = 1, 3 do
      children[i] = shell(("read go; echo %d"):format(i), {stdin = PIPE, stdout = PIPE})
    end
    for i, process in ipairs(children) do
      jobs[i] = function()
        for line in process.stdout:lines() do
          texts[#texts + 1] = line
          -- the last one is told first
          if i > 1 then children[i - 1].stdin:write("go\n") end
        end
        return process:wait()
      end
    end
    children[3].stdin:write("go\n")
    assert.are.same({0, 0, 0, n = 3}, lucio.gather(jobs))
    assert.are.same({"3", "2", "1"}, texts)
  end)

  case("a pipeline of two children by a descriptor", function()
    local path = os.tmpname()
    os.remove(path)
    assert(os.execute("mkfifo " .. path))
    local file = assert(io.open(path, "r+"))
    local first = exec("echo", "through a fifo", {stdout = file})
    local second = exec("head", "-n", "1", {stdin = file, stdout = PIPE})
    assert.are.equal("through a fifo\n", (second:communicate()))
    assert.are.equal(0, first:wait())
    file:close()
    os.remove(path)
  end)

  case("<close> closes the pipes; a grandchild does not hold it up", function()
    local stdin, stdout
    do
      local process <close> = shell("sleep 0.3 & exec sleep 100", ALL)
      stdin, stdout = process.stdin, process.stdout
      stdin:write(BIG)
    end
    assert.is_true(stdin:is_closing())
    assert.are.equal("", stdout:read())
  end)
end)
