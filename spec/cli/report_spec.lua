-- SEMANTICS EX: what the default exception handler and debug mode print.
local assert = require "luassert"
local command = require "spec.cli.command"
local retried = require "spec.support.retried"

local run, script = command.run, command.script

local function has(text, part)
  assert.matches(part, text, 1, true)
end

describe("the default exception handler", function()
  it("EX2: prints the message, the other keys sorted, the error with its traceback", function()
    local r = script [[
      local lucio = require "lucio"
      local loop = lucio.get_running_loop()
      local ok, e = pcall(function() error(lucio.ValueError("boom")) end)
      loop:call_exception_handler{
        message = "hello", zeta = 1, alpha = 2, middle = true, exception = e,
      }
      print("end")]]
    assert.are.same({"end\n", 0}, {r.out, r.status})
    assert.matches("^hello\nalpha: 2\nmiddle: true\nzeta: 1\n.*ValueError: boom", r.err)
  end)

  it("EX2: without a message says that it has none", function()
    local r = script [[
      local lucio = require "lucio"
      lucio.get_running_loop():call_exception_handler{alpha = 1}]]
    assert.are.same({"Unhandled exception in event loop\nalpha: 1\n", 0}, {r.err, r.status})
  end)

  it("EX2: can be called by a handler of one's own", function()
    local r = script [[
      local lucio = require "lucio"
      local loop = lucio.get_running_loop()
      loop:set_exception_handler(function(l, context)
        print("own", context.message)
        l:default_exception_handler(context)
      end)
      loop:call_exception_handler{message = "hello"}
      loop:set_exception_handler(nil)
      loop:call_exception_handler{message = "again"}]]
    assert.are.same({"own\thello\n", "hello\nagain\n", 0}, {r.out, r.err, r.status})
  end)

  it("EX2: an error of a callback is shown with the callback and where it was raised", function()
    local r = script [[
      local lucio = require "lucio"
      local loop = lucio.get_running_loop()
      loop:call_soon(function() error(lucio.ValueError("boom")) end)
      loop:call_soon(function() print("the next") end)
      lucio.sleep(1)]]
    assert.are.same({"the next\n", 0}, {r.out, r.status})
    has(r.err, "handle: ")
    has(r.err, "ValueError: boom")
    has(r.err, r.script .. ":3:")
  end)

  it("EX3: reports the failure of a handler with the original context; the loop goes on", function()
    local r = script [[
      local lucio = require "lucio"
      local loop = lucio.get_running_loop()
      loop:set_exception_handler(function() error(lucio.TypeError("in handler")) end)
      loop:call_soon(function() error(lucio.ValueError("boom")) end)
      loop:call_soon(function() print("the next") end)
      print(lucio.sleep(1, "goes on"))]]
    assert.are.same({"the next\ngoes on\n", 0}, {r.out, r.status})
    assert.matches("^Unhandled error in exception handler\n", r.err)
    has(r.err, "TypeError: in handler")
    has(r.err, "boom")
  end)

  it("EX3: a failure of the default handler itself is only printed", function()
    local r = script [[
      local lucio = require "lucio"
      local loop = lucio.get_running_loop()
      loop:call_exception_handler{
        message = "hello",
        bad = setmetatable({}, {__tostring = function() error("no text", 0) end}),
      }
      print(lucio.sleep(1, "goes on"))]]
    assert.are.same({"goes on\n", 0}, {r.out, r.status})
    has(r.err, "no text")
  end)

  it("EX2: survives a context that contains itself", function()
    local r = script [[
      local lucio = require "lucio"
      local context = {message = "hello"}
      context.context = context
      lucio.get_running_loop():call_exception_handler(context)
      print("end")]]
    assert.are.same({"end\n", 0}, {r.out, r.status})
    assert.matches("^hello\n", r.err)
  end)
end)

