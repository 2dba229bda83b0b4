--- copas 4: its own threads, pause, lock and timeouts; what it lacks is made of pauseforever and
-- wakeup. (Debian's lua-copas is copas 1 for Lua 5.1, which has no way to pause a thread.)
local copas = require "copas"

assert(copas.pauseforever, "copas 4 is needed")

local M = require "primitives"(copas.pauseforever, copas.wakeup, copas.addthread)

M.sleep = copas.pause

-- One timeout a thread is what copas has.

local function expired()
  error "a timeout fired"
end

local disarm = setmetatable({}, { __close = function() copas.timeout(0) end })

function M.timeout(delay)
  copas.timeout(delay, expired)
  return disarm
end

function M.wait_for(fn, delay)
  copas.timeout(delay, expired)
  local result = fn()
  copas.timeout(0)
  return result
end

function M.run(main)
  copas.addthread(function()
    main()
    os.exit(0, true) -- the loop of copas would wait for its core timer
  end)
  copas.loop()
end

return M
