-- Pitfall: a handler that swallows CancelledError keeps the task from being cancelled. The right
-- handler cleans up, which may take time, and raises the error again. It needs Lua's own pcall:
-- lucio.pcall does not catch a cancellation in the first place.
-- In asyncio: CancelledError, cleanup in the handler, raise.
local lucio = require "lucio"

local function do_work()
  print("working")
  lucio.sleep(0.2)
end

local function cleanup()
  print("cleanup started")
  lucio.sleep(0.1)
  print("cleanup finished")
end

local function cancellation_aware()
  local _, err = pcall(function()
    while true do do_work() end
  end)
  if lucio.isinstance(err, lucio.CancelledError) then
    -- wrong: return here, and the task is not cancelled
    cleanup()
  end
  error(err, 0) -- right: pass it on
end

local function main()
  local task = lucio.create_task(cancellation_aware)
  lucio.sleep(0.5)
  task:cancel()
  local _, err = pcall(task.await, task)
  if lucio.isinstance(err, lucio.CancelledError) then
    print("cancelled: " .. (task:cancelled() and "True" or "False"))
  end
end

lucio.run(main)
