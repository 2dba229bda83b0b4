-- A blocking call in a task stops the heart of the loop; moved to a thread, it does not.
-- In asyncio: to_thread.
local lucio = require "lucio"

local function blocking()
  os.execute("sleep 0.3")
end

local function beats_during(fn)
  local beats = 0
  local heart = lucio.create_task(function()
    while true do
      lucio.sleep(0.02)
      beats = beats + 1
    end
  end)
  lucio.sleep(0)
  fn()
  heart:cancel()
  return beats
end

lucio.run(function()
  print("Ударов при вызове в задаче: " .. beats_during(blocking))
  local beats = beats_during(function() lucio.to_thread(blocking) end)
  print("При вызове в потоке сердце билось: " .. tostring(beats > 2))
end)
