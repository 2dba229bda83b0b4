-- SEMANTICS RU7-RU9 and API.md section 4: Ctrl-C. Each script sends itself the signal, through a
-- shell whose parent it is, so the moment is exact; the clock is the real one.
local assert = require "luassert"
local command = require "spec.cli.command"

local PRELUDE = [[
local lucio = require "lucio"
-- sends SIGINT now
local function interrupt() io.popen("kill -INT $PPID"):close() end
-- Sends SIGINT n times, each after so many seconds and a call of seen(): two that come while a
-- machine with a lot to do lets nothing run here would be one.
local function later(seconds, n)
  return io.popen(("sleep " .. seconds .. "; kill -INT $PPID; read seen; "):rep(n or 1), "w")
end
local function seen(child)
  child:write("seen\n")
  child:flush()
end
local function closer(name)
  return setmetatable({}, {__close = function(_, e)
    lucio.sleep(0.01)
    print(name, e and e.name)
  end})
end
io.stdout:setvbuf("line")
]]

local function script(text, options)
  options = options or {}
  options.script = PRELUDE .. text
  return command.run(options)
end

local function has(text, part)
  assert.matches(part, text, 1, true)
end

describe("the first Ctrl-C", function()
  it("RU7: cancels the script, which is cleaned up; the status is 130", function()
    local r = script [[
      lucio.create_task(function()
        local _ <close> = closer("task")
        lucio.sleep(60)
      end)
      lucio.sleep(0)
      local _ <close> = closer("script")
      interrupt()
      lucio.sleep(60)
      print("never")]]
    assert.are.same({"script\tCancelledError\ntask\tCancelledError\n", 130}, {r.out, r.status})
    has(r.err, "KeyboardInterrupt")
  end)

  it("RU7: wakes a loop that is blocked", function()
    local r = script [[
      local _ <close> = closer("script")
      local child = later(0.2)
      lucio.Future():await()]]
    assert.are.same({"script\tCancelledError\n", 130}, {r.out, r.status})
  end)

  it("RU7: a script that swallows it and ends has status 0", function()
    local r = script [[
      interrupt()
      local ok, e = pcall(lucio.sleep, 60)
      print(ok, e.name, lucio.current_task():cancelling())
      lucio.sleep(0.01)
      print("end")]]
    assert.are.same({"false\tCancelledError\t1\nend\n", "", 0}, {r.out, r.err, r.status})
  end)

  it("RU7: lucio.pcall does not swallow it", function()
    local r = script [[
      interrupt()
      print(lucio.pcall(lucio.sleep, 60))]]
    assert.are.same({"", 130}, {r.out, r.status})
  end)

  it("RU7: only the main task is cancelled", function()
    local r = script [[
      local other = lucio.create_task(function()
        interrupt()
        lucio.sleep(0.05)
        return "other ended"
      end)
      local ok, e = pcall(lucio.sleep, 60)
      print(ok, e.name)
      print(other:await())]]
    assert.are.same({"false\tCancelledError\nother ended\n", 0}, {r.out, r.status})
  end)

  it("RU7: run in a script raises KeyboardInterrupt, the script may go on", function()
    local r = script [[
      local ok, e = pcall(lucio.run, function()
        local _ <close> = closer("main")
        interrupt()
        lucio.sleep(60)
      end)
      print(ok, e.name, lucio.isinstance(e, lucio.KeyboardInterrupt))
      print(lucio.sleep(0.01, "goes on"))]]
    assert.are.same({"main\tCancelledError\nfalse\tKeyboardInterrupt\ttrue\ngoes on\n", 0},
      {r.out, r.status})
  end)

  it("RU7: one that came before run in a script began is for what it runs", function()
    local r = script [[
      interrupt()
      local ok, e = pcall(lucio.run, lucio.sleep, 60)
      print(ok, e.name)
      print(lucio.sleep(0.01, "goes on"))]]
    assert.are.same({"false\tKeyboardInterrupt\ngoes on\n", "", 0}, {r.out, r.err, r.status})
  end)

  it("RU7: an error that the clean-up raises instead is the outcome", function()
    local r = script [[
      interrupt()
      pcall(lucio.sleep, 60)
      error(lucio.ValueError("boom"))]]
    assert.are.equal(1, r.status)
    has(r.err, "ValueError: boom")
  end)

  it("RU9: if other code cancelled the script as well, CancelledError stays", function()
    local r = script [[
      local main = lucio.current_task()
      lucio.create_task(function()
        interrupt()
        lucio.sleep(0.05)
        main:cancel("other")
      end)
      pcall(lucio.sleep, 60)
      lucio.sleep(60)]]
    assert.are.equal(1, r.status)
    has(r.err, "CancelledError")
  end)

  it("RU9: a signal that was ignored from the start stays ignored", function()
    local r = script([[
      interrupt()
      lucio.sleep(0.05)
      print("went on")]], {ignore = "INT"})
    assert.are.same({"went on\n", "", 0}, {r.out, r.err, r.status})
  end)
end)

describe("the second Ctrl-C", function()
  it("RU8: leaves the loop at once, shutdown still runs", function()
    local r = script [[
      lucio.create_task(function()
        local _ <close> = closer("task")
        lucio.sleep(60)
      end)
      lucio.sleep(0)
      interrupt()
      pcall(lucio.sleep, 60)
      print("first")
      local _ <close> = closer("script")
      interrupt()
      lucio.sleep(60)
      print("never")]]
    assert.are.equal(130, r.status)
    assert.matches("^first\n", r.out)
    has(r.out, "task\tCancelledError\n")
    has(r.out, "script\t")
    assert.is_nil(r.out:find("never", 1, true))
    has(r.err, "KeyboardInterrupt")
  end)

  it("RU8: also when it finds the loop blocked", function()
    local r = script [[
      local child = later(0.2, 2)
      local ok, e = pcall(lucio.sleep, 600)
      print(ok, e.name)
      seen(child)
      ok, e = pcall(lucio.sleep, 600)
      print(ok, e.name)
      child:close()]]
    assert.are.equal(130, r.status)
    assert.matches("^false\tCancelledError\nfalse\tCancelledError\n", r.out)
  end)

  it("RU8: leaves a job of the default executor alone, and says no more of it", function()
    local r = script [[
      local begun, over = lucio.shared.Value("bool", false), lucio.shared.Value("bool", false)
      lucio.create_task(function()
        local _ <close> = setmetatable({}, {__close = function() over.value = true end})
        lucio.to_thread(function()
          begun.value = true
          while not over.value do os.execute("sleep 0.01") end
          os.execute("sleep 0.2; kill -INT $PPID; sleep 0.2")
        end)
      end)
      while not begun.value do lucio.sleep(0.01) end
      interrupt()
      lucio.sleep(600)]]
    assert.are.same({"", "lucio: KeyboardInterrupt\n", 130}, {r.out, r.err, r.status})
  end)
end)

describe("the third Ctrl-C", function()
  it("API 4: ends the process, whatever its tasks do", function()
    local r = script [[
      local child = later(0.2, 3)
      while true do
        print((pcall(lucio.sleep, 600)))
        seen(child)
      end]]
    assert.are.same({"false\nfalse\n", 130}, {r.out, r.status})
  end)

  it("API 4: also out of a loop in Lua that never suspends", function()
    local r = script [[
      -- until it has ended, which three of them that it sees make it do
      local child = io.popen("while kill -INT $PPID; do sleep 0.2; done 2>/dev/null")
      while true do pcall(function() while true do end end) end]]
    assert.are.equal(130, r.status)
  end)
end)
