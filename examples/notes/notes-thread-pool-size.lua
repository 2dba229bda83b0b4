-- The same blocking jobs in pools of 1, of processors + 4 (the default) and of very many
-- threads: more threads wait for more jobs at once, but never for more than there are jobs; each
-- thread that is started costs memory and time.
-- In Python: ThreadPoolExecutor(max_workers).
local lucio = require "lucio"

local JOBS = 20

lucio.run(function()
  for _, size in ipairs {1, lucio.cpu_count() + 4, 500} do
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = size}
    local inside, most = lucio.shared.Value("i64"), lucio.shared.Value("i64")
    local function job()
      local now = inside:add(1)
      local before = most.value
      while now > before and not most:compare_exchange(before, now) do before = most.value end
      -- with other threads it waits for the first one of them
      repeat os.execute("sleep 0.01") until size == 1 or most.value > 1
      inside:add(-1)
      return lucio.worker.index
    end
    local numbers = {}
    for i = 1, JOBS do numbers[i] = i end
    local seen, threads = {}, 0
    for _, index in pool:map(job, numbers) do
      if not seen[index] then threads = threads + 1 end
      seen[index] = true
    end
    local name = size == 1 and "1" or size == 500 and "очень много" or "ядра + 4"
    print(("Потоков %s: не больше предела: %s, сразу: %s"):format(name,
      tostring(threads <= size and most.value <= size), most.value > 1 and "несколько" or "один"))
  end
end)
