-- The end of the program waits for jobs that run in threads, but not for those of a daemon
-- executor: they are stopped where they are, and what no thread has begun never starts.
-- In Python: Thread(daemon=True).
local lucio = require "lucio"

local function background(running)
  running:release()
  while true do os.execute("sleep 0.01") end -- would go on for ever
end

local function important(started, main_ended)
  started:release()
  main_ended:acquire()
  print("обычный поток: дело сделано")
end

lucio.run(function()
  local loop = lucio.get_running_loop()
  local daemon = lucio.ThreadPoolExecutor{max_workers = 1, daemon = true}
  local running, ended = lucio.shared.Semaphore(0), lucio.shared.Semaphore(0)
  daemon:submit(background, running)
  daemon:submit(print, "этого никто не увидит")
  loop:run_in_executor(nil, important, running, ended)
  running:acquire()
  running:acquire()
  print("главная задача кончилась")
  ended:release()
end)
print("программа кончилась, фоновый поток остановлен")
