-- A time limit on a task. wait_for cancels the task and waits for its end before it raises
-- TimeoutError, so the task reports its cancellation first. The task catches CancelledError with
-- Lua's own pcall and raises it again; lucio.pcall would let it pass.
-- In asyncio: wait_for, TimeoutError, task.cancel, CancelledError.
local lucio = require "lucio"

local function long_running_task()
  print("Task started")
  local ok, err = pcall(lucio.sleep, 10) -- a long operation
  if not ok then
    if lucio.isinstance(err, lucio.CancelledError) then
      print("Task was cancelled")
    end
    error(err, 0) -- important: pass it on
  end
  print("Task completed")
  return "Task result"
end

local function main()
  local task = lucio.create_task(long_running_task)

  local ok, result = lucio.pcall(lucio.wait_for, task, 2.0)
  if ok then
    print("Got result: " .. result)
  elseif lucio.isinstance(result, lucio.TimeoutError) then
    print("Task took too long, cancelling...")
    task:cancel() -- already done: changes nothing
    local _, err = pcall(task.await, task)
    if lucio.isinstance(err, lucio.CancelledError) then
      print("Task cancellation confirmed")
    end
  else
    error(result, 0)
  end
end

lucio.run(main)
