-- A file as a resource: `<close>` writes out and closes it, also when an error leaves the block.
-- In asyncio: async with aiofiles.open(path, mode="w") as f.
local lucio = require "lucio"

local fs = lucio.fs

local function write_file(dir, name, content)
  do
    local f <close> = fs.open(dir .. "/" .. name, "w")
    f:write(content)
  end
  print(("Записано в %s"):format(name))
end

local function main()
  local dir <close> = fs.tempdir()
  write_file(dir.path, "output.txt", "Привет, асинхронность!")
end

lucio.run(main)
