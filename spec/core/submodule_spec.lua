-- API.md section 2, sub-modules: each is required by its name and a field of lucio, loaded lazily.
local assert = require "luassert"
local child = require "spec.support.child"
local lucio = require "lucio"

local function output(source)
  local r = child.run(source)
  assert.are.same({"", 0}, {r.stderr, r.status})
  return r.stdout
end

describe("a module below lucio", function()
  it("is found by require before lucio is", function()
    assert.are.equal("20\ttrue\ttrue\n", output [[
      local log = require "lucio.log"
      local lucio = require "lucio"
      print(log.INFO, log == lucio.log, log == require "lucio.log")]])
  end)

  it("is found by require after lucio is", function()
    assert.are.equal("20\ttrue\n", output [[
      local lucio = require "lucio"
      local log = require "lucio.log"
      print(log.INFO, log == lucio.log)]])
  end)

  it("is a field of lucio, opened when it is first read", function()
    assert.are.equal("nil\t20\ttrue\ttrue\n", output [[
      local lucio = require "lucio"
      local before = package.loaded["lucio.log"]
      local log = lucio.log
      print(before, log.INFO, log == package.loaded["lucio.log"], log == lucio.log)]])
  end)

  it("is the same by require and by the field", function()
    -- not in the process of Busted, which forgets modules between two spec files
    assert.are.equal("true\n", output [[
      local lucio = require "lucio"
      print(lucio.fs == require "lucio.fs")]])
  end)

  it("needs no files", function()
    assert.are.equal("20\t20\n", output [[
      local lucio = require "lucio"
      package.path, package.cpath = "", ""
      print(lucio.log.INFO, require("lucio.log").INFO)]])
  end)

  it("is no key of the table", function()
    local count, found = 0, rawget(lucio, "log")
    for key in pairs(lucio) do
      count = count + 1
      found = found or key == "log"
    end
    local _ = lucio.log
    for _ in pairs(lucio) do count = count - 1 end
    assert.are.same({0, false}, {count, found or rawget(lucio, "log") ~= nil})
  end)

  it("leaves unknown fields nil, whatever the key", function()
    assert.are.same({}, {lucio.no_such_module, lucio[1], lucio[true], lucio["log.x"], lucio[{}]})
  end)

  it("leaves lucio open for fields of the program", function()
    assert.are.equal("mine\tnil\t20\n", output [[
      local lucio = require "lucio"
      lucio.own = "mine"
      local own = lucio.own
      lucio.own = nil
      print(own, lucio.own, lucio.log.INFO)]])
  end)

  it("has the lines of its source in tracebacks", function()
    local out = output [[
      local log = require "lucio.log"
      local function trace(e) return debug.traceback(e.message) end
      print(select(2, xpcall(log.addLevelName, trace)))]]
    assert.matches("bad argument #1 to 'addLevelName' (integer expected, got nil)", out, 1, true)
    assert.matches("lucio/log/base.lua:%d+: in ", out)
  end)
end)
