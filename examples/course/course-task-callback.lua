-- A done callback that traces tasks: it gets the finished task and asks for its outcome, which is
-- a cancellation, an error or a result. The text form of a task tells its state, its name and
-- where its function stands. The cancelled task is reported before the failing one, which still
-- sleeps.
-- In asyncio: add_done_callback, cancelled(), exception(), result().
local lucio = require "lucio"

local function task_callback(task)
  if task:cancelled() then
    print("Task was cancelled: " .. tostring(task))
  elseif task:exception() then
    print("Task raised exception: " .. tostring(task))
  else
    print(("Task completed: %s, result: %s"):format(task, task:result()))
  end
end

local function some_coroutine(outcome)
  lucio.sleep(0.1)
  if outcome == "error" then
    error(lucio.ValueError("Demonstrating exception"))
  end
  return "Result from some_coroutine"
end

local function main()
  local task = lucio.create_task(some_coroutine)
  task:add_done_callback(task_callback)
  task:await()
end

local function other_branches()
  local failing = lucio.create_task(some_coroutine, "error")
  failing:add_done_callback(task_callback)
  local cancelled = lucio.create_task(some_coroutine)
  cancelled:add_done_callback(task_callback)
  lucio.sleep(0)
  cancelled:cancel()
  lucio.gather{failing, cancelled, return_exceptions = true}
end

lucio.run(main)
lucio.run(other_branches)
