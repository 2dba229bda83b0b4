-- Calling an async function runs nothing: it makes a coroutine object, which runs when it is
-- awaited, once, while its caller stands still. A plain function, lucio's usual case, is simply
-- called and can be waited in all the same. In asyncio: coroutine objects, await.
local lucio = require "lucio"

local add_one = lucio.async(function(x)
  print("  тело выполняется")
  lucio.sleep(1)
  return x + 1
end)

local function add_two(x)
  lucio.sleep(1)
  return x + 2
end

local function main()
  local coroutine = add_one(1)
  print("Без await: объект, не число: " .. tostring(lucio.iscoroutine(coroutine)))

  print("С await:")
  local result = lucio.await(coroutine)
  print("  результат " .. result)

  local ok, err = lucio.pcall(lucio.await, coroutine)
  print("Второй await: " .. (ok and "удался" or err.name))

  print("Обычная функция: " .. add_two(1))
end

lucio.run(main)
