--- What does a child process cost? One operation: start /bin/true and wait for its end, one after
-- the other (`process`), 16 at a time (`process_16`); and a megabyte that goes through `cat`
-- (`process_cat`). Elapsed time, since most of it passes in the kernel and in the child.
local lucio = require "lucio"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local CHILDREN = 160
local MEGABYTES = 100

local function run_children(count)
  for _ = 1, count do lucio.create_subprocess_exec("/bin/true"):wait() end
end

lucio.run(function()
  local loop = lucio.get_running_loop()
  measure.least("process", CHILDREN, loop, function() run_children(CHILDREN) end)
  measure.least("process_16", CHILDREN, loop, function()
    local jobs = {}
    for i = 1, 16 do jobs[i] = function() run_children(CHILDREN // 16) end end
    lucio.gather(jobs)
  end)
  local PIPE = lucio.subprocess.PIPE
  local input = ("0123456789abcdef"):rep(MEGABYTES << 16)
  measure.least("process_cat", MEGABYTES, loop, function()
    local process = lucio.create_subprocess_exec("cat", {stdin = PIPE, stdout = PIPE})
    assert(#process:communicate(input) == #input)
  end)
end)
