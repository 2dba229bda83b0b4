--- What does a task cost among many live ones? One operation: a task that yields once, all alive
-- at the same time, in a process that had no task before.
local lucio = require "lucio"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local TASKS = 200000

lucio.run(function()
  measure.report("spawn_batch", measure.time(TASKS, function()
    local left, done = TASKS, lucio.Future()
    local function body()
      lucio.sleep(0)
      left = left - 1
      if left == 0 then
        done:set_result(true)
      end
    end
    for _ = 1, TASKS do
      lucio.create_task(body)
    end
    done:await()
  end))
end)
