-- A plain coroutine.wrap generator may wait in its body: a lucio call suspends the whole task,
-- coroutine.yield hands a value to the `for`. (lucio.generator makes one with asend, athrow and
-- aclose: ch15-15.9.1-async-generator.) In asyncio: async generator, async for.
local lucio = require "lucio"

local function numbers()
  return coroutine.wrap(function()
    for i = 0, 4 do
      lucio.sleep(1)
      coroutine.yield(i)
    end
  end)
end

local function main()
  for value in numbers() do
    print(value)
  end
end

lucio.run(main)
