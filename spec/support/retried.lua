--- A case that is about real time: an `it` whose function may fail a few times.
--
--     local retried = require "spec.support.retried"
--     retried("says nothing of short steps", function(slack) ... end)
--
-- Only for what a machine with a lot to do makes untrue, since it stops a process in the midst of a
-- step: that a watchdog says nothing. The times in the case are multiplied by `slack`: 1, then 2, 4
-- and so on, until they are longer than such a stop. All else waits for conditions.
local busted = require "busted"

local TIMES = 6

return function(name, fn)
  return busted.it(name, function()
    for i = 0, TIMES - 2 do
      if pcall(fn, 1 << i) then return end
    end
    fn(1 << TIMES - 1)
  end)
end
