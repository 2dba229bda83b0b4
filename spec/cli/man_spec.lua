-- lucio(1) has the options of `lucio --help`, the variables that are read, and no other ones.
local assert = require "luassert"
local command = require "spec.cli.command"

local page = command.read_file("docs/man/lucio.1")

local function sorted(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  table.sort(list)
  return list
end

-- The names at the head of the page's items, `.It` lines, marked by that macro.
local function items(macro)
  local found = {}
  for line in page:gmatch("\n%.It ([^\n]+)") do
    for name in (" " .. line):gmatch(" " .. macro .. " ?([^ ]*)") do found[name] = true end
  end
  return found
end

describe("lucio(1)", function()
  it("describes every option of lucio --help, and no other", function()
    local help = {}
    for line in command.run{"--help"}.out:gmatch("\n  (%-[^\n]*)") do
      for word in (line .. "  "):match("^(.-)  "):gmatch("[^, ]+") do
        if word:sub(1, 1) == "-" then help[word:match("^%-([^=%[]*)")] = true end
      end
    end
    assert.is_true(help["-debug"])
    assert.are.same(sorted(help), sorted(items("Fl")))
  end)

  it("describes the commands of lucio --help, and no other", function()
    local help = {}
    for name in command.run{"--help"}.out:gmatch("lucio (%l+) PID") do help[name] = true end
    assert.are.same(sorted(help), sorted(items("Cm")))
  end)

  it("describes every variable of lucio's that is read, and no other", function()
    local read, described = {}, {}
    local listing <close> = assert(io.popen("find host bindings lua -name '*.c' -o -name '*.lua'"))
    for path in listing:lines() do
      for call in command.read_file(path):gmatch("env[_%w]* ?(%(?\"[^\n]*)") do
        local name = call:match("^%(?\"(LUCIO_[%u_]+)\"")
        if name then read[name] = true end
      end
    end
    for name in pairs(items("Ev")) do
      if name:find("^LUCIO_") then described[name] = true end
    end
    assert.is_true(read.LUCIO_DEBUG)
    assert.are.same(sorted(read), sorted(described))
  end)
end)
