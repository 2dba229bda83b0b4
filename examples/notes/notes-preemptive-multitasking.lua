-- Threads get interleaved without saying so: both count while the other one does. Tasks of a
-- loop change places only where they wait.
-- In Python: threads against coroutines.
local lucio = require "lucio"

lucio.run(function()
  local trace = {}
  local function task(name)
    for i = 1, 3 do trace[#trace + 1] = name .. i end -- no wait, no change
  end
  lucio.gather(lucio.async(task)("А"), lucio.async(task)("Б"))
  print("Задачи: " .. table.concat(trace, " "))

  local pool <close> = lucio.ThreadPoolExecutor{max_workers = 2}
  local counts = lucio.shared.Array("i64", 2)
  local function thread(me)
    local seen = 0
    -- until the other one was seen to move three times
    while seen < 3 do
      local other = counts[3 - me]
      repeat counts[me] = counts[me] + 1 until counts[3 - me] ~= other or counts[3 - me] < 0
      seen = counts[3 - me] < 0 and 3 or seen + 1
    end
    counts[me] = -1 -- done
    return true
  end
  local moved = lucio.gather(pool:submit(thread, 1), pool:submit(thread, 2))
  print("Потоки чередовались без единой точки ожидания: " .. tostring(moved[1] and moved[2]))
end)
