-- Lua's own functions for files where a list permits the paths: they do what Lua's do.
local assert = require "luassert"
local command = require "spec.cli.command"

local SCRIPT = [==[
local D = arg[1]
local function show(...) print(...) end
local function try(f, ...)
  local r = table.pack(pcall(f, ...))
  for i = 1, r.n do
    if io.type(r[i]) then r[i] = io.type(r[i]) end
    if type(r[i]) == "function" then r[i] = "function" end
    r[i] = tostring(r[i]):gsub("0x%x+", "ADDR")
  end
  print(table.unpack(r, 1, r.n))
end
local f = assert(io.open(D .. "/a", "w"))
show(f:write("one\ntwo\n3 4"), f:seek("cur"), f:close())
try(f.write, f, "x")
print(pcall(tostring, f))
local MODES = {"r", "rb", "r+", "r+b", "w", "w+", "a", "a+", "a+b", "x", "", "rw", "rt", "r+w"}
for _, mode in ipairs(MODES) do
  try(io.open, D .. "/b", mode)
  local ok, file = pcall(io.open, D .. "/b", mode)
  if ok and file then
    print(mode, file:write("text"), file:flush(), file:seek("set"), file:read("a"), file:close())
  end
end
for line in io.lines(D .. "/a") do print(line) end
for a, b in io.lines(D .. "/a", 1, "l") do print(a, b) end
for n in io.lines(D .. "/a", "n") do print(n) end
local it, x, y, file = io.lines(D .. "/a", "L")
print(type(it), x, y, io.type(file))
while it() do end
print(io.type(file))
try(it)
try(io.lines, D .. "/none")
try(io.lines, D .. "/a", "q")
try(function() for _ in io.lines(D .. "/a", "q") do end end)
try(io.open, D .. "/none")
try(io.open, D .. "/none/x", "w")
try(io.open, D)
try(io.open, D, "w")
try(io.open, D .. "/a/")
try(io.open, D .. "/a/", "w")
try(io.open, D .. "/new/", "w")
try(io.open, D .. "/")
try(io.open, D .. "/.", "w")
try(io.lines, D)
try(function() for _ in io.lines(D) do end end)
try(io.input, D .. "/a")
print(io.read("l", "n"))
print(io.input():close())
try(io.input, D .. "/none")
try(io.output, D .. "/out")
io.write("to out", 5)
print(io.output():close())
io.output(io.stdout)
try(io.output, D .. "/none/x")
print(io.open(D .. "/out"):read("a"))
do local g <close> = io.open(D .. "/a"); f = g end
print(io.type(f))
try(io.open)
try(io.open, {})
try(io.open, D .. "/a", 5)
-- code
local function write(name, text) local h <close> = io.open(D .. "/" .. name, "wb") h:write(text) end
write("c.lua", "return ...")
write("comment.lua", "#!/bin/sh\nreturn debug.traceback('x'), ...")
write("only.lua", "#!/bin/sh")
write("empty.lua", "")
write("mark.lua", "\xEF\xBB\xBFreturn 'mark'")
write("mark2.lua", "\xEF\xBB\xBF#comment\nreturn 'mark2'")
write("part.lua", "\xEF\xBBreturn 1")
write("bad.lua", "x = = 1")
write("env.lua", "return y")
write("raise.lua", "error('from a file')")
write("long.lua", "return '" .. ("x"):rep(100000) .. "'")
for _, name in ipairs{"c", "comment", "only", "empty", "mark", "mark2", "part", "bad", "raise"} do
  try(loadfile, D .. "/" .. name .. ".lua")
  try(dofile, D .. "/" .. name .. ".lua")
end
try(loadfile, D .. "/none.lua")
try(dofile, D .. "/none.lua")
try(loadfile, D)
try(dofile, D)
try(loadfile(D .. "/env.lua", "t", {y = 7}))
try(loadfile(D .. "/env.lua", "t", nil))
try(loadfile(D .. "/env.lua"))
print(#dofile(D .. "/long.lua"))
package.cpath = ""
package.path = D .. "/?.lua;" .. D .. "/none/?.lua"
print(require "c")
try(require, "bad")
try(require, "raise")
try(require, "nowhere")
print(package.searchpath("c", package.path))
print(package.searchpath("d", package.path))
-- entries
try(os.rename, D .. "/a", D .. "/moved")
try(os.rename, D .. "/a", D .. "/moved")
try(os.rename, D .. "/moved/", D .. "/x")
try(os.rename, D .. "/moved", D .. "/none/x")
try(os.remove, D .. "/moved/")
try(os.remove, D .. "/moved")
try(os.remove, D .. "/moved")
try(os.remove, D .. "/directory")
try(os.remove, D .. "/full/")
try(os.remove, D .. "/link")
]==]

describe("files that a list permits", function()
  -- What the script prints in a directory of its own.
  local function run(allow)
    local pipe <close> = io.popen("mktemp -d")
    local dir = pipe:read("l")
    local quoted = command.quote(dir)
    assert(os.execute(("cd %s && mkdir directory full full/x && ln -s full link"):format(quoted)))
    local argv = {"SCRIPT", dir, script = SCRIPT}
    for i, kind in ipairs(allow) do
      table.insert(argv, i, ("--allow-%s=%s"):format(kind, dir))
    end
    local result = command.run(argv)
    os.execute("rm -rf " .. quoted)
    local function plain(path) return (path:gsub("%p", "%%%0")) end
    return ((result.out .. result.err):gsub(plain(dir), "DIR")
      :gsub(plain(result.script), "SCRIPT"))
  end

  it("are opened, run, renamed and removed with Lua's own results and messages", function()
    local expected = run {}
    assert.matches("function\tnil\tnil\tfile", expected, 1, true)
    assert.are.equal(expected, run {"read", "write"})
  end)
end)
