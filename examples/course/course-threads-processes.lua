-- Computing in worker processes, blocking calls in threads. A file that is read slowly stands for
-- the page that a blocking library fetches; the computation is small enough for an integer.
-- In asyncio: run_in_executor with a ProcessPoolExecutor and with a ThreadPoolExecutor.
local lucio = require "lucio"

local function cpu_intensive_task(n)
  local result = 0
  for i = 0, n * 1000000 - 1 do result = result + i * i end
  return result
end

local function fetch_blocking(delay, path)
  os.execute("sleep " .. delay)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

local function make_page(size)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "w"))
  file:write(("."):rep(size))
  return path
end

local function main()
  local loop = lucio.get_running_loop()
  print("Running CPU-intensive task...")
  do
    local pool <close> = lucio.ProcessPoolExecutor()
    print("CPU task result: " .. loop:run_in_executor(pool, cpu_intensive_task, 1):await())
  end

  print("\nRunning blocking IO task...")
  local pool <close> = lucio.ThreadPoolExecutor()
  local pages = {make_page(1000), make_page(2000)}
  local results = lucio.gather(
    loop:run_in_executor(pool, fetch_blocking, 0.2, pages[1]),
    loop:run_in_executor(pool, fetch_blocking, 0.3, pages[2]))
  local size = #results[1] + #results[2]
  print(("Fetched %d pages, total size: %d bytes"):format(#results, size))
  for _, path in ipairs(pages) do os.remove(path) end
end

local start = os.time()
lucio.run(main)
print(("\nTotal execution time: %.2f seconds"):format(os.time() - start))
