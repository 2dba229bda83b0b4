-- An iterator object that waits before each value. Lua's `for` calls it until it returns nil, which
-- is StopAsyncIteration; the call may suspend like any other. The value is incremented before it is
-- returned, so the numbers are 2 to 5. In asyncio: __aiter__, __anext__, async for.
local lucio = require "lucio"

local Iterator = {}
Iterator.__index = Iterator

local function iterator(first, last)
  return setmetatable({current = first, last = last}, Iterator)
end

function Iterator:__call()
  if self.current >= self.last then return nil end
  lucio.sleep(1)
  self.current = self.current + 1
  return self.current
end

local function main()
  for number in iterator(1, 5) do
    print(number)
  end
end

lucio.run(main)
