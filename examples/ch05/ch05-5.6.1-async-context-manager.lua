-- A resource whose opening and closing wait. `async with` is a <close> variable: the constructor is
-- __aenter__, the __close metamethod is __aexit__, and both may suspend. 3 seconds: one to enter,
-- one for the action, one to leave. In asyncio: async with, __aenter__, __aexit__.
local lucio = require "lucio"

local Manager = {}
Manager.__index = Manager

local function manager(delay)
  print("Асинхронный контекст: Вход")
  lucio.sleep(delay)
  return setmetatable({delay = delay}, Manager)
end

function Manager:__close()
  print("Асинхронный контекст: Выход")
  lucio.sleep(self.delay)
end

function Manager:do_something()
  print("Асинхронный контекст: Выполнение действия")
  lucio.sleep(self.delay)
end

local function main()
  local m <close> = manager(1)
  m:do_something()
end

lucio.run(main)
