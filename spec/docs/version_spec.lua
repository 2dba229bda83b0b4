-- The version is the same wherever it stands.
local assert = require "luassert"

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

local version = read("meson.build"):match("\n  version: '([%d.]+)'")

describe("the version of meson.build", function()
  it("is that of lucio.h, whole and in parts", function()
    local header = read("host/include/lucio.h")
    assert.are.equal(version, header:match('#define LUCIO_VERSION +"([^"]+)"'))
    local parts = {}
    for _, name in ipairs{"MAJOR", "MINOR", "PATCH"} do
      parts[#parts + 1] = header:match("#define LUCIO_VERSION_" .. name .. " (%d+)\n")
    end
    assert.are.equal(version, table.concat(parts, "."))
  end)

  it("is that of the first section of CHANGELOG.md", function()
    assert.are.equal(version, read("CHANGELOG.md"):match("\n## [^\n]-(%d+%.%d+%.%d+)"))
  end)

  it("is that of the Debian packages", function()
    assert.are.equal(version, read("script/debian/changelog"):match("^lucio %(([%d.]+)%)"))
  end)

  it("has the number that the library's soname and its package have", function()
    local control = read("script/debian/control")
    assert.matches("\nPackage: liblucio" .. version:match("^%d+") .. "\n", control, 1, true)
  end)
end)
