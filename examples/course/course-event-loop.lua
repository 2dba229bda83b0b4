-- The running loop, asked for inside a task, makes two tasks that run in the background; the
-- second one needs two seconds, and so does the program.
-- In asyncio: get_running_loop, loop.create_task.
local lucio = require "lucio"

local function say_after(delay, message)
  lucio.sleep(delay)
  print(message)
end

local function main()
  local loop = lucio.get_running_loop()
  print("Started at " .. os.date("%X"))

  local task1 = loop:create_task(say_after, 1, "Hello")
  local task2 = loop:create_task(say_after, 2, "World")
  task1:await()
  task2:await()

  print("Finished at " .. os.date("%X"))
end

lucio.run(main)
