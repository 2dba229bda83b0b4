-- Pitfall: a Coroutine that is made but never awaited does nothing, so the program takes one
-- second and not two. lucio.sleep itself cannot be forgotten like that, its call waits; an async
-- function can. Debug mode reports the lost Coroutine when it is collected, with the place that
-- made it.
-- In asyncio: a forgotten await, RuntimeWarning: coroutine was never awaited.
local lucio = require "lucio"

local sleep = lucio.async(lucio.sleep)

local function process()
  sleep(1) -- wrong: made and dropped, it never runs
  collectgarbage() -- now, so that the report comes here

  lucio.await(sleep(1)) -- right
end

local function main()
  local loop = lucio.get_running_loop()
  local start = loop:time()
  process()
  print(("%.1f s"):format(loop:time() - start))
end

do
  local runner <close> = lucio.Runner{debug = true}
  runner:run(main)
end
