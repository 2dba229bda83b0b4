-- SEMANTICS LP23-LP25, TH7, TH8 in the command: descriptors and signals, on the real clock.
local assert = require "luassert"
local command = require "spec.cli.command"

local run = command.run

local function has(text, part)
  assert.matches(part, text, 1, true)
end

-- A pipe on descriptor 3, open in both directions.
local PIPE = 'F=$(mktemp -u); mkfifo "$F"; exec 3<>"$F"; rm "$F"'

local SIGNAL = [[
local lucio = require "lucio"
local loop = lucio.get_running_loop()
-- sends a signal now, or after some seconds
local function kill(name) io.popen("kill -" .. name .. " $PPID"):close() end
local function kill_later(name, seconds)
  return io.popen("sleep " .. seconds .. "; kill -" .. name .. " $PPID")
end
io.stdout:setvbuf("line")
]]

describe("loop:add_reader", function()
  it("LP23: calls the function with its arguments when the pipe has something", function()
    local r = run{input = "sleep 0.1; echo one; sleep 0.1; echo two", script = [[
      local lucio = require "lucio"
      local loop, done = lucio.get_running_loop(), lucio.Future()
      loop:add_reader(0, function(...)
        local line = io.read("l")
        print(line, lucio.current_task(), ...)
        if not line then
          print(loop:remove_reader(0), loop:remove_reader(0))
          done:set_result()
        end
      end, "a", 2)
      done:await()]]}
    assert.are.same({"one\tnil\ta\t2\ntwo\tnil\ta\t2\nnil\tnil\ta\t2\ntrue\tfalse\n", "", 0},
      {r.out, r.err, r.status})
  end)

  it("LP23: calls it again and again while there is something; another takes its place", function()
    local r = run{input = "echo text", script = [[
      local lucio = require "lucio"
      local loop, done = lucio.get_running_loop(), lucio.Future()
      local calls = 0
      loop:add_reader(0, function()
        calls = calls + 1
        if calls < 5 then return end
        loop:add_reader(0, function()
          print("second", calls, io.read("l"))
          loop:remove_reader(0)
          done:set_result()
        end)
      end)
      done:await()]]}
    assert.are.same({"second\t5\ttext\n", "", 0}, {r.out, r.err, r.status})
  end)

  it("LP2: a task that never stops yielding does not starve it", function()
    local r = run{input = "sleep 0.1; echo text", script = [[
      local lucio = require "lucio"
      local loop, done = lucio.get_running_loop(), false
      loop:add_reader(0, function()
        loop:remove_reader(0)
        done = true
      end)
      while not done do lucio.sleep(0) end
      print("done")]]}
    assert.are.same({"done\n", "", 0}, {r.out, r.err, r.status})
  end)

  it("LP25: a bad descriptor is a ValueError, a wrong type a TypeError", function()
    local r = run{script = [[
      local lucio = require "lucio"
      local loop = lucio.get_running_loop()
      for _, method in ipairs{"add_reader", "add_writer"} do
        local ok, e = pcall(loop[method], loop, -1, print)
        print(ok, lucio.isinstance(e, lucio.ValueError))
        ok, e = pcall(loop[method], loop, "0", print)
        print(ok, lucio.isinstance(e, lucio.TypeError))
        ok, e = pcall(loop[method], loop, 0, 42)
        print(ok, lucio.isinstance(e, lucio.TypeError))
      end]]}
    assert.are.same({("false\ttrue\n"):rep(6), "", 0}, {r.out, r.err, r.status})
  end)

  it("API 4: under the virtual clock real time passes while it waits", function()
    local r = run{clock = "virtual", input = "sleep 0.2; echo text", script = [[
      local lucio = require "lucio"
      local loop, done = lucio.get_running_loop(), lucio.Future()
      loop:add_reader(0, function()
        loop:remove_reader(0)
        done:set_result(io.read("l"))
      end)
      local ok, e = pcall(lucio.wait_for, done, 60)
      print(ok, e)]]}
    assert.are.same({"true\ttext\n", "", 0}, {r.out, r.err, r.status})
  end)
end)

