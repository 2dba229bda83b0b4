--- A case that is about real time: an `it` whose function may fail a few times.
--
--     local retried = require "spec.support.retried"
--     retried("says nothing of short steps", function() ... end)
--
-- Only for what a machine with a lot to do makes untrue, since it stops a process in the midst of a
-- step: that a watchdog says nothing, that a callback was not slow. All else waits for conditions.
local busted = require "busted"

local TIMES = 6

return function(name, fn)
  return busted.it(name, function()
    for _ = 2, TIMES do
      if pcall(fn) then return end
    end
    fn()
  end)
end
