-- Pitfall: calling an async function does not run it. The call only makes a Coroutine, which runs
-- when a task awaits it or when lucio.run gets it. (A plain Lua function has no such trap: its
-- call runs it and waits.)
-- In asyncio: a coroutine object, await, asyncio.run.
local lucio = require "lucio"

local coroutine = lucio.async(function()
  print("coroutine runs")
  lucio.sleep(0.1)
  return "result"
end)

local result = coroutine() -- wrong: nothing runs
print("a Coroutine: " .. tostring(lucio.iscoroutine(result)))

-- right: inside a task
local function inside()
  print(lucio.await(coroutine()))
end
lucio.run(inside)

-- or outside of one
print(lucio.run(coroutine()))
