-- wait gives two lists, done and pending, and leaves everything else to the caller: it raises no
-- error of a task, its time limit raises nothing and cancels nothing. return_when tells what to
-- wait for. In asyncio: wait, FIRST_COMPLETED, FIRST_EXCEPTION, ALL_COMPLETED, timeout.
local lucio = require "lucio"

local function work(delay, fail)
  lucio.sleep(delay)
  if fail then error(lucio.ValueError("ошибка через " .. delay .. " с")) end
  return delay
end

local function start()
  return {
    lucio.create_task(work, 1),
    lucio.create_task(work, 2, true),
    lucio.create_task(work, 3),
  }
end

local function show(title, done, pending)
  print(("%s: готово %d, не готово %d"):format(title, #done, #pending))
  for _, task in ipairs(done) do
    local err = task:exception()
    if err then
      print("  " .. tostring(err))
    else
      print("  результат " .. task:result())
    end
  end
end

local function main()
  for _, case in ipairs{
    {"FIRST_COMPLETED", {return_when = lucio.FIRST_COMPLETED}},
    {"FIRST_EXCEPTION", {return_when = lucio.FIRST_EXCEPTION}},
    {"ALL_COMPLETED", {return_when = lucio.ALL_COMPLETED}},
    {"timeout = 0.5", {timeout = 0.5}},
  } do
    local tasks = start()
    local done, pending = lucio.wait(tasks, case[2])
    show(case[1], done, pending)
    if #pending > 0 then
      assert(pending:has(tasks[3]) and not tasks[3]:done()) -- nothing was cancelled
      for _, task in ipairs(pending) do task:cancel() end
      lucio.wait(pending)
    end
  end
end

lucio.run(main)
