--- What do files cost? `read`: a file of 100 bytes, of 10,000, read whole one after the other
-- (`_seq`) and a hundred at a time (`_many`); `line`: one of two million lines of 16 bytes;
-- `write`: one of a million small writes. Real time, the least of several, as threads do the work.
local lucio = require "lucio"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local fs = lucio.fs

local FILES, AT_ONCE, LINES, WRITES, SAMPLES = 10000, 100, 2000000, 1000000, 3

local function least(name, ops, fn)
  local loop, best = lucio.get_running_loop(), math.huge
  fn()
  for _ = 1, SAMPLES do
    local start = loop:time()
    fn()
    best = math.min(best, loop:time() - start)
  end
  measure.report(name, best * 1e9 / ops)
end

lucio.run(function()
  local dir <close> = fs.tempdir()
  for i = 1, FILES do
    fs.write_file(dir.path .. "/" .. i, ("x"):rep(100))
  end
  least("files_read_seq", FILES, function()
    for i = 1, FILES do
      fs.read_file(dir.path .. "/" .. i)
    end
  end)
  least("files_read_many", FILES, function()
    local next_file = 0
    local readers = {}
    for i = 1, AT_ONCE do
      readers[i] = function()
        while next_file < FILES do
          next_file = next_file + 1
          fs.read_file(dir.path .. "/" .. next_file)
        end
      end
    end
    lucio.gather(readers)
  end)
  local path = dir.path .. "/lines"
  fs.write_file(path, ("fifteen bytes..\n"):rep(LINES))
  least("files_line", LINES, function()
    local file <close> = fs.open(path)
    while file:readline() ~= "" do
    end
  end)
  least("files_write", WRITES, function()
    local file <close> = fs.open(path, "w")
    for _ = 1, WRITES do
      file:write("fifteen bytes..\n")
    end
  end)
end)
