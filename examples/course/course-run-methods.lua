-- Four ways to run coroutines: a plain call under lucio.run, a task, gather, and wait with a time
-- limit. A task starts in the next iteration of the loop, so "Doing other work..." comes first;
-- wait cancels nothing, so the unfinished task is cancelled by hand.
-- In asyncio: asyncio.run, create_task, gather, wait(timeout, FIRST_COMPLETED).
local lucio = require "lucio"

local function coroutine_1()
  print("Coroutine 1 started")
  lucio.sleep(1)
  print("Coroutine 1 completed")
  return "Result from coroutine 1"
end

local function coroutine_2()
  print("Coroutine 2 started")
  lucio.sleep(0.5)
  print("Coroutine 2 completed")
  return "Result from coroutine 2"
end

-- Method 1: a plain call waits for the result.
local function demo_run()
  print(coroutine_1())
end

-- Method 2: a task runs beside its creator.
local function demo_create_task()
  local task = lucio.create_task(coroutine_1)
  print("Doing other work...")
  print(task:await())
end

-- Method 3: gather runs several and returns all results.
local function demo_gather()
  local results = lucio.gather{coroutine_1, coroutine_2, return_exceptions = true}
  print("All results: ['" .. table.concat(results, "', '") .. "']")
end

-- Method 4: wait returns what is done when the first one ends, or when the time is over.
local function demo_wait()
  local tasks = {lucio.create_task(coroutine_1), lucio.create_task(coroutine_2)}
  local done, pending = lucio.wait(tasks, {
    timeout = 0.7,
    return_when = lucio.FIRST_COMPLETED,
  })
  print("Done tasks: " .. #done)
  print("Pending tasks: " .. #pending)

  for _, task in ipairs(pending) do task:cancel() end
  lucio.gather{return_exceptions = true, table.unpack(pending)}
end

lucio.run(demo_run)
lucio.run(demo_create_task)
lucio.run(demo_gather)
lucio.run(demo_wait)
