--- What does it cost to take results as they come? One operation: one of 1000 short tasks that
-- as_completed hands out.
local lucio = require "lucio"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local TASKS = 1000
local TIMES = 100

local function body()
  return 1
end

lucio.run(function()
  measure.repeated("as_completed", TASKS * TIMES, function()
    for _ = 1, TIMES do
      local list = {}
      for i = 1, TASKS do
        list[i] = lucio.create_task(body)
      end
      local sum = 0
      for task in lucio.as_completed(list) do
        sum = sum + task:result()
      end
      assert(sum == TASKS)
    end
  end)
end)
