-- An awaitable of one's own: any object whose metatable has __await. lucio calls __await in the
-- task that awaits, and what it returns is the result; here it gives the loop back until somebody
-- has set the value. Everything that takes an awaitable takes it: await, gather, wait_for,
-- create_task.
-- In asyncio: a class with __await__, the book's CustomFuture.
local lucio = require "lucio"

local CustomFuture = {}
CustomFuture.__index = CustomFuture

local function custom_future(name)
  return setmetatable({name = name, finished = false, checks = 0}, CustomFuture)
end

function CustomFuture:set_result(value)
  self.finished, self.value = true, value
end

function CustomFuture:__await()
  while not self.finished do
    self.checks = self.checks + 1
    lucio.sleep(0) -- not yet: let the others run, then look again
  end
  return self.value
end

local function main()
  local loop = lucio.get_running_loop()

  print("принимается: " .. tostring(lucio.isawaitable(custom_future())))

  local future = custom_future()
  lucio.create_task(function()
    for i = 1, 3 do
      print("другая задача, шаг " .. i)
      lucio.sleep(0)
    end
    future:set_result("готово")
  end)
  print("результат: " .. lucio.await(future))
  print("ожидание не блокирует: " .. tostring(future.checks > 0))
  print("ещё раз, уже без ожидания: " .. lucio.await(future))

  local a, b = custom_future(), custom_future()
  loop:call_soon(b.set_result, b, "второй")
  loop:call_soon(a.set_result, a, "первый")
  print("gather: " .. table.concat(lucio.gather(a, b), ", "))

  local never = custom_future()
  local ok, err = lucio.pcall(lucio.wait_for, never, 0)
  print(("wait_for: %s"):format(ok or err.name))

  local task = lucio.create_task(a)
  print("create_task: " .. task:await())
end

lucio.run(main)
