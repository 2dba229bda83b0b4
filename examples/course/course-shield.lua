-- shield keeps a task alive while the future that stands for it is cancelled. The task is
-- cancelled all the same when main returns, because lucio.run then cancels what is left; it
-- survives that only by catching CancelledError and going on. lucio.run waits until it has really
-- ended.
-- In asyncio: shield, cancel, CancelledError.
local lucio = require "lucio"

local function shielded_task()
  print("Shielded task started")
  local ok, err = pcall(lucio.sleep, 3)
  if ok then
    print("Shielded task completed")
    return "Shielded result"
  elseif not lucio.isinstance(err, lucio.CancelledError) then
    error(err, 0)
  end
  print("Shielded task was cancelled, but will continue")
  lucio.sleep(2)
  print("Shielded task completed after cancellation")
  return "Delayed result"
end

local function main()
  local shield = lucio.shield(shielded_task)
  local task = lucio.create_task(shield)

  lucio.sleep(1)
  task:cancel() -- cancels the future it waits for, not the task inside

  local ok, result = pcall(shield.await, shield)
  if ok then
    print("Shield result: " .. result)
  elseif lucio.isinstance(result, lucio.CancelledError) then
    print("Shield was cancelled")
  else
    error(result, 0)
  end
end

lucio.run(main)
