-- One program on different implementations of the loop: libev can poll with epoll, poll or
-- select. The order of events is lucio's own, so the program and its output stay the same.
-- In asyncio: another event loop (uvloop.install, a loop factory).
local lucio = require "lucio"

local BACKENDS = {"epoll", "poll", "select"}

local function program()
  local lines = {}
  local function log(...) table.insert(lines, table.concat({...}, " ")) end

  local queue = lucio.Queue(1)
  do
    local tg <close> = lucio.TaskGroup()
    tg:create_task(function()
      for i = 1, 3 do
        lucio.sleep(0.1)
        queue:put(i)
        log("положено", i)
      end
      queue:shutdown()
    end)
    tg:create_task(function()
      for _, item in queue:items() do log("взято", item) end
    end)
    for i = 1, 3 do
      tg:create_task(function()
        lucio.sleep(0.25) -- equal deadlines: order of creation
        log("таймер", i)
      end)
    end
  end
  return lines
end

local function main()
  return lucio.get_running_loop().backend, program()
end

local first
for _, name in ipairs(BACKENDS) do
  local runner <close> = lucio.Runner{backend = name}
  local backend, lines = runner:run(main)
  if not first then
    first = lines
    print(table.concat(lines, "\n"))
  end
  local same = table.concat(lines, "\n") == table.concat(first, "\n")
  print(("%s: тот же вывод: %s"):format(backend, same))
end
