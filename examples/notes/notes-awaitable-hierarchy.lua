-- One await for everything that can be waited for: a future, a task (which is a future with a
-- function behind it), a coroutine, an object with __await in its metatable, and, since this is
-- Lua, a plain function. In asyncio: Awaitable, Coroutine, Future, Task, __await__.
local lucio = require "lucio"

local function compute()
  lucio.sleep(1)
  return 42
end

local Lazy = {}
Lazy.__index = Lazy

function Lazy:__await() -- runs in the task that awaits
  lucio.sleep(1)
  return self.value
end

local function main()
  local future = lucio.get_running_loop():create_future()
  lucio.get_running_loop():call_later(1, future.set_result, future, 42)

  local awaitables = {
    {"Coroutine", lucio.async(compute)()},
    {"Future", future},
    {"Task", lucio.create_task(compute)},
    {"объект с __await", setmetatable({value = 42}, Lazy)},
    {"функция", compute},
  }
  for _, entry in ipairs(awaitables) do
    local name, x = entry[1], entry[2]
    print(("%s: isawaitable %s, isfuture %s, await %d"):format(
      name, lucio.isawaitable(x), lucio.isfuture(x), lucio.await(x)))
  end
  print("число: isawaitable " .. tostring(lucio.isawaitable(42)))
end

lucio.run(main)
