-- The watchdog: steps that run too long are shown while they run, and ended. On the real clock;
-- every wait is bounded by the command's own limit.
local assert = require "luassert"
local command = require "spec.cli.command"
local retried = require "spec.support.retried"

local function has(text, part)
  assert.matches(part, text, 1, true)
end

local function count(text, part)
  return select(2, text:gsub(part, ""))
end

local function watched(text, ...)
  return command.run{script = text, "--watchdog", "0.1", ...}
end

-- The same, with times that are so many times longer: numbers in braces are of the text's, too.
local function watched_for(slack, text, ...)
  text = text:gsub("{([%d.]+)}", function(seconds) return tostring(seconds * slack) end)
  return command.run{script = text, "--watchdog", tostring(0.1 * slack), ...}
end

-- A line of a script: noticed(text) tells whether the watchdog has said that on stderr, a file.
local NOTICED = [[local function noticed(text)
    local file <close> = io.open("/proc/self/fd/2") return file:read("a"):find(text, 1, true) end
  ]]

describe("--watchdog", function()
  it("prints the stack of a step while it holds the loop", function()
    local r = watched(NOTICED .. [[
      local lucio = require "lucio"
      local function spin()
        repeat for _ = 1, 1e6 do end until noticed "spinner"
      end
      lucio.create_task{function() spin() end, name = "spinner"}
      lucio.sleep(0.01)
      print("end")]], "SCRIPT")
    assert.are.same({"end\n", 0}, {r.out, r.status})
    assert.matches("lucio: watchdog: spinner has held the loop for %d+%.%d+ s\nstack traceback:",
      r.err)
    has(r.err, r.script .. ":5: in upvalue 'spin'")
    has(r.err, r.script .. ":7: in function <")
  end)

  it("shows a coroutine and the task that runs it", function()
    local r = watched(NOTICED .. [[
      local co = coroutine.wrap(function()
        repeat for _ = 1, 1e6 do end until noticed "in a coroutine of:"
      end)
      co()]], "SCRIPT")
    assert.are.equal(0, r.status)
    has(r.err, "in function <" .. r.script .. ":3>")
    has(r.err, "in a coroutine of:")
    has(r.err, r.script .. ":6: in main chunk")
  end)

  retried("says nothing of a loop that waits, or of many short steps", function(slack)
    local r = watched_for(slack, [[
      local lucio = require "lucio"
      local loop = lucio.get_running_loop()
      lucio.sleep({0.3})
      lucio.run(function() lucio.sleep({0.3}) end)
      local from = loop:time()
      while loop:time() - from < {0.3} do lucio.sleep(0) end
      print("end")]], "SCRIPT")
    assert.are.same({"end\n", "", 0}, {r.out, r.err, r.status})
  end)

  it("tells of a C function that does not come back, and names it when it does", function()
    local r = watched([[os.execute(arg[1]) print("end")]], "SCRIPT",
      "until grep -q 'inside of a C function' /proc/$PPID/fd/2; do sleep 0.01; done")
    assert.are.same({"end\n", 0}, {r.out, r.status})
    has(r.err, "lucio: watchdog: a step has held the loop for ")
    has(r.err, " s, inside of a C function\n")
    has(r.err, "[C]: in field 'execute'")
    has(r.err, r.script .. ":1: in main chunk")
  end)

  it("leaves a hook of the script as it was", function()
    local r = watched(NOTICED .. [[
      local n = 0
      local function hook() n = n + 1 end
      debug.sethook(hook, "", 100)
      repeat for _ = 1, 1e6 do end until noticed "watchdog: Task-1"
      local now, mask, every = debug.gethook()
      print(now == hook, mask, every)
      local before = n
      for _ = 1, 10000 do end
      print(n - before >= 100)]], "SCRIPT")
    assert.are.same({"true\t\t100\ntrue\n", 0}, {r.out, r.status})
    has(r.err, "lucio: watchdog: Task-1")
  end)

  it("refuses anything but seconds", function()
    for _, bad in ipairs{"-1", "soon", ""} do
      local r = command.run{script = "print(1)", "--watchdog", bad, "SCRIPT"}
      assert.are.same({"", 1}, {r.out, r.status})
      has(r.err, "'--watchdog' needs 0 or more seconds")
    end
  end)
end)

