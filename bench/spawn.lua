--- What does a short task cost? One operation: make it, await it.
local lucio = require "lucio"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local TASKS = 200000

local create_task = lucio.create_task

local function body(x)
  return x
end

lucio.run(function()
  measure.repeated("spawn", TASKS, function()
    local sum = 0
    for i = 1, TASKS do
      sum = sum + create_task(body, i):await()
    end
    assert(sum == TASKS * (TASKS + 1) // 2)
  end)
end)
