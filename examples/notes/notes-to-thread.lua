-- The simplest way to wait for a blocking function: to_thread calls it in another thread with
-- the arguments given, the loop goes on, and what the function returns is returned.
-- In asyncio: to_thread.
local lucio = require "lucio"

-- Blocks its thread at least until the loop has counted to four.
local function blocking(name, seconds, ticks)
  repeat os.execute("sleep " .. seconds) until ticks.value > 3
  return "готово: " .. name, lucio.worker ~= nil
end

lucio.run(function()
  local ticks = lucio.shared.Value("i64", 0)
  local ticker = lucio.create_task(function()
    while true do
      ticks:add(1)
      lucio.sleep(0.01)
    end
  end)
  print(lucio.to_thread(blocking, "отчёт", 0.3, ticks))
  print("Цикл отвечал всё это время: " .. tostring(ticks.value > 3))
  ticker:cancel()
end)
