-- lucio(3) has the functions of lucio.h with their prototypes, and no other ones.
local assert = require "luassert"

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

-- One space between words, none beside a star or inside of parentheses.
local function tidy(text)
  return (text:gsub("%s+", " "):gsub(" ?%* ?", "*"):gsub("%( ", "("):gsub(" $", ""):gsub("^ ", ""))
end

-- "type name(arguments)" of each function that the header exports, by name.
local function declared()
  local text = read("host/include/lucio.h"):gsub("/%*.-%*/", " "):gsub("#[^\n]*", "")
  local found = {}
  for declaration in text:gmatch("LUCIO_API%s+([^;]+);") do
    declaration = tidy(declaration:gsub("__attribute__.*", ""))
    found[declaration:match("([%w_]+)%(")] = declaration
  end
  return found
end

-- The same from the page's .Ft and .Fn lines.
local function described()
  local synopsis = read("docs/man/lucio.3"):match("\n%.Sh SYNOPSIS\n(.-\n)%.Sh")
  local found = {}
  for type_name, name, words in synopsis:gmatch("%.Ft ([^\n]+)\n%.Fn ([%w_]+) ([^\n]+)") do
    local arguments = {}
    for word in words:gsub("^%l+$", '"%0"'):gmatch('"([^"]+)"') do
      arguments[#arguments + 1] = word
    end
    found[name] = tidy(("%s %s(%s)"):format(type_name, name, table.concat(arguments, ", ")))
  end
  return found
end

describe("lucio(3)", function()
  it("gives the prototype of every function of lucio.h, and of no other", function()
    assert.are.same(declared(), described())
  end)

  it("tells every status that a function may return", function()
    local text = read("docs/man/lucio.3")
    local statuses = read("host/include/lucio.h"):match("enum lucio_status {(.-)};")
    for name in statuses:gmatch("(LUCIO_[%u_]+) =") do
      assert.matches("\n.It Dv " .. name .. "\n", text, 1, true)
    end
  end)
end)
