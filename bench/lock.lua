--- What does a lock cost that a hundred tasks want? One operation: acquire, one sleep(0) while
-- holding it, release.
local lucio = require "lucio"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local TASKS = 100
local ACQUISITIONS = 200000

local sleep = lucio.sleep

lucio.run(function()
  measure.repeated("lock", ACQUISITIONS, function()
    local lock = lucio.Lock()
    local function body()
      for _ = 1, ACQUISITIONS // TASKS do
        local _ <close> = lock:acquire()
        sleep(0)
      end
    end
    local tasks = {}
    for i = 1, TASKS do
      tasks[i] = lucio.create_task(body)
    end
    for i = 1, TASKS do
      tasks[i]:await()
    end
  end)
end)
