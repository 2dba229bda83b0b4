-- An async generator: its body may wait between two values, and a plain `for` consumes it.
-- In asyncio: async generator, async for.
local lucio = require "lucio"

local function number_generator(n)
  return lucio.generator(function()
    for i = 0, n - 1 do
      lucio.sleep(0.1)
      coroutine.yield(i)
    end
  end)
end

local function main()
  for number in number_generator(10) do
    print("Получено число: " .. number)
  end
end

lucio.run(main)
