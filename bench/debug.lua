--- What does debug mode cost? One operation: one sleep(0), as in switch, without and with it.
local lucio = require "lucio"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local SWITCHES = 200000
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
  local loop = lucio.get_running_loop()
  for _, count in ipairs(TASKS) do
    for _, mode in ipairs { "off", "on" } do
      loop:set_debug(mode == "on")
      measure.repeated("debug_" .. mode .. "_" .. count, SWITCHES, function() switch(count) end)
    end
  end
  loop:set_debug(false)
end)
