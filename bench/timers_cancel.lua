--- What does a time limit cost that is never reached? One operation: arm it, switch once, disarm
-- it; as a block (timeout) and as a call (wait_for).
local lucio = require "lucio"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local TIMES = 100000
local LIMIT = 10 -- seconds

local sleep, timeout, wait_for = lucio.sleep, lucio.timeout, lucio.wait_for

local function body()
  sleep(0)
end

lucio.run(function()
  if timeout ~= false then -- false: a peer that has none
    measure.repeated("timeout", TIMES, function()
      for _ = 1, TIMES do
        local _ <close> = timeout(LIMIT)
        sleep(0)
      end
    end)
  end
  measure.repeated("wait_for", TIMES, function()
    for _ = 1, TIMES do
      wait_for(body, LIMIT)
    end
  end)
end)
