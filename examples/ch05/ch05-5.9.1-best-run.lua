-- Best practice: one entry point, started with lucio.run. In asyncio: asyncio.run.
local lucio = require "lucio"

local function main()
  print("Запуск основной корутины")
end

lucio.run(main)
