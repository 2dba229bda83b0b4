-- Blocking functions in a thread pool: they run beside each other, the results come in the order
-- of the arguments. Which thread gets how far in the meantime is open.
-- In asyncio: loop.run_in_executor, ThreadPoolExecutor, gather.
local lucio = require "lucio"

local function blocking_io(n)
  print("Начало блокирующей операции " .. n)
  local result = 0
  for i = 0, n - 1 do result = result + i end
  print("Завершение блокирующей операции " .. n)
  return result
end

local function main()
  local loop = lucio.get_running_loop()
  local pool <close> = lucio.ThreadPoolExecutor()
  local results = lucio.gather(
    loop:run_in_executor(pool, blocking_io, 1000000),
    loop:run_in_executor(pool, blocking_io, 2000000),
    loop:run_in_executor(pool, blocking_io, 3000000))
  print("Результаты: [" .. table.concat(results, ", ") .. "]")
end

lucio.run(main)
