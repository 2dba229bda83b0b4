-- The smallest program: lucio.run makes a loop, runs main as a task in it and closes the loop when
-- main ends. lucio.sleep suspends main for a second; there is no await keyword, a blocking call
-- simply blocks the task that makes it. In asyncio: asyncio.run, asyncio.sleep.
local lucio = require "lucio"

local function main()
  print("Привет из asyncio.run!")
  lucio.sleep(1)
  print("До свидания из asyncio.run!")
end

lucio.run(main)
