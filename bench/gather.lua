--- What does a task cost that is gathered with others? One operation: one of the 1000 short tasks
-- that a gather starts and whose results it collects.
local lucio = require "lucio"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local TASKS = 1000
local TIMES = 100

local function body()
  return 1
end

lucio.run(function()
  measure.repeated("gather", TASKS * TIMES, function()
    for _ = 1, TIMES do
      local list = {}
      for i = 1, TASKS do
        list[i] = lucio.create_task(body)
      end
      local results = lucio.gather(list)
      assert(#results == TASKS)
    end
  end)
end)