describe("--watchdog-kill", function()
  it("ends an endless loop with an error that names the line", function()
    local r = watched("local n = 0\nwhile true do\nn = n + 1 end", "--watchdog-kill", "SCRIPT")
    assert.are.equal(1, r.status)
    has(r.err, "RuntimeError: step ran longer than 0.1 s (watchdog)")
    assert.matches(r.script .. ":[23]: in main chunk", r.err)
  end)

  retried("raises an error that can be caught once", function(slack)
    local r = watched_for(slack, [[
      local lucio = require "lucio"
      local ok, e = pcall(function() while true do end end)
      print(ok, e.name, lucio.isinstance(e, lucio.RuntimeError))
      print(lucio.sleep({0.2}, "goes on"))]], "--watchdog-kill", "SCRIPT")
    assert.are.same({"false\tRuntimeError\ttrue\ngoes on\n", 0}, {r.out, r.status})
  end)

  retried("ends a step that catches it again and again", function(slack)
    local r = watched_for(slack, [[
      local lucio = require "lucio"
      local task = lucio.create_task(function()
        while true do pcall(function() while true do end end) end
      end)
      print(select(2, pcall(task.await, task)))
      for i = 1, 3 do
        print(lucio.create_task(function() lucio.sleep(0.01) return i end):await())
      end]], "--watchdog-kill", "SCRIPT")
    local said = ("step ran longer than %.3g s (watchdog)\n1\n2\n3\n"):format(0.1 * slack)
    assert.are.same({said, 0}, {r.out, r.status})
    assert.are.equal(1, count(r.err, "has held the loop"))
  end)

  retried("ends a coroutine, a callback, a comparator", function(slack)
    local r = watched_for(slack, [[
      local lucio = require "lucio"
      local loop = lucio.get_running_loop()
      local function spin() while true do end end
      print(pcall(coroutine.wrap(spin)))
      lucio.sleep(0) -- another step
      print(pcall(table.sort, {1, 2, 3}, spin))
      loop:set_exception_handler(function(_, context) print(context.exception) end)
      loop:call_soon(spin)
      lucio.sleep(0.01)]], "--watchdog-kill", "SCRIPT")
    assert.are.equal(0, r.status)
    assert.are.equal(3, count(r.out, "step ran longer than [%d.]+ s %(watchdog%)"))
  end)
end)

describe("lucio.watchdog", function()
  retried("sets, changes and ends it", function(slack)
    local r = command.run{script = [[
      local lucio = require "lucio"
      local loop, slack = lucio.get_running_loop(), tonumber(arg[1])
      local function spin(seconds)
        local from = loop:time()
        while loop:time() - from < seconds * slack do end
        return "spun"
      end
      print(spin(0.2))
      lucio.watchdog(0.05 * slack, {kill = true})
      print(pcall(spin, 600))
      lucio.watchdog(60)
      print(spin(0.2))
      lucio.watchdog(nil)
      print(spin(0.2))]], "SCRIPT", slack}
    assert.are.equal(0, r.status)
    assert.are.equal(("spun\nfalse\tstep ran longer than %.3g s (watchdog)\nspun\nspun\n"):format(
      0.05 * slack), r.out)
    assert.are.equal(1, count(r.err, "has held the loop"))
  end)

  retried("can be set again, and does not disturb child processes", function(slack)
    local r = command.run{script = [[
      local lucio = require "lucio"
      local slack = tonumber(arg[1])
      lucio.watchdog(0.1 * slack)
      lucio.run(function()
        local pipe = io.popen("sleep 0.05; echo from a child")
        lucio.sleep(0.2 * slack)
        print(pipe:read("a"))
        pipe:close()
      end)
      lucio.watchdog()
      lucio.watchdog(0.1 * slack)]], "SCRIPT", slack}
    assert.are.same({"from a child\n\n", "", 0}, {r.out, r.err, r.status})
  end)
end)
