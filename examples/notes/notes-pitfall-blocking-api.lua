-- A blocking library in a coroutine stops all tasks; the same call through the loop's thread
-- pool does not, and several of them wait at the same time.
-- In asyncio: requests or time.sleep in a coroutine, loop.run_in_executor(None, ...).
local lucio = require "lucio"

local function blocking_get(page)
  os.execute("sleep 0.1")
  return "страница " .. page
end

local function watch(log, fn)
  local other = lucio.create_task(function() log[#log + 1] = "другая задача" end)
  fn()
  log[#log + 1] = "ответ получен"
  other:await()
  print(table.concat(log, ", "))
end

lucio.run(function()
  local loop = lucio.get_running_loop()
  print("Прямо в сопрограмме:")
  watch({}, function() blocking_get(1) end)
  print("Через пул потоков:")
  watch({}, function() loop:run_in_executor(nil, blocking_get, 2):await() end)
  local jobs = {}
  for i = 1, 3 do jobs[i] = loop:run_in_executor(nil, blocking_get, i) end
  print(table.concat(lucio.gather(table.unpack(jobs)), ", "))
end)
