--- What does it cost to let another task run? One operation: one sleep(0).
local lucio = require "lucio"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local SWITCHES = 400000
local TASKS = { 2, 1000 }

local sleep = lucio.sleep

local function body(turns)
  for _ = 1, turns do
    sleep(0)
  end
end

local function switch(count)
  local tasks = {}
  for i = 1, count do
    tasks[i] = lucio.create_task(body, SWITCHES // count)
  end
  for i = 1, count do
    tasks[i]:await()
  end
end

lucio.run(function()
  for _, count in ipairs(TASKS) do
    measure.repeated("switch_" .. count, SWITCHES, function() switch(count) end)
  end
end)
