-- Permissions while another process swaps a directory and a link that leads out:
-- docs/api/permissions.md.
local assert = require "luassert"
local command = require "spec.cli.command"

-- Puts a directory and a link to the outside into the place of each other, until told to stop.
local SWAP = [[
local D, begun = arg[1], false
for _ = 1, 300000 do
  os.rename(D .. "/in/directory", D .. "/in/spot")
  os.rename(D .. "/in/spot", D .. "/in/directory")
  os.rename(D .. "/in/link", D .. "/in/spot")
  os.rename(D .. "/in/spot", D .. "/in/link")
  if not begun then print("begun") io.stdout:flush() end
  begun = true
  local stop = io.open(D .. "/stop")
  if stop then break end
end
]]

-- Uses what is in that place. What was read or listed outside is printed.
local USE = [[
local lucio = require "lucio"
local fs, D = lucio.fs, arg[1]
local spot = D .. "/in/spot"
local function try(f, ...)
  local ok, value = pcall(f, ...)
  return ok and value
end
-- Many at once: they are decided together, and done one after the other.
local function use(i)
  if try(fs.read_file, spot .. "/file") == "outside" then print("read") end
  for _, name in ipairs(try(fs.listdir, spot) or {}) do
    if name == "victim" then print("listed") end
  end
  if try(fs.stat, spot .. "/victim") then print("stat") end
  if (try(fs.realpath, spot) or ""):find("/out") then print("realpath") end
  try(fs.write_file, spot .. "/made", "x")
  try(fs.write_file, spot .. "/atomic", "x", {atomic = true})
  try(fs.write_file, spot .. "/file", "inside", {append = true})
  try(fs.mkdir, spot .. "/directory")
  try(fs.mkdir, spot .. "/more/and/more", {parents = true})
  try(fs.remove, spot .. "/victim")
  try(fs.rmtree, spot .. "/tree")
  try(fs.rename, D .. "/in/file", spot .. "/renamed")
  try(fs.rename, spot .. "/renamed", D .. "/in/file")
  try(fs.copy, D .. "/in/file", spot .. "/copied")
  try(fs.chmod, spot .. "/file", 384 + i % 2 * 36)
  local file = try(fs.open, spot .. "/opened", "w")
  if file then file:close() end
end
for round = 1, 8 do
  local tasks = {}
  for i = 1, 50 do tasks[i] = lucio.create_task(use, i) end
  lucio.gather(tasks)
end
print("done")
]]

-- The same by Lua's own functions, one at a time.
local USE_LUA = [[
local D = arg[1]
local spot = D .. "/in/spot"
package.path = spot .. "/?.lua"
package.cpath = ""
local function try(f, ...)
  local ok, value = pcall(f, ...)
  return ok and value
end
local function check(name, value)
  if value == "outside" then print(name) end
end
local function read_all(file)
  local text = file and file:read("a")
  if file then file:close() end
  return text
end
local deadline = os.time() + 5 -- on a busy machine fewer rounds do
for round = 1, 1500 do
  if os.time() > deadline then break end
  check("open", read_all(try(io.open, spot .. "/file")))
  check("open r+", read_all(try(io.open, spot .. "/file", "r+")))
  for _, mode in ipairs{"w", "a", "w+", "a+"} do
    local file = try(io.open, spot .. "/made", mode)
    if file then file:close() end
  end
  local lines = try(io.lines, spot .. "/file", "a")
  if lines then check("lines", lines()) end
  if try(io.input, spot .. "/file") then check("input", read_all(io.input())) end
  local output = try(io.output, spot .. "/output")
  if output then output:close() end
  io.output(io.stdout)
  local chunk = try(loadfile, spot .. "/module.lua")
  if chunk then check("loadfile", chunk()) end
  check("dofile", try(dofile, spot .. "/module.lua"))
  check("require", try(require, "module"))
  package.loaded.module = nil
  try(os.remove, spot .. "/victim")
  try(os.rename, D .. "/in/file", spot .. "/renamed")
  try(os.rename, spot .. "/renamed", D .. "/in/file")
  try(os.rename, spot .. "/victim", D .. "/in/victim")
end
print("done")
]]

local function shell(format, ...)
  local words = {...}
  for i, word in ipairs(words) do words[i] = command.quote(word) end
  assert(os.execute(format:format(table.unpack(words))))
end

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
end

describe("permissions", function()
  local D

  before_each(function()
    local pipe <close> = io.popen("mktemp -d")
    D = pipe:read("l")
    shell("mkdir -p %s/in/directory %s/out/tree/below", D, D)
    shell("ln -s %s/out %s/in/link", D, D)
    write(D .. "/in/file", "inside")
    write(D .. "/in/directory/file", "inside")
    write(D .. "/out/file", "outside")
    write(D .. "/out/victim", "outside")
    write(D .. "/in/directory/module.lua", "return 'inside'")
    write(D .. "/out/module.lua", "return 'outside'")
    write(D .. "/swap.lua", SWAP)
  end)

  after_each(function()
    write(D .. "/stop", "")
    shell("rm -rf %s", D)
  end)

  -- Runs the script while the swapping goes on: nothing outside is seen, nothing there is changed.
  local function holds_for(script)
    local swap = io.popen(("%s %s %s"):format(command.quote(command.path),
      command.quote(D .. "/swap.lua"), command.quote(D)))
    assert.are.equal("begun", swap:read("l"))
    write(D .. "/in/use.lua", script) -- the directory of the script is where require may read
    local result = command.run {"--allow-read=" .. D .. "/in", "--allow-write=" .. D .. "/in",
      D .. "/in/use.lua", D}
    write(D .. "/stop", "")
    swap:close()
    assert.are.equal("", result.err)
    assert.are.equal("done\n", result.out)
    local pipe <close> = io.popen("cd " .. command.quote(D) ..
      "/out && find . | sort && cat file && stat -c %a file")
    local umask <close> = io.popen("umask")
    local mode = tonumber("666", 8) & ~tonumber(umask:read("l"), 8)
    assert.are.equal(".\n./file\n./module.lua\n./tree\n./tree/below\n./victim\noutside"
      .. ("%o\n"):format(mode), pipe:read("a"))
  end

  it("of lucio.fs hold for where a path led when it was permitted, whatever is swapped since",
    function() holds_for(USE) end)

  it("of Lua's own functions do so too", function() holds_for(USE_LUA) end)
end)
