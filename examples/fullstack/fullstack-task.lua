-- A task is a future with a running function behind it: waiting for it gives what it returned.
-- In asyncio: create_task, await task.
local lucio = require "lucio"

local function example()
  lucio.sleep(1)
  return "Task result"
end

local function main()
  local task = lucio.create_task(example)
  print(task:await())
end

lucio.run(main)
