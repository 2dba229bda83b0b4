-- API.md section 4: how the command runs a script and ends.
local assert = require "luassert"
local command = require "spec.cli.command"

local run, script = command.run, command.script

local function has(text, part)
  assert.matches(part, text, 1, true)
end

describe("a script", function()
  it("API 4: gets its arguments, arg is set as in lua", function()
    local r = run{script = [[
      print(select("#", ...), ...)
      print(arg[0] == debug.getinfo(1, "S").source:sub(2), arg[1], arg[2], #arg)
      print(arg[-1], arg[-2] ~= nil)]], "--debug", "SCRIPT", "a b", "-v"}
    assert.are.same({"2\ta b\t-v\ntrue\ta b\t-v\t2\n--debug\ttrue\n", "", 0},
      {r.out, r.err, r.status})
  end)

  it("API 4: has no global lucio", function()
    local r = script 'print(lucio, type(require "lucio"))'
    assert.are.same({"nil\ttable\n", 0}, {r.out, r.status})
  end)

  it("API 4: is the main task, may suspend at its top level", function()
    local r = script [[
      local lucio = require "lucio"
      print(lucio.current_task():get_name(), #lucio.all_tasks())
      print(lucio.sleep(3, "slept"))
      local t <close> = lucio.timeout(5)
      print(lucio.gather(function() return 1 end)[1])]]
    assert.are.same({"Task-1\t1\nslept\n1\n", "", 0}, {r.out, r.err, r.status})
  end)

  it("API 4: may begin with a line for the shell", function()
    local r = script "#!/usr/bin/env lucio\nprint('ran')"
    assert.are.same({"ran\n", 0}, {r.out, r.status})
  end)

  it("API 4: at its end the rest is cancelled, the status is 0", function()
    local r = script [[
      local lucio = require "lucio"
      lucio.create_task(function()
        local _ <close> = setmetatable({}, {__close = function(_, e)
          lucio.sleep(1)
          print("closed", e.name)
        end})
        lucio.sleep(60)
      end)
      lucio.sleep(1)
      print("end")]]
    assert.are.same({"end\nclosed\tCancelledError\n", "", 0}, {r.out, r.err, r.status})
  end)

  it("API 4: what it returns does not matter", function()
    local r = script "return 3, 'text'"
    assert.are.same({"", "", 0}, {r.out, r.err, r.status})
  end)

  it("API 2: run works at its top level, any number of times", function()
    local r = script [[
      local lucio = require "lucio"
      for i = 1, 3 do
        print(lucio.run(function(n)
          lucio.sleep(1)
          return n, lucio.current_task() ~= nil
        end, i))
      end
      print(lucio.sleep(1, "between"))
      local loop = lucio.new_event_loop()
      print(loop:run_until_complete(function() return lucio.sleep(1, "own loop") end))
      loop:call_soon(loop.stop, loop)
      loop:run_forever()
      loop:close()
      local runner <close> = lucio.Runner{}
      print(runner:run(function() return "runner" end))]]
    assert.are.same({"1\ttrue\n2\ttrue\n3\ttrue\nbetween\nown loop\nrunner\n", "", 0},
      {r.out, r.err, r.status})
  end)

  it("API 2: from another task than the main one run is a RuntimeError", function()
    local r = script [[
      local lucio = require "lucio"
      local task = lucio.create_task(lucio.run, function() print("never") end)
      local ok, e = pcall(task.await, task)
      print(ok, lucio.isinstance(e, lucio.RuntimeError))]]
    assert.are.same({"false\ttrue\n", "", 0}, {r.out, r.err, r.status})
  end)
end)

describe("an error of a script", function()
  it("API 4: prints class, message and traceback, status 1", function()
    local r = script [[
      local lucio = require "lucio"
      local function deep() error(lucio.ValueError("boom")) end
      print("before")
      deep()
      print("never")]]
    assert.are.same({"before\n", 1}, {r.out, r.status})
    assert.matches("^lucio: ValueError: boom\nstack traceback:\n", r.err)
    has(r.err, "deep")
    has(r.err, r.script .. ":2:")
  end)

  it("API 4: a string is printed as it is", function()
    local r = script "error('plain')"
    assert.are.equal(1, r.status)
    has(r.err, "lucio: " .. r.script .. ":1: plain\nstack traceback:\n")
  end)

  it("API 4: a value without a text is described", function()
    local r = script "error({})"
    assert.are.equal(1, r.status)
    has(r.err, "(error object is a table value)")
    r = script "error(nil)"
    assert.are.equal(1, r.status)
    has(r.err, "lucio: ")
    r = script "error(setmetatable({}, {__tostring = function() return 'shown' end}))"
    assert.are.equal(1, r.status)
    has(r.err, "shown")
  end)

  it("API 4: an error raised in a task and awaited shows where it was raised", function()
    local r = script [[
      local lucio = require "lucio"
      local function deep() error(lucio.ValueError("boom")) end
      local task = lucio.create_task(function() deep() return 1 end)
      task:await()]]
    assert.are.equal(1, r.status)
    has(r.err, "lucio: ValueError: boom\n")
    has(r.err, r.script .. ":2:")
  end)

  it("API 4: the members of an ExceptionGroup are shown", function()
    local r = script [[
      local lucio = require "lucio"
      local tg <close> = lucio.TaskGroup()
      tg:create_task(function() error(lucio.ValueError("first one")) end)
      tg:create_task(function() error(lucio.TypeError("second one")) end)]]
    assert.are.equal(1, r.status)
    has(r.err, "ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions)")
    has(r.err, "ValueError: first one")
    has(r.err, "TypeError: second one")
  end)

  it("API 4: clean-up of the script and of tasks runs before", function()
    local r = script [[
      local lucio = require "lucio"
      lucio.create_task(function()
        local _ <close> = setmetatable({}, {__close = function(_, e) print("task", e.name) end})
        lucio.sleep(60)
      end)
      lucio.sleep(0)
      local _ <close> = setmetatable({}, {__close = function(_, e)
        lucio.sleep(1)
        print("script", e.name)
      end})
      error(lucio.ValueError("boom"))]]
    assert.are.same({"script\tValueError\ntask\tCancelledError\n", 1}, {r.out, r.status})
    has(r.err, "ValueError: boom")
  end)

  it("API 4: a syntax error is one too", function()
    local r = script "x = = 1"
    assert.are.equal(1, r.status)
    has(r.err, "lucio: ")
    has(r.err, r.script .. ":1:")
  end)

  it("API 4: a CancelledError as well", function()
    local r = script [[
      local lucio = require "lucio"
      lucio.current_task():cancel("why")
      lucio.sleep(1)]]
    assert.are.equal(1, r.status)
    has(r.err, "lucio: CancelledError: why")
  end)
end)

describe("failures that nobody retrieves", function()
  it("API 2: are printed once, with a traceback; the status is that of the script", function()
    local r = script [[
      local lucio = require "lucio"
      local function deep() error(lucio.ValueError("lost")) end
      lucio.create_task{function() deep() return 1 end, name = "loser"}
      lucio.sleep(1)
      collectgarbage()
      collectgarbage()
      lucio.sleep(1)
      print("end")]]
    assert.are.same({"end\n", 0}, {r.out, r.status})
    has(r.err, "Task exception was never retrieved")
    has(r.err, "loser")
    has(r.err, "ValueError: lost")
    has(r.err, r.script .. ":2:")
    assert.are.equal(1, select(2, r.err:gsub("never retrieved", "")))
  end)

  it("API 2: are printed when the loop closes, at the latest", function()
    local r = script [[
      local lucio = require "lucio"
      task = lucio.create_task(function() error(lucio.ValueError("lost")) end)
      lucio.sleep(1)]]
    assert.are.equal(0, r.status)
    assert.are.equal(1, select(2, r.err:gsub("never retrieved", "")))
    has(r.err, "ValueError: lost")
  end)
end)

describe("a program that waits for ever under the virtual clock", function()
  it("API 4: ends with an error that lists what every task waits for", function()
    local r = script [[
      local lucio = require "lucio"
      lucio.create_task{function() lucio.Event():wait() end, name = "waits for an event"}
      lucio.create_task{function() lucio.Queue():get() end, name = "waits for a queue"}
      lucio.Future():await()]]
    assert.are.equal(1, r.status)
    has(r.err, "RuntimeError")
    has(r.err, "Task-1")
    has(r.err, "waits for an event")
    has(r.err, "waits for a queue")
    has(r.err, r.script .. ":4")
  end)

  it("API 4: so does run in it, and the error can be caught", function()
    local r = script [[
      local lucio = require "lucio"
      local ok, e = pcall(lucio.run, function() lucio.Future():await() end)
      print(ok, lucio.isinstance(e, lucio.RuntimeError))
      print(lucio.sleep(1, "goes on"))]]
    assert.are.same({"false\ttrue\ngoes on\n", "", 0}, {r.out, r.err, r.status})
  end)

  it("RU5: a task that swallows the cancel at the end and waits for ever is named", function()
    local r = script [[
      local lucio = require "lucio"
      lucio.create_task{function()
        pcall(lucio.sleep, 60)
        lucio.Future():await()
      end, name = "stubborn"}
      lucio.sleep(1)
      print("end")]]
    assert.are.same({"end\n", 0}, {r.out, r.status})
    has(r.err, "stubborn")
    has(r.err, r.script .. ":4")
  end)

  it("RU5: without a shutdown_timeout the run ends with an error that names it", function()
    local r = command.run{clock = "virtual", script = [[
      local lucio = require "lucio"
      lucio.create_task{function()
        pcall(lucio.sleep, 60)
        lucio.Future():await()
      end, name = "stubborn"}
      lucio.sleep(1)
      print("end")]], "--shutdown-timeout", "inf", "SCRIPT"}
    assert.are.same({"end\n", 1}, {r.out, r.status})
    has(r.err, "stubborn")
  end)

  it("takes the shutdown_timeout from the environment too, and refuses a bad one", function()
    local text = "print(require('lucio').get_running_loop().shutdown_timeout)"
    local function shown(...)
      local r = command.run{script = text, env = {LUCIO_SHUTDOWN_TIMEOUT = "2.5"}, ...}
      return r.out
    end
    assert.are.equal("2.5\n", shown())
    assert.are.equal("10.0\n", shown("-E", "SCRIPT"))
    assert.are.equal("3.0\n", shown("--shutdown-timeout=3", "SCRIPT"))
    local r = command.run{script = text, env = {LUCIO_SHUTDOWN_TIMEOUT = "soon"}}
    assert.are.same({"", 1}, {r.out, r.status})
    has(r.err, "LUCIO_SHUTDOWN_TIMEOUT: 0 or more seconds expected, got 'soon'")
    r = command.run{script = text, "--shutdown-timeout=-1", "SCRIPT"}
    assert.are.equal(1, r.status)
    has(r.err, "'--shutdown-timeout' needs 0 or more seconds")
  end)
end)
