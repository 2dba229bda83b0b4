-- The program as the course prints it. asyncio's create_task accepts coroutines alone and refuses
-- the future that shield made; lucio's takes any awaitable (see course-shield), so asyncio's rule
-- is written out here. main fails, but shield has started the inner task: the end of lucio.run
-- cancels it, it swallows that and finishes two seconds later. The script ends with status 1.
-- In asyncio: shield, create_task, TypeError.
local lucio = require "lucio"

local function create_task(coro)
  if not lucio.iscoroutine(coro) then
    error(lucio.TypeError("a coroutine was expected, got " .. tostring(coro)))
  end
  return lucio.create_task(coro)
end

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
  local task = create_task(shield)

  lucio.sleep(1)
  task:cancel()

  local ok, result = pcall(shield.await, shield)
  if ok then
    print("Shield result: " .. result)
  else
    print("Shield was cancelled")
  end
end

lucio.run(main)
