-- A counter that threads share, guarded by a lock which a block holds until its end, however it
-- is left.
-- In Python: with lock, threading.
local lucio = require "lucio"

lucio.run(function()
  local counter = lucio.shared.Value("i64", 0)
  local lock = counter:get_lock()
  local pool <close> = lucio.ThreadPoolExecutor{max_workers = 4}

  local function work(times)
    for i = 1, times do
      local _ <close> = counter:get_lock():acquire()
      counter.value = counter.value + 1
      if i == times then error("выход ошибкой освобождает замок", 0) end
    end
  end

  local jobs = {return_exceptions = true}
  for i = 1, 4 do jobs[i] = pool:submit(work, 5000) end
  print(tostring(lucio.gather(jobs)[1]))
  print("Счётчик: " .. counter.value)
  local _ <close> = lock:acquire()
  print("Замок свободен")
end)
