--- What does a sleeping task cost? One operation: make a task, sleep a random part of a second,
-- end. Processor time, so the sleep itself is not in it.
local lucio = require "lucio"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local TASKS = 100000
local LONGEST = 1.0 -- seconds

lucio.run(function()
  math.randomseed(42)
  measure.report("timers", measure.time(TASKS, function()
    local left, done = TASKS, lucio.Future()
    local function body(delay)
      lucio.sleep(delay)
      left = left - 1
      if left == 0 then
        done:set_result(true)
      end
    end
    for _ = 1, TASKS do
      lucio.create_task(body, math.random() * LONGEST)
    end
    done:await()
  end))
end)
