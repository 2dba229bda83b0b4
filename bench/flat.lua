--- Is a task among a million as cheap as one among a thousand? One operation: that of spawn_batch,
-- for a number of tasks given as the argument; then once more in the same process, where threads
-- and memory are there already ("again").
local lucio = require "lucio"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local TASKS = math.tointeger(arg[1] or 1000)

local function batch()
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
end

lucio.run(function()
  measure.report("flat_" .. TASKS, measure.time(TASKS, batch))
  measure.report("flat_again_" .. TASKS, measure.time(TASKS, batch))
end)
