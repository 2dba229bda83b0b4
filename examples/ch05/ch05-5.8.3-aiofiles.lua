-- Three files are written at the same time, then read at the same time. The calls wait, threads do
-- the work; `<close>` writes out and closes the file at the end of its block.
-- In asyncio: the package aiofiles, async with aiofiles.open(path) as f, gather.
local lucio = require "lucio"

local fs = lucio.fs

local function read_file(dir, name)
  local f <close> = fs.open(dir .. "/" .. name, "r")
  local contents = f:read()
  print(("Содержимое %s:\n%s\n"):format(name, contents))
end

local function write_file(dir, name, content)
  local f <close> = fs.open(dir .. "/" .. name, "w")
  f:write(content)
  print(("Записано в %s"):format(name))
end

local function main()
  local dir <close> = fs.tempdir()
  lucio.gather(
    lucio.async(write_file)(dir.path, "file1.txt", "Содержимое файла 1"),
    lucio.async(write_file)(dir.path, "file2.txt", "Содержимое файла 2"),
    lucio.async(write_file)(dir.path, "file3.txt", "Содержимое файла 3")
  )
  lucio.gather(
    lucio.async(read_file)(dir.path, "file1.txt"),
    lucio.async(read_file)(dir.path, "file2.txt"),
    lucio.async(read_file)(dir.path, "file3.txt")
  )
end

lucio.run(main)
