--- Waits until something has come about, as long as it takes.
--
--     local eventually = require "spec.support.eventually"
--     eventually(function() return flag.value end)
--     eventually(function() return #seen == 2 end, "two were never seen")
--
-- Returns what the function returns. It is called again and again, in ticks of the running loop,
-- which take real time while descriptors or jobs are waited for, under the virtual clock as well.
-- The limit is one of real time: a number of attempts says nothing about the other side's time.
local limit = require "spec.support.limit"
local lucio = require "lucio"

return function(condition, what)
  local last = os.time() + limit
  while true do
    local value = condition()
    if value then return value end
    if os.time() > last then error(what or "it did not come about", 2) end
    lucio.sleep(0.001)
  end
end
