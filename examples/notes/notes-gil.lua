-- No global lock: two threads compute in the same moment, since each has a Lua state of its own.
-- Each tells the other how far it is while it computes; under a lock held by a whole job they
-- would wait for ever. (How much faster two threads are, bench/executor.lua says.)
-- In Python: threading, where one thread at a time runs Python code.
local lucio = require "lucio"

local STEPS = 200000

lucio.run(function()
  local met = {lucio.shared.Value("bool"), lucio.shared.Value("bool")}

  local function compute(me)
    local sum = 0
    for i = 1, STEPS do
      sum = sum + i % 7
      if i == STEPS // 2 then
        met[me].value = true
        while not met[3 - me].value do sum = sum + 0 end -- the other one is at its half, too
      end
    end
    return sum
  end

  local one = lucio.ThreadPoolExecutor{max_workers = 1}
  met[2].value = true
  print("Один поток: " .. one:submit(compute, 1):await())
  one:shutdown()

  met[1].value, met[2].value = false, false
  local two <close> = lucio.ThreadPoolExecutor{max_workers = 2}
  local results = lucio.gather(two:submit(compute, 1), two:submit(compute, 2))
  print("Два потока сразу: " .. results[1] .. " и " .. results[2])
end)
