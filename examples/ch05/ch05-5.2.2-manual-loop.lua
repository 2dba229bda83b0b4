-- The same program with a loop made by hand: new_event_loop, run_until_complete, and a <close>
-- variable that closes the loop however the script ends (the try/finally of the book). lucio.run
-- does all this by itself; a loop of one's own is for embedding and for tests.
-- In asyncio: get_event_loop, loop.run_until_complete, loop.close.
local lucio = require "lucio"

local function main()
  print("Привет из ручного цикла событий!")
  lucio.sleep(1)
  print("До свидания из ручного цикла событий!")
end

local loop = lucio.new_event_loop()
local _ <close> = setmetatable({}, {__close = function() loop:close() end})

loop:run_until_complete(main)
