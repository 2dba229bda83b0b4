-- A running loop cannot be run again from inside: lucio.run and loop:run_forever are refused there,
-- and the loop goes on undisturbed. What runs in a task simply calls the function, or starts it
-- with create_task. In asyncio: asyncio.run and run_forever inside a coroutine (RuntimeError),
-- await, create_task.
local lucio = require "lucio"

local function greet(name)
  lucio.sleep(0.5)
  return "Привет, " .. name .. "!"
end

local function refused(what, ...)
  local ok, err = lucio.pcall(...)
  assert(not ok and lucio.isinstance(err, lucio.RuntimeError))
  print(("%s внутри цикла: %s"):format(what, err.name))
end

local function main()
  local loop = lucio.get_running_loop()
  refused("lucio.run", lucio.run, greet, "run")
  refused("run_forever", loop.run_forever, loop)
  refused("run_until_complete", loop.run_until_complete, loop, greet)
  print("Цикл работает дальше: " .. tostring(loop:is_running()))

  print("Вызов: " .. greet("вызов"))
  local task = lucio.create_task(greet, "задача")
  print("create_task: " .. task:await())
end

lucio.run(main)
