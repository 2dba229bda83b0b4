-- Child processes: their exit status, their output line by line while other tasks run, an end by
-- a signal, and a time limit.
-- In asyncio: create_subprocess_exec, create_subprocess_shell, wait, returncode, terminate.
local lucio = require "lucio"

local PIPE = lucio.subprocess.PIPE

local function exit_status()
  local process = lucio.create_subprocess_shell("exit 3")
  print("while it runs", process.returncode)
  print("exit status", process:wait())
end

-- The output of two children comes line by line, as they are asked for it; meanwhile a task of our
-- own goes on.
local function together()
  local seen = lucio.Semaphore(0)
  local children, readers = {}, {}
  for i, name in ipairs {"first", "second"} do
    local child = lucio.create_subprocess_shell(
      'while read word; do echo "$word done"; done; exit 2', {stdin = PIPE, stdout = PIPE})
    children[i] = child
    readers[i] = lucio.create_task(function()
      for line in child.stdout:lines() do
        print(name, line)
        seen:release()
      end
      return child:wait()
    end)
  end
  for i = 1, 3 do
    lucio.sleep(0.05)
    print("tick", i)
    for _, child in ipairs(children) do
      child.stdin:write(("job %d\n"):format(i))
      seen:acquire()
    end
  end
  for _, child in ipairs(children) do child.stdin:close() end
  local codes = lucio.gather(readers)
  print("ended with", codes[1], codes[2])
end

local function limited()
  local process = lucio.create_subprocess_exec("sleep", "60")
  local ok, e = pcall(lucio.wait_for, function() process:wait() end, 0.1)
  print("in time", ok, e.name)
  print("still running", process.returncode == nil) -- who waited was cancelled, not the process
  process:terminate()
  print("after terminate", process:wait(), -lucio.signal.SIGTERM)

  -- a time limit of the process itself also ends what it has started
  process = lucio.create_subprocess_shell("sleep 60 | sleep 60", {timeout = 0.1})
  print("after its timeout", process:wait(), process.timed_out)

  do
    local forgotten <close> = lucio.create_subprocess_exec("sleep", "60")
    process = forgotten
  end
  print("after its block", process.returncode)
end

lucio.run(function()
  exit_status()
  together()
  limited()
  local ok, e = pcall(lucio.create_subprocess_exec, "no-such-program")
  print(ok, e.name, e)
end)
