-- The simplest way to wait for a blocking function: to_thread calls it in another thread with
-- the arguments given, the loop goes on, and what the function returns is returned.
-- In asyncio: to_thread.
local lucio = require "lucio"

local function blocking(name, seconds)
  os.execute("sleep " .. seconds)
  return "готово: " .. name, lucio.worker ~= nil
end

lucio.run(function()
  local ticks = 0
  local ticker = lucio.create_task(function()
    while true do
      ticks = ticks + 1
      lucio.sleep(0.01)
    end
  end)
  print(lucio.to_thread(blocking, "отчёт", 0.3))
  print("Цикл отвечал всё это время: " .. tostring(ticks > 3))
  ticker:cancel()
end)
