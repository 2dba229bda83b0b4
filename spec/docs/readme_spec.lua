-- The example of the README runs as it stands there and prints what the README says, and its tour
-- of the sources names every file.
local assert = require "luassert"
local child = require "spec.support.child"

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

-- The text of the first block of that language.
local function block(page, language)
  return assert(page:match("\n```" .. language .. "\n(.-)```\n"), "no block of " .. language)
end

-- The section under that heading, up to the next heading.
local function section(page, heading)
  local from = assert(select(2, page:find("\n### " .. heading .. "\n", 1, true)), heading)
  return page:sub(from, (page:find("\n##", from) or #page))
end

-- Names as the table's first column gives them: `x.c` `.h` stands for x.c and x.h.
local function named(text)
  local names = {}
  for cell in text:gmatch("\n| (`[^|]+) |") do
    local last
    for name in cell:gmatch("`([^`]+)`") do
      if name:sub(1, 1) == "." then name = last:gsub("%.c$", "") .. name end
      names[#names + 1], last = name, name
    end
  end
  table.sort(names)
  return names
end

local function sources(directory)
  local names = {}
  local depth = directory == "lua/" and 9 or 1
  local listing <close> = assert(io.popen(
    ("find %s -maxdepth %d -printf '%%P\\n'"):format(directory, depth)))
  for name in listing:lines() do
    if name:find("%.[ch]$") or name:find("%.lua$") then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

describe("README.md", function()
  it("shows an example that prints what it says", function()
    local page = read("README.md")
    local r = child.run(block(page, "lua"))
    assert.are.same({block(page, "text"), "", 0}, {r.stdout, r.stderr, r.status})
  end)

  for _, directory in ipairs {
    "host/", "bindings/core/", "bindings/embed/", "bindings/process/", "bindings/sandbox/",
    "bindings/stream/",
    "bindings/log/", "bindings/repl/", "bindings/testing/", "bindings/tls/", "lua/",
  } do
    it("names every file of " .. directory, function()
      assert.are.same(sources(directory), named(section(read("README.md"), directory)))
    end)
  end

  it("links to files that exist", function()
    local missing = {}
    for path in read("README.md"):gmatch("%]%(([%w_/.]+)%)") do
      local file = io.open(path)
      if file then file:close() else missing[#missing + 1] = path end
    end
    assert.are.same({}, missing)
  end)
end)
