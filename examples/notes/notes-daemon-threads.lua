-- At its end a program waits for jobs that threads have begun, but not for those that it has
-- cancelled before: they never start. A job that shall not keep the program alive asks whether
-- it is still wanted.
-- In Python: threads keep the program alive unless they are daemons.
local lucio = require "lucio"

local function background(started)
  started.value = true
  while not lucio.worker.cancelled() do os.execute("sleep 0.01") end
  print("фоновый поток: больше не нужен")
end

local function important(started, main_ended)
  started.value = true
  repeat os.execute("sleep 0.01") until main_ended.value
  print("обычный поток: дело сделано")
end

lucio.run(function()
  local loop = lucio.get_running_loop()
  local daemon = lucio.ThreadPoolExecutor{max_workers = 1}
  local running = lucio.shared.Value("bool")
  local job = daemon:submit(background, running)
  local never = daemon:submit(print, "этого никто не увидит")
  never:cancel()

  local started, ended = lucio.shared.Value("bool"), lucio.shared.Value("bool")
  loop:run_in_executor(nil, important, started, ended)
  while not (running.value and started.value) do lucio.to_thread(type, nil) end
  job:cancel()
  daemon:shutdown()
  print("главная задача кончилась")
  ended.value = true
end)
print("программа кончилась")
