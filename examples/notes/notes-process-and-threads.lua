-- One process, several threads, each with a name; all have the process's id. A thread is a Lua
-- state of its own: it gets a copy of a variable, and shares only what is shared memory.
-- In Python: os.getpid, threading.get_ident.
local lucio = require "lucio"

local function process_id()
  local file <close> = assert(io.open("/proc/self/stat"))
  return file:read("n")
end

lucio.run(function()
  local pool <close> = lucio.ThreadPoolExecutor{max_workers = 2, name = "поток"}
  local variable, shared = 1, lucio.shared.Value("i64", 1)
  local both = lucio.shared.Value("i64", 0)

  local function job()
    both:add(1)
    while both.value < 2 do end -- luacheck: ignore 542
    variable = variable + 1
    shared:add(1)
    return {name = lucio.worker.name, pid = process_id(), variable = variable}
  end

  local jobs = lucio.gather(pool:submit(job), pool:submit(job))
  table.sort(jobs, function(a, b) return a.name < b.name end)
  for _, info in ipairs(jobs) do
    print(("%s: тот же процесс: %s, переменная %d"):format(info.name,
      tostring(info.pid == process_id()), info.variable))
  end
  print(("главный поток: переменная %d, общая память %d"):format(variable, shared.value))
end)
