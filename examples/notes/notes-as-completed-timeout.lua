-- The time limit of as_completed ends the loop with TimeoutError and nothing else: the tasks that
-- are left run on in the background, until somebody cancels them or they end.
-- In asyncio: as_completed(timeout=), TimeoutError, all_tasks.
local lucio = require "lucio"

local function fetch(name, delay)
  lucio.sleep(delay)
  print(("  %s закончила"):format(name))
  return name
end

local function main()
  local tasks = {
    lucio.create_task{fetch, "первая", 1, name = "первая"},
    lucio.create_task{fetch, "вторая", 3, name = "вторая"},
    lucio.create_task{fetch, "третья", 9, name = "третья"},
  }

  local ok, err = lucio.pcall(function()
    for task in lucio.as_completed(tasks, {timeout = 2}) do
      print("Получено: " .. task:result())
    end
  end)
  if ok or not lucio.isinstance(err, lucio.TimeoutError) then error(err, 0) end

  print("Время вышло, но в фоне работают:")
  for _, task in ipairs(lucio.all_tasks()) do
    if task ~= lucio.current_task() then print("  " .. task:get_name()) end
  end
  print("Вторую дождёмся: " .. tasks[2]:await())
  tasks[3]:cancel()
  lucio.wait{tasks[3]}
  print("Третью отменили: " .. tostring(tasks[3]:cancelled()))
end

lucio.run(main)
