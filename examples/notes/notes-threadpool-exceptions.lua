-- An exception in a pool thread arrives where its result is awaited, with its class, its
-- arguments and the place in the thread.
-- In asyncio: run_in_executor, try/except.
local lucio = require "lucio"

local NoMoney = lucio.exception("NoMoney", lucio.ValueError)

local function pay(sum)
  if sum > 100 then error(NoMoney("не хватает", sum - 100)) end
  return "оплачено " .. sum
end

lucio.run(function()
  local pool <close> = lucio.ThreadPoolExecutor{max_workers = 2, name = "касса"}
  for _, sum in ipairs {50, 130} do
    local ok, result = lucio.pcall(function() return pool:submit(pay, sum):await() end)
    if ok then
      print(result)
    else
      print(result.name, result.message, result.args[2], lucio.isinstance(result, NoMoney))
      print("где: " .. (result.traceback:find("(in worker 'касса_", 1, true) and "в потоке" or "?"))
    end
  end
  local jobs = {pool:submit(pay, 10), pool:submit(pay, 101), return_exceptions = true}
  local results = lucio.gather(jobs)
  print(results[1], tostring(results[2]))
end)
