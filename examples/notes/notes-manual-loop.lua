-- A loop made by hand, run until main has ended, and closed whatever happens; it prints nothing.
-- In asyncio: new_event_loop, run_until_complete, close.
local lucio = require "lucio"

local function main()
  lucio.sleep(1)
end

local loop = lucio.new_event_loop()
local _ <close> = setmetatable({}, {__close = function() loop:close() end})

loop:run_until_complete(main)
