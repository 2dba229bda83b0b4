-- The running loop is at hand in every task and callback. Outside lucio.run it is not: stock Lua
-- has no running loop there (RuntimeError), a script under the lucio command has the command's own.
-- A loop that has ended its run is closed and refuses further work.
-- In asyncio: get_running_loop, loop.is_running, loop.is_closed, RuntimeError.
local lucio = require "lucio"

local function inner()
  return lucio.get_running_loop()
end

local kept

local function main()
  local loop = lucio.get_running_loop()
  kept = loop
  print("Цикл работает: " .. tostring(loop:is_running()))
  print("В задаче тот же цикл: " .. tostring(lucio.create_task(inner):await() == loop))
  local in_callback = loop:create_future()
  loop:call_soon(function() in_callback:set_result(lucio.get_running_loop()) end)
  print("В обратном вызове тот же цикл: " .. tostring(in_callback:await() == loop))
end

lucio.run(main)

local ok, outside = lucio.pcall(lucio.get_running_loop)
local absent = not ok and lucio.isinstance(outside, lucio.RuntimeError)
print("Снаружи этого цикла нет: " .. tostring(absent or outside ~= kept))
print("Закрыт: " .. tostring(kept:is_closed()))
local _, err = lucio.pcall(kept.call_soon, kept, print)
print("Новая работа: " .. err.name)
