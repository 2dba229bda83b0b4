-- Thread-local data: the same name, in each thread a table of its own, kept from job to job.
-- In Python: threading.local.
local lucio = require "lucio"

lucio.run(function()
  local data = lucio.thread_local()
  data.user = "главный"

  local function job(user)
    local before = data.user
    data.user = user
    return tostring(before) .. " -> " .. data.user
  end

  local first <close> = lucio.ThreadPoolExecutor{max_workers = 1}
  local second <close> = lucio.ThreadPoolExecutor{max_workers = 1}
  print("первый поток: " .. first:submit(job, "Анна"):await())
  print("второй поток: " .. second:submit(job, "Борис"):await())
  print("первый поток: " .. first:submit(job, "Вера"):await())
  print("главный поток: " .. data.user)
end)
