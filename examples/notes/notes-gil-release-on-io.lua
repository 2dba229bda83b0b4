-- Threads that block wait at the same time: all five are inside before the first one comes out.
-- In Python: the lock is released during I/O, so threads help there.
local lucio = require "lucio"

local THREADS = 5

lucio.run(function()
  local pool <close> = lucio.ThreadPoolExecutor{max_workers = THREADS}
  local inside = lucio.shared.Value("i64", 0)

  local function blocking(number)
    inside:add(1)
    repeat os.execute("sleep 0.02") until inside.value == THREADS
    return "поток " .. number .. " дождался"
  end

  for _, text in pool:map(blocking, {1, 2, 3, 4, 5}) do print(text) end
  print("Одновременно ждали: " .. inside.value)
end)
