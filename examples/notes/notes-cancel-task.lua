-- cancel only asks: CancelledError is raised in the task where it waits, or at its next wait if it
-- is running. Plain code runs on until there, clean-up in <close> runs as the error unwinds, and
-- who awaits the task sees the cancellation.
-- In asyncio: Task.cancel, CancelledError, Task.cancelled.
local lucio = require "lucio"

local function cleanup(name)
  return setmetatable({}, {__close = function() print(name .. ": прибираю за собой") end})
end

local function sleeper()
  local _ <close> = cleanup("спящая")
  lucio.sleep(10)
  print("спящая: сюда не дойдёт")
end

local function busy()
  local _ <close> = cleanup("занятая")
  lucio.sleep(1)
  print("занятая: отменяю сама себя")
  lucio.current_task():cancel()
  print("занятая: обычный код выполняется дальше")
  lucio.sleep(1)
  print("занятая: сюда не дойдёт")
end

local function outcome(name, task)
  local ok, err = pcall(task.await, task) -- Lua's own pcall catches CancelledError
  assert(not ok)
  print(("%s: %s, отменена: %s"):format(name, err.name, task:cancelled()))
end

local function main()
  local first = lucio.create_task(sleeper)
  lucio.sleep(1)
  print("отмена принята: " .. tostring(first:cancel()))
  print("уже отменена: " .. tostring(first:cancelled()))
  outcome("спящая", first)
  print("вторая отмена: " .. tostring(first:cancel()))

  outcome("занятая", lucio.create_task(busy))
end

lucio.run(main)
