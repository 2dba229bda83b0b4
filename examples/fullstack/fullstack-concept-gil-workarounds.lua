-- Ways round a global lock, in Lua: processes, the loop, threads with separate states, and a
-- library in C that works without the interpreter.
-- In Python: multiprocessing, asyncio, libraries with threads of their own, C extensions.
local lucio = require "lucio"

lucio.run(function()
  local loop = lucio.get_running_loop()

  -- another process
  local processes <close> = lucio.ProcessPoolExecutor{max_workers = 1}
  print(processes:submit(function() return "процесс" end):await())

  -- the loop: three waits take the time of one
  local start = loop:time()
  local sleep = lucio.async(lucio.sleep)
  lucio.gather(sleep(1), sleep(1), sleep(1))
  print("цикл: три ожидания за " .. math.floor(loop:time() - start + 0.5) .. " с")

  -- separate states in threads
  local pool <close> = lucio.ThreadPoolExecutor{max_workers = 2}
  for _, x in pool:map(function(n)
    local sum = 0
    for i = 1, n do sum = sum + i end
    return sum
  end, {1000, 2000}) do print("поток: " .. x) end

  -- C does the work: sorting and searching of strings are not slowed by anything
  print("библиотека на C: " .. #string.rep("x", 1000000))
end)
