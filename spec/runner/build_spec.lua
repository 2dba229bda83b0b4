local process = require "spec.support.process"

-- A project whose build depends on a package that may or may not be there.
local MESON = [[
project('probe', meson_version: '>=1.0')
found = dependency('lucio-probe', required: false).found()
configure_file(output: 'found', configuration: {'FOUND': found ? 'yes' : 'no'}, output_format: 'c')
]]
local PC = "Name: lucio-probe\nDescription: probe\nVersion: 1\n"

describe("build_project of script/lib.sh", function()
  local directory

  before_each(function() directory = process.lines("mktemp -d")[1] end)
  after_each(function() os.execute("rm -rf '" .. directory .. "'") end)

  local function write(name, text)
    local file <close> = assert(io.open(directory .. "/" .. name, "w"))
    file:write(text)
  end

  local function built()
    local r = process.run({"bash", "-c", "root=" .. directory .. " && . script/lib.sh && " ..
      "build_project " .. directory .. "/build"},
      {env = {PKG_CONFIG_PATH = directory .. "/packages"}, timeout = 120})
    assert.are.same({"", 0}, {r.stderr, r.status})
    return process.read_file(directory .. "/build/found"):match("FOUND (%a+)")
  end

  it("configures again when a package has come or gone", function()
    write("meson.build", MESON)
    os.execute("mkdir '" .. directory .. "/packages'")
    assert.are.equal("no", built())
    write("packages/lucio-probe.pc", PC)
    assert.are.equal("yes", built())
    assert.are.equal("yes", built())
    os.remove(directory .. "/packages/lucio-probe.pc")
    assert.are.equal("no", built())
  end)
end)