describe("loop:add_writer", function()
  it("LP23: is called while the pipe takes something, apart from the reader", function()
    local r = run{prefix = PIPE, script = [[
      local lucio = require "lucio"
      local loop, done = lucio.get_running_loop(), lucio.Future()
      local out = assert(io.open("/proc/self/fd/3", "w"))
      local input = assert(io.open("/proc/self/fd/3", "r"))
      local calls = 0
      loop:add_reader(3, function()
        print("read", input:read("l"))
        print(loop:remove_reader(3), loop:remove_writer(3))
        done:set_result()
      end)
      loop:add_writer(3, function(word)
        calls = calls + 1
        print("write", word, calls)
        if calls < 3 then return end
        out:write("text\n")
        out:flush()
        print(loop:remove_writer(3))
      end, "x")
      done:await()
      out:close()
      input:close()]]}
    assert.are.same({
      "write\tx\t1\nwrite\tx\t2\nwrite\tx\t3\ntrue\nread\ttext\ntrue\tfalse\n", "", 0,
    }, {r.out, r.err, r.status})
  end)
end)

describe("loop:add_signal_handler", function()
  it("TH7: calls the function with its arguments, as a plain callback", function()
    local r = run{script = SIGNAL .. [[
      local done = lucio.Future()
      loop:add_signal_handler("SIGUSR1", function(...)
        print("usr1", lucio.current_task(), ...)
        done:set_result()
      end, 1, nil, 3)
      kill("USR1")
      print("sent")
      done:await()]]}
    assert.are.same({"sent\nusr1\tnil\t1\tnil\t3\n", "", 0}, {r.out, r.err, r.status})
  end)

  it("TH7: wakes a loop that is blocked; takes a number as well", function()
    local r = run{script = SIGNAL .. [[
      local done = lucio.Future()
      loop:add_signal_handler(lucio.signal.SIGTERM, done.set_result, done, "term")
      local child = kill_later("TERM", 0.2)
      print(lucio.signal.SIGTERM, lucio.signal.SIGINT, done:await())
      child:close()]]}
    assert.are.same({"15\t2\tterm\n", "", 0}, {r.out, r.err, r.status})
  end)

  it("TH7: a second one takes the place of the first", function()
    local r = run{script = SIGNAL .. [[
      loop:add_signal_handler("SIGUSR1", print, "first")
      loop:add_signal_handler("SIGUSR1", print, "second")
      kill("USR1")
      lucio.sleep(0.05)]]}
    assert.are.same({"second\n", "", 0}, {r.out, r.err, r.status})
  end)

  it("TH7: bad arguments raise, and leave nothing behind", function()
    local r = run{script = SIGNAL .. [[
      local function check(class, ...)
        local ok, e = pcall(loop.add_signal_handler, loop, ...)
        print(ok, lucio.isinstance(e, lucio[class]))
      end
      check("ValueError", 0, print)
      check("ValueError", 1000, print)
      check("ValueError", "SIGNONE", print)
      check("RuntimeError", "SIGKILL", print)
      check("RuntimeError", "SIGSTOP", print)
      check("TypeError", "SIGUSR1", 42)
      check("TypeError", "SIGUSR1", lucio.async(function() end))
      check("TypeError", {}, print)
      print(loop:remove_signal_handler("SIGUSR1"))]]}
    assert.are.same({("false\ttrue\n"):rep(8) .. "false\n", "", 0}, {r.out, r.err, r.status})
  end)

  it("TH7: one for SIGINT takes the place of Ctrl-C", function()
    local r = run{script = SIGNAL .. [[
      local done = lucio.Future()
      loop:add_signal_handler("SIGINT", done.set_result, done, "handled")
      kill("INT")
      print(done:await())]]}
    assert.are.same({"handled\n", "", 0}, {r.out, r.err, r.status})
  end)

  it("TH8: remove tells whether there was one, and restores the default", function()
    local r = run{script = SIGNAL .. [[
      loop:add_signal_handler("SIGTERM", print, "never")
      print(loop:remove_signal_handler("SIGTERM"), loop:remove_signal_handler("SIGTERM"))
      kill("TERM")
      lucio.sleep(5)
      print("never")]]}
    assert.are.same({"true\tfalse\n", 128 + 15}, {r.out, r.status})
  end)

  it("TH8: closing the loop removes all", function()
    local r = run{script = SIGNAL .. [[
      lucio.run(function()
        lucio.get_running_loop():add_signal_handler("SIGTERM", print, "never")
      end)
      print("closed")
      kill("TERM")
      lucio.sleep(5)
      print("never")]]}
    assert.are.same({"closed\n", 128 + 15}, {r.out, r.status})
  end)

  it("EX: an error of the handler goes to the exception handler", function()
    local r = run{script = SIGNAL .. [[
      loop:add_signal_handler("SIGUSR1", function() error(lucio.ValueError("boom")) end)
      kill("USR1")
      lucio.sleep(0.05)
      print("end")]]}
    assert.are.same({"end\n", 0}, {r.out, r.status})
    has(r.err, "ValueError: boom")
  end)
end)
