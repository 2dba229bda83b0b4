-- communicate feeds stdin and collects stdout and stderr at the same time, so that no pipe fills up
-- while nobody looks at it; and many children at once, but never more than four.
-- In asyncio: Process.communicate, Semaphore, gather.
local lucio = require "lucio"

local PIPE = lucio.subprocess.PIPE

local function both_ways()
  local input = ("0123456789abcdef"):rep(1 << 18) -- 4 MB; a pipe holds 64 KB
  local process = lucio.create_subprocess_exec("tee", "/dev/stderr",
    {stdin = PIPE, stdout = PIPE, stderr = PIPE})
  local out, err = process:communicate(input)
  print("bytes", #input, #out, #err)
  print("equal", out == input, err == input)
end

-- A child that has seen enough is no error.
local function enough()
  local process = lucio.create_subprocess_exec("head", "-n", "2", {stdin = PIPE, stdout = PIPE})
  local out = process:communicate(("a line\n"):rep(1000000))
  io.write(out)
  print("exit status", process.returncode)
end

local function many()
  local semaphore, running, most = lucio.Semaphore(4), 0, 0

  local function job(i)
    local _ <close> = semaphore:acquire()
    running = running + 1
    most = math.max(most, running)
    local process = lucio.create_subprocess_exec("tr", "a-z", "A-Z", {stdin = PIPE, stdout = PIPE})
    local out = process:communicate(("job %d "):format(i):rep(20000))
    running = running - 1
    return #out, out:sub(1, 5)
  end

  local jobs = {}
  for i = 1, 9 do jobs[i] = function() return table.pack(job(i)) end end
  for i, result in ipairs(lucio.gather(jobs)) do print(i, result[1], result[2]) end
  print("at once", most)
end

lucio.run(function()
  both_ways()
  enough()
  many()
end)
