--- What does it cost to hand a value to a waiting task? One operation: make a future, await it,
-- have it set by the other of two tasks.
local lucio = require "lucio"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local HANDOVERS = 200000

local Future, create_task = lucio.Future, lucio.create_task

lucio.run(function()
  measure.repeated("future", HANDOVERS, function()
    local waiting
    local function player()
      for i = 1, HANDOVERS // 2 do
        local mine, other = Future(), waiting
        waiting = mine
        if other then
          other:set_result(i)
        end
        mine:await()
      end
      if not waiting:done() then
        waiting:set_result(0)
      end
    end
    local a, b = create_task(player), create_task(player)
    a:await()
    b:await()
  end)
end)
