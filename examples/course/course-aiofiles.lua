-- Five files are written at the same time, read at the same time, and removed. gather gives the
-- results in the order of its arguments, whichever file was ready first; an error becomes a result.
-- In asyncio: the package aiofiles, gather(*tasks), os.remove.
local lucio = require "lucio"

local fs = lucio.fs

local FILES = 5

local function read_file(dir, name)
  local ok, content = lucio.pcall(function()
    local file <close> = fs.open(dir .. "/" .. name, "r")
    return file:read()
  end)
  return {name, ok and #content or "Error: " .. tostring(content)}
end

local function write_file(dir, name, content)
  local file <close> = fs.open(dir .. "/" .. name, "w")
  file:write(content)
  return {name, #content}
end

local function show(results)
  for _, result in ipairs(results) do print(("  %s: %s bytes"):format(result[1], result[2])) end
end

local function main()
  local dir <close> = fs.tempdir()

  local write_tasks = {}
  for i = 0, FILES - 1 do
    local content = ("This is file %d with some content.\n"):format(i):rep(100)
    write_tasks[#write_tasks + 1] =
      lucio.async(write_file)(dir.path, ("test_file_%d.txt"):format(i), content)
  end
  local write_results = lucio.gather(write_tasks)
  print("Files created:")
  show(write_results)

  local read_tasks = {}
  for i = 0, FILES - 1 do
    read_tasks[#read_tasks + 1] =
      lucio.async(read_file)(dir.path, ("test_file_%d.txt"):format(i))
  end
  local read_results = lucio.gather(read_tasks)
  print("\nFiles read:")
  show(read_results)

  for i = 0, FILES - 1 do fs.remove(("%s/test_file_%d.txt"):format(dir.path, i)) end
  print("\nTest files removed")
end

lucio.run(main)
