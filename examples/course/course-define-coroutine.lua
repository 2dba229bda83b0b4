-- Two ways to write a coroutine. The older one marks the function: lucio.async makes a function
-- whose call only builds a Coroutine, which runs when it is awaited. The modern one needs no
-- mark: every Lua function may suspend, and a plain call waits for its result.
-- In asyncio: a generator-based coroutine with yield from, and async def.
local lucio = require "lucio"

local old_style_coroutine = lucio.async(function()
  lucio.sleep(1)
  return "Result"
end)

local function modern_coroutine()
  lucio.sleep(1)
  return "Result"
end

local function main()
  print(lucio.await(old_style_coroutine()))
  print(modern_coroutine())
end

lucio.run(main)
