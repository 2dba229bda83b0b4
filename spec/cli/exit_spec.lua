-- API.md sections 2 and 4: lucio.exit, os.exit and the exit status.
local assert = require "luassert"
local command = require "spec.cli.command"

local script = command.script

local function has(text, part)
  assert.matches(part, text, 1, true)
end

-- A script that leaves a task and a block of its own open and then calls `leave` at top level.
local function unwinding(leave)
  return script([[
    local lucio = require "lucio"
    local function closer(name)
      return setmetatable({}, {__close = function(_, e)
        lucio.sleep(1)
        print(name, e and (e.name or type(e)))
      end})
    end
    lucio.create_task(function()
      local _ <close> = closer("task")
      lucio.sleep(60)
    end)
    lucio.sleep(0)
    local _ <close> = closer("script")
    print("before")
    ]] .. leave .. "\nprint('never')")
end

describe("lucio.exit", function()
  for _, pair in ipairs{
    {"", 0}, {"0", 0}, {"3", 3}, {"255", 255}, {"true", 0}, {"false", 1}, {"nil", 0},
  } do
    it("API 2: with (" .. pair[1] .. ") ends with status " .. pair[2], function()
      local r = script("require('lucio').exit(" .. pair[1] .. ")\nprint('never')")
      assert.are.same({"", "", pair[2]}, {r.out, r.err, r.status})
    end)
  end

  it("API 2: with a text prints it on stderr and ends with 1", function()
    local r = script "require('lucio').exit('no luck')\nprint('never')"
    assert.are.same({"", "no luck\n", 1}, {r.out, r.err, r.status})
  end)

  it("API 2: with anything else is a TypeError", function()
    local r = script [[
      local lucio = require "lucio"
      local ok, e = pcall(lucio.exit, {})
      print(ok, lucio.isinstance(e, lucio.TypeError))]]
    assert.are.same({"false\ttrue\n", 0}, {r.out, r.status})
  end)

  it("API 2: runs the clean-up of the script, then of the tasks", function()
    local r = unwinding "lucio.exit(4)"
    assert.are.same({"before\nscript\tSystemExit\ntask\tCancelledError\n", "", 4},
      {r.out, r.err, r.status})
  end)

  it("API 2: raising SystemExit is the same", function()
    local r = unwinding "error(lucio.SystemExit(5))"
    assert.are.same({"before\nscript\tSystemExit\ntask\tCancelledError\n", "", 5},
      {r.out, r.err, r.status})
  end)

  it("API 4: from another task it leaves the script, which is cleaned up as well", function()
    local r = unwinding "lucio.create_task(function() lucio.exit(6) end) lucio.sleep(60)"
    assert.are.equal(6, r.status)
    assert.are.equal("", r.err)
    assert.matches("^before\n", r.out)
    has(r.out, "script\tCancelledError\n")
    has(r.out, "task\tCancelledError\n")
    assert.is_nil(r.out:find("never", 1, true))
  end)

  it("API 4: from a callback too", function()
    local r = unwinding "lucio.get_running_loop():call_later(1, lucio.exit, 7) lucio.sleep(60)"
    assert.are.equal(7, r.status)
    assert.are.equal("", r.err)
    has(r.out, "script\tCancelledError\n")
    has(r.out, "task\tCancelledError\n")
  end)

  it("API 2: pcall catches it, lucio.pcall does not", function()
    local r = script [[
      local lucio = require "lucio"
      local ok, e = pcall(lucio.exit, 3)
      print(ok, e.name, e.code)
      lucio.pcall(lucio.exit, 4)
      print("never")]]
    assert.are.same({"false\tSystemExit\t3\n", "", 4}, {r.out, r.err, r.status})
  end)

  it("API 4: leaves the innermost run only", function()
    local r = script [[
      local lucio = require "lucio"
      local ok, e = pcall(lucio.run, function()
        lucio.create_task(lucio.exit, 3)
        lucio.sleep(60)
      end)
      print(ok, e.name, e.code)
      lucio.run(lucio.exit, 4)
      print("never")]]
    assert.are.same({"false\tSystemExit\t3\n", "", 4}, {r.out, r.err, r.status})
  end)

  it("API 4: an error of the clean-up takes its place", function()
    local r = script [[
      local lucio = require "lucio"
      local _ <close> = setmetatable({}, {__close = function()
        error(lucio.ValueError("in clean-up"))
      end})
      lucio.exit(4)]]
    assert.are.equal(1, r.status)
    has(r.err, "ValueError: in clean-up")
  end)
end)

describe("os.exit", function()
  for _, pair in ipairs{{"", 0}, {"true", 0}, {"false", 1}, {"3", 3}, {"0, true", 0}} do
    it("API 4: with (" .. pair[1] .. ") ends with status " .. pair[2], function()
      local r = script("io.write('kept')\nos.exit(" .. pair[1] .. ")\nprint('never')")
      assert.are.same({"kept", "", pair[2]}, {r.out, r.err, r.status})
    end)
  end

  it("API 4: runs the clean-up of the script and of the tasks", function()
    local r = unwinding "os.exit(8)"
    assert.are.equal(8, r.status)
    assert.are.equal("", r.err)
    assert.matches("^before\nscript\t[^\n]*\ntask\tCancelledError\n$", r.out)
  end)

  it("API 4: from another task too", function()
    local r = unwinding "lucio.create_task(function() os.exit(9) end) lucio.sleep(60)"
    assert.are.equal(9, r.status)
    assert.are.equal("", r.err)
    has(r.out, "script\t")
    has(r.out, "task\t")
    assert.is_nil(r.out:find("never", 1, true))
  end)

  it("API 4: from inside a generator of coroutine.wrap too", function()
    local r = unwinding "for _ in coroutine.wrap(function() os.exit(10) end) do end"
    assert.are.equal(10, r.status)
    has(r.out, "script\t")
    has(r.out, "task\t")
  end)
end)

describe("an uncaught KeyboardInterrupt", function()
  it("API 4: gives status 130 after the clean-up", function()
    local r = unwinding "error(lucio.KeyboardInterrupt())"
    assert.are.same({"before\nscript\tKeyboardInterrupt\ntask\tCancelledError\n", 130},
      {r.out, r.status})
    has(r.err, "KeyboardInterrupt")
  end)
end)
