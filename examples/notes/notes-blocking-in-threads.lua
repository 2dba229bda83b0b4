-- A blocking call in a task stops the heart of the loop; moved to a thread, it does not.
-- In asyncio: to_thread.
local lucio = require "lucio"

-- Blocks for a while; in a thread until the heart has beaten three times.
local function blocking(beats)
  repeat os.execute("sleep 0.3") until not beats or beats.value > 2
end

local function beats_during(fn)
  local beats = lucio.shared.Value("i64", 0)
  local heart = lucio.create_task(function()
    while true do
      lucio.sleep(0.02)
      beats:add(1)
    end
  end)
  lucio.sleep(0)
  fn(beats)
  heart:cancel()
  return beats.value
end

lucio.run(function()
  print("Ударов при вызове в задаче: " .. beats_during(function() blocking() end))
  local beats = beats_during(function(beats) lucio.to_thread(blocking, beats) end)
  print("При вызове в потоке сердце билось: " .. tostring(beats > 2))
end)
