-- Two iterators that wait before each value, used by the ordinary for. The first is an object
-- whose __call gives the next value and nil at the end; the second is a coroutine.wrap generator,
-- which may wait in its body: lucio tells its waits from its values.
-- In asyncio: __aiter__, __anext__, StopAsyncIteration, an async generator, async for.
local lucio = require "lucio"

local AsyncCounter = {}
AsyncCounter.__index = AsyncCounter

local function counter(stop)
  return setmetatable({current = 0, stop = stop}, AsyncCounter)
end

function AsyncCounter:__call()
  if self.current < self.stop then
    lucio.sleep(0.1) -- stands for the asynchronous work
    self.current = self.current + 1
    return self.current - 1
  end
  return nil
end

local function async_range(stop)
  return coroutine.wrap(function()
    for i = 0, stop - 1 do
      lucio.sleep(0.1)
      coroutine.yield(i)
    end
  end)
end

local function main()
  print("Using async iterator:")
  for i in counter(5) do
    print("Counter: " .. i)
  end

  print("\nUsing async generator:")
  for i in async_range(5) do
    print("Range: " .. i)
  end
end

lucio.run(main)
