--- What does a task cost that only waits? One operation: make a task, park it, wake it, see it end.
-- Also the resident bytes per parked task. The argument says where it parks: "future" (one of its
-- own), "event" (one for all), "sleep" (a timer of its own).
local lucio = require "lucio"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local TASKS = 100000
local PLACE = arg[1] or "future"

local parked, left, done = 0, TASKS, nil

local function count_parked()
  parked = parked + 1
end

local function count_ended()
  left = left - 1
  if left == 0 then
    done:set_result(true)
  end
end

-- Each gives what the tasks run and what wakes them all.
local places = {}

function places.future()
  local gates = {}
  for i = 1, TASKS do
    gates[i] = false
  end
  return function(i)
    count_parked()
    local gate = lucio.Future()
    gates[i] = gate
    gate:await()
    count_ended()
  end, function()
    for i = 1, TASKS do
      gates[i]:set_result(true)
    end
  end
end

function places.event()
  local gate = lucio.Event()
  return function()
    count_parked()
    gate:wait()
    count_ended()
  end, function()
    gate:set()
  end
end

-- Wakes by itself: only the memory is of interest.
function places.sleep()
  return function()
    count_parked()
    lucio.sleep(1.5)
    count_ended()
  end, function() end
end

lucio.run(function()
  done = lucio.Future()
  local body, wake = places[PLACE]()
  local before = measure.rss()
  local rss
  local cost = measure.time(TASKS, function()
    for i = 1, TASKS do
      lucio.create_task(body, i)
    end
    repeat
      lucio.sleep(0)
    until parked == TASKS
    rss = measure.rss()
    wake()
    done:await()
  end)
  if PLACE ~= "sleep" then
    measure.report("park_" .. PLACE, cost)
  end
  measure.report("park_" .. PLACE .. "_rss", (rss - before) / TASKS)
end)
