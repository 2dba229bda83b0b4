-- A race in one thread: a task reads the counter, waits, and writes the number back. Another task
-- does the same during the wait, and one of the two additions is lost. A step without a wait in
-- it is atomic: nobody else runs before it ends. (notes-async-lock shows the lock that cures the
-- first.)
-- In asyncio: await between reading and writing shared state.
local lucio = require "lucio"

local TASKS, STEPS = 2, 100

local counter

local function increment_with_wait()
  local value = counter
  lucio.sleep(0.01) -- the others run here
  counter = value + 1
end

local function increment_atomically()
  lucio.sleep(0.01)
  counter = counter + 1
end

local function count_with(increment)
  counter = 0
  do
    local tg <close> = lucio.TaskGroup()
    for _ = 1, TASKS do
      tg:create_task(function()
        for _ = 1, STEPS do increment() end
      end)
    end
  end
  return counter
end

local function main()
  print(("ожидалось %d"):format(TASKS * STEPS))
  print(("с ожиданием между чтением и записью: %d"):format(count_with(increment_with_wait)))
  print(("без ожидания между ними: %d"):format(count_with(increment_atomically)))
end

lucio.run(main)