describe("debug mode", function()
  local SLOW = [[
    local lucio = require "lucio"
    local loop = lucio.get_running_loop()
    loop.slow_callback_duration = 0.2
    local function busy()
      local start = loop:time()
      repeat until loop:time() - start > 0.3
    end
    lucio.create_task{busy, name = "the slow one"}:await()
    loop:call_soon(busy)
    lucio.sleep(0.01)
    print("end")]]

  it("EX5: tells of tasks and callbacks that took long", function()
    local r = run{script = SLOW, "--debug", "SCRIPT"}
    assert.are.same({"end\n", 0}, {r.out, r.status})
    -- a machine with a lot to do may make others long as well
    local _, tasks = r.err:gsub("Executing <Task finished name='the slow one' [^\n]*"
      .. " took %d+%.%d+ seconds", "")
    local _, callbacks = r.err:gsub("Executing <Handle function at [^\n]*:4 created at [^\n]*:9>"
      .. " took %d+%.%d+ seconds", "")
    assert.are.same({1, 1}, {tasks, callbacks}, r.err)
  end)

  retried("EX5: tells the line at which a step holds the loop", function(slack)
    local slower = SLOW:gsub("0%.2", "0.1"):gsub("0%.3", tostring(0.6 * slack))
    local r = run{script = slower, "--debug", "SCRIPT"}
    assert.are.equal(0, r.status)
    assert.are.equal(2, select(2, r.err:gsub(", held at [^\n]*:6\n", "")))
  end)

  it("EX5: can be switched on in a step, for those that follow", function()
    local r = run{script = [[
      local lucio = require "lucio"
      local loop = lucio.get_running_loop()
      local function busy()
        local start = loop:time()
        repeat until loop:time() - start > 0.12
      end
      lucio.create_task(function() loop:set_debug(true) busy() end)
      lucio.create_task{busy, name = "the next"}
      lucio.create_task(function() loop:set_debug(false) end)
      lucio.create_task(busy)
      lucio.sleep(0.01)
      print("end")]]}
    assert.are.same({"end\n", 0}, {r.out, r.status})
    assert.is_nil(r.err:find("Task%-5"))
  end)

  it("EX5: without debug nothing is told", function()
    local r = run{script = SLOW}
    assert.are.same({"end\n", "", 0}, {r.out, r.err, r.status})
  end)

  it("EX7: reports show where a task was created", function()
    local r = run{clock = "virtual", env = {LUCIO_DEBUG = "1"}, script = [[
      local lucio = require "lucio"
      local function start()
        lucio.create_task(function() error(lucio.ValueError("lost")) end)
      end
      start()
      lucio.sleep(1)]]}
    assert.are.equal(0, r.status)
    has(r.err, "never retrieved")
    has(r.err, "created at")
    has(r.err, r.script .. ":3")
    has(r.err, r.script .. ":5")
  end)

  it("EX: reports a coroutine that was collected without being awaited, with its place", function()
    local text = [[
      local lucio = require "lucio"
      local fn = lucio.async(function() end)
      local function lose() fn() end
      lose()
      collectgarbage()
      lucio.sleep(1)
      print("end")]]
    local r = run{clock = "virtual", script = text, "--debug", "SCRIPT"}
    assert.are.same({"end\n", 0}, {r.out, r.status})
    has(r.err, "never awaited")
    has(r.err, r.script .. ":3")
    r = script(text)
    assert.are.same({"end\n", "", 0}, {r.out, r.err, r.status})
  end)

  it("TG1: says nothing of a coroutine that a task group refused", function()
    local r = run{clock = "virtual", script = [[
      local lucio = require "lucio"
      local group
      do
        local tg <close> = lucio.TaskGroup()
        group = tg
      end
      print((pcall(group.create_task, group, lucio.async(function() end)())))
      collectgarbage()
      lucio.sleep(1)]], "--debug", "SCRIPT"}
    assert.are.same({"false\n", "", 0}, {r.out, r.err, r.status})
  end)

  it("EX8: tells of a loop that was collected without being closed", function()
    local r = run{clock = "virtual", script = [[
      local lucio = require "lucio"
      local function lose() lucio.new_event_loop() end
      lose()
      collectgarbage()
      collectgarbage()
      lucio.sleep(1)
      print("end", lucio.stats().loops)]], "--debug", "SCRIPT"}
    assert.are.same({"end\t1\n", 0}, {r.out, r.status})
    has(r.err, "unclosed event loop")
  end)
end)
