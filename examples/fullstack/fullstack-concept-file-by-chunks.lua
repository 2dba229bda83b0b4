-- A large file by chunks and by lines. Either way only a small part of it is in memory: the file is
-- 20 MB, what Lua holds meanwhile does not reach 2 MB. The other tasks go on: the ticker counts.
-- In asyncio: an asynchronous iterator (__aiter__, __anext__) over aiofiles, a generator of lines.
local lucio = require "lucio"

local fs = lucio.fs

local LINES = 400000
local CHUNK = 64 * 1024
local LIMIT = 2 * 1024 * 1024

local function chunks(file)
  return function()
    local chunk = file:read(CHUNK)
    return chunk ~= "" and chunk or nil
  end
end

-- As a generator that says what each line holds.
local function numbers(path)
  return lucio.generator(function()
    local file <close> = fs.open(path)
    for line in file:lines() do coroutine.yield(tonumber(line:match("%d+"))) end
  end)
end

local function write_large(path)
  local file <close> = fs.open(path, "w")
  for i = 1, LINES do file:write(("line %07d: %s\n"):format(i, ("."):rep(36))) end
end

-- The most that was in use.
local peak
local function watch_memory()
  peak = math.max(peak, collectgarbage("count") * 1024)
end

local function main()
  local dir <close> = fs.tempdir()
  local path = dir.path .. "/large.txt"
  write_large(path)
  print(("размер файла: %d байт"):format(fs.stat(path).size))

  local ticks = 0
  local ticker = lucio.create_task(function()
    while true do
      lucio.sleep(0)
      ticks = ticks + 1
    end
  end)
  collectgarbage()
  local before = collectgarbage("count") * 1024
  peak = before

  local count, bytes = 0, 0
  do
    local file <close> = fs.open(path)
    for chunk in chunks(file) do
      count, bytes = count + 1, bytes + #chunk
      watch_memory()
    end
  end
  print(("по частям: %d частей, %d байт"):format(count, bytes))

  local lines, sum = 0, 0
  for n in numbers(path) do
    lines, sum = lines + 1, sum + n
    if lines % 1000 == 0 then watch_memory() end
  end
  print(("по строкам: %d строк, сумма номеров %d"):format(lines, sum))

  ticker:cancel()
  print(("память постоянна: %s"):format(peak - before < LIMIT))
  print(("другая задача работала: %s"):format(ticks > 0))
end

lucio.run(main)
