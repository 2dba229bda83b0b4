-- A function that waits, called by a function that waits: in Lua both are plain functions and the
-- call is a plain call, at any depth. In asyncio: await of one coroutine in another.
local lucio = require "lucio"

local function say_hello()
  print("Hello")
  lucio.sleep(1)
  print("World")
end

local function main()
  say_hello()
end

lucio.run(main)
