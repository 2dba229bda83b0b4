--- Waits until something has come about, as long as it takes.
--
--     local eventually = require "spec.support.eventually"
--     eventually(function() return flag.value end)
--     eventually(function() return #seen == 2 end, "two were never seen")
--
-- Returns what the function returns. It is called again and again, in ticks of the running loop,
-- which take real time while descriptors or jobs are waited for, under the virtual clock as well.
-- The limit is one of real time, and far beyond what anything takes: a machine with a lot to do
-- stops processes, and threads of this one, for seconds. So a number of attempts would be none.
local lucio = require "lucio"

local SECONDS = 60 * (tonumber(os.getenv "SLOW") or 1)

return function(condition, what)
  local limit = os.time() + SECONDS
  while true do
    local value = condition()
    if value then return value end
    if os.time() > limit then error(what or "it did not come about", 2) end
    lucio.sleep(0.001)
  end
end
