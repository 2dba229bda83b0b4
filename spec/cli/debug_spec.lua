-- What debug mode finds: cancellation that is swallowed, timeouts that are never closed, calls from
-- a wrong loop. Under the virtual clock; pcall is looked at from the start of the script.
local assert = require "luassert"
local command = require "spec.cli.command"

local PRELUDE = [[
local lucio = require "lucio"
lucio.get_running_loop():set_exception_handler(function(_, context)
  print((context.message:gsub("/[^ ]*:(%d+)", "line %1")))
end)
local function cancelled(fn)
  local task = lucio.create_task{fn, name = "task"}
  lucio.sleep(1)
  task:cancel()
  lucio.sleep(1)
  return task
end
]]
local LINES = select(2, PRELUDE:gsub("\n", ""))

local function debug_output(text)
  local r = command.run{clock = "virtual", script = PRELUDE .. text, "--debug", "SCRIPT"}
  assert.are.same({"", 0}, {r.err, r.status})
  return r.out
end

-- What is printed of a cancellation swallowed at that line of a script.
local function swallowed(line)
  return "Cancellation was swallowed at line " .. LINES + line ..
    ": raise the CancelledError again, use lucio.pcall, or call uncancel\n"
end

describe("debug mode", function()
  it("tells where a task that ends normally swallowed its cancellation", function()
    assert.are.equal(swallowed(2) .. "true\n", debug_output [[
      print(cancelled(function()
        pcall(lucio.sleep, 60)
      end):result() == nil)]])
  end)

  it("tells of a task that goes on to the same pcall, once", function()
    assert.are.equal(swallowed(4), debug_output [[
      local n = 0
      cancelled(function()
        while n < 5 do
          pcall(lucio.sleep, n < 1 and 60 or 0.1)
          n = n + 1
        end
        lucio.current_task():uncancel()
      end)]])
  end)

  it("tells of xpcall, and of the outermost call that caught it", function()
    assert.are.equal(swallowed(6), debug_output [[
      cancelled(function()
        local function inner()
          local ok, e = pcall(lucio.sleep, 60)
          if not ok then error(e, 0) end
        end
        xpcall(inner, debug.traceback)
      end)]])
  end)

  it("tells of a task that is awaited through a gather, in a coroutine", function()
    assert.are.equal(swallowed(4), debug_output [[
      cancelled(function()
        lucio.gather(function()
          coroutine.wrap(function()
            pcall(lucio.sleep, 60)
          end)()
        end)
      end)]])
  end)

  it("says nothing where it is raised again, after clean-up that waits", function()
    assert.are.equal("", debug_output [[
      cancelled(function()
        local ok, e = pcall(lucio.sleep, 60)
        lucio.sleep(0.1)
        for _ = 1, 3 do
          local child = lucio.create_task(lucio.sleep, 60)
          lucio.sleep(0)
          child:cancel()
          pcall(child.await, child)
        end
        if not ok then error(e, 0) end
      end)]])
  end)

  it("says nothing of clean-up in a <close> variable", function()
    assert.are.equal("", debug_output [[
      cancelled(function()
        local _ <close> = setmetatable({}, {__close = function()
          for _ = 1, 3 do
            local child = lucio.create_task(lucio.sleep, 60)
            lucio.sleep(0)
            child:cancel()
            pcall(child.await, child)
          end
        end})
        lucio.sleep(60)
      end)]])
  end)

  it("says nothing of uncancel, of time limits, of groups, of another's cancellation", function()
    assert.are.equal("", debug_output [[
      cancelled(function()
        pcall(lucio.sleep, 60)
        lucio.current_task():uncancel()
      end)
      for _ = 1, 2 do
        pcall(function()
          local _ <close> = lucio.timeout(1)
          lucio.sleep(60)
        end)
        pcall(lucio.wait_for, lucio.Future(), 1)
        pcall(function()
          local group <close> = lucio.TaskGroup()
          group:create_task(error, "no")
          lucio.sleep(60)
        end)
        local other = lucio.create_task(lucio.sleep, 60)
        lucio.sleep(0)
        other:cancel()
        pcall(other.await, other)
      end]])
  end)

  it("tells at shutdown_timeout where the task swallowed the cancellation", function()
    local r = command.run{clock = "virtual", script = [[
      local lucio = require "lucio"
      lucio.create_task{function()
        pcall(lucio.sleep, 60)
        lucio.Future():await()
      end, name = "stubborn"}
      lucio.sleep(1)]], "--debug", "SCRIPT"}
    assert.are.equal(0, r.status)
    assert.matches("\nswallowed_at: " .. r.script .. ":3\n", r.err, 1, true)
  end)

  it("tells of timeouts that a task leaves open", function()
    local text = "A timeout was never closed, use local t <close> = lucio.timeout(...): made at "
    local function left(line) return text .. "line " .. LINES + line .. "\n" end
    assert.are.equal(left(2) .. left(6) .. "false\n", debug_output [[
      lucio.create_task(function()
        local t = lucio.timeout(60)
        lucio.sleep(1)
      end):await()
      local task = lucio.create_task(function()
        lucio.timeout(60)
        error "no"
      end)
      print((pcall(task.await, task)))]])
  end)

  it("EX6: refuses calls from another loop than the one that runs", function()
    assert.are.equal(("false\tRuntimeError\n"):rep(6) .. "0\n", debug_output [[
      local outer = lucio.get_running_loop()
      local future = outer:create_future()
      local function show(fn, ...)
        local ok, e = pcall(fn, ...)
        print(ok, e.name)
        assert(e.message:find("event loop other than the current one", 1, true))
      end
      lucio.run(function()
        show(outer.call_soon, outer, print, "never")
        show(outer.call_later, outer, 1, print, "never")
        show(outer.create_task, outer, print, "never")
        show(future.set_result, future, 1)
        show(future.set_exception, future, lucio.ValueError("no"))
        show(future.cancel, future)
      end)
      local done = 0
      outer:set_debug(false)
      lucio.run(function() outer:call_soon(function() done = 1 end) end)
      print(done)]])
  end)

  it("does not change what pcall and xpcall do", function()
    local lines = "true\t1\tnil\t3\nfalse\tno\ntrue\t2\nfalse\thandled no\ntrue\ttrue\t7\n"
    assert.are.equal(lines, debug_output [[
      print(pcall(function(...) lucio.sleep(1) return ... end, 1, nil, 3))
      print(pcall(error, "no"))
      print(xpcall(function(...) lucio.sleep(1) return ... end, print, 2))
      print(xpcall(error, function(e) return "handled " .. e, 1 end, "no"))
      for _, bad in ipairs{pcall, xpcall} do assert(not pcall(bad)) end
      print(pcall(pcall, function() return 7 end))]])
  end)

  it("does not take a run inside of the script's own step for a slow step", function()
    local r = command.run{script = [[
      local lucio = require "lucio"
      lucio.get_running_loop().slow_callback_duration = 2
      lucio.run(function() lucio.sleep(2.2) end)
      print("end")]], "--debug", "SCRIPT"}
    assert.are.same({"end\n", 0}, {r.out, r.status})
    assert.is_nil(r.err:match("took 2%."), r.err)
  end)

  it("says of a coroutine that was never awaited that it was not", function()
    local r = command.run{clock = "virtual", script = [[
      local lucio = require "lucio"
      lucio.async(lucio.sleep)(1)
      collectgarbage()
      lucio.sleep(1)]], "--debug", "SCRIPT"}
    assert.matches("coroutine: <Coroutine never awaited at ", r.err, 1, true)
  end)
end)
