-- TA11 to TA16: looking at tasks, and the reports about lost ones.
local case = require "spec.support.case"
local child = require "spec.support.child"
local own_loop = require "spec.support.own_loop"
local lucio = require "lucio"

local FILE = "ta_introspection_spec.lua"

local function no_op() end

local function has(text, part)
  assert.is_truthy(text:find(part, 1, true), string.format("%q lacks %q", text, part))
end

local function collect()
  collectgarbage()
  collectgarbage()
end

describe("current_task", function()
  case("TA11: is the task being stepped, on both sides of every suspension", function(t)
    local main = lucio.current_task()
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = lucio.create_task(function()
        for _ = 1, 3 do
          assert(lucio.current_task() == tasks[i])
          lucio.sleep(0)
          assert(lucio.current_task() == tasks[i])
        end
        t.log(i)
      end)
    end
    assert.are.equal(main, lucio.current_task())
    lucio.gather(table.unpack(tasks))
    assert.are.equal(main, lucio.current_task())
    t.same_lines {"1", "2", "3"}
  end)

  case("TA11: is right in coroutines, clean-ups and error handlers", function(t)
    local task
    task = lucio.create_task(function()
      local _ <close> = setmetatable({}, {__close = function()
        lucio.sleep(0)
        t.log("close", lucio.current_task() == task)
      end})
      local generator = coroutine.wrap(function()
        lucio.sleep(0)
        t.log("generator", lucio.current_task() == task)
      end)
      generator()
      xpcall(error, function() t.log("handler", lucio.current_task() == task) end)
    end)
    task:await()
    t.same_lines {"generator true", "handler true", "close true"}
  end)

  case("TA11: is nil in plain callbacks", function(t)
    local loop = lucio.get_running_loop()
    local f = lucio.Future()
    loop:call_soon(function() t.log(lucio.current_task()) end)
    loop:call_later(0, function() t.log(lucio.current_task()) end)
    f:add_done_callback(function() t.log(lucio.current_task()) end)
    f:set_result()
    lucio.sleep(0)
    lucio.sleep(0)
    t.same_lines {"nil", "nil", "nil"}
  end)

  -- The command runs this file inside a task, stock Lua does not.
  if not pcall(lucio.get_running_loop) then
    it("TA11: raises RuntimeError outside of a loop", function()
      local ok, e = pcall(lucio.current_task)
      assert.is_false(ok)
      assert.is_true(lucio.isinstance(e, lucio.RuntimeError))
    end)
  end
end)

describe("all_tasks", function()
  case("TA12: lists what is not done, in the order of creation", function()
    local main = lucio.current_task()
    local waiting = lucio.create_task(lucio.sleep, 100)
    local ending = lucio.create_task(no_op)
    lucio.sleep(0)
    local unstarted = lucio.create_task(no_op)
    local eager = lucio.create_task {lucio.sleep, 100, eager_start = true}
    local finished = lucio.create_task {no_op, eager_start = true}
    assert.are.same({main, waiting, unstarted, eager}, lucio.all_tasks())
    assert.is_true(ending:done() and finished:done())
    waiting:cancel()
    assert.are.same({main, waiting, unstarted, eager}, lucio.all_tasks())
    lucio.sleep(0)
    assert.are.same({main, eager}, lucio.all_tasks())
  end)

  case("TA12: holds a task in its eager step", function(t)
    lucio.create_task {function()
      local list = lucio.all_tasks()
      t.log(#list, list[2] == lucio.current_task())
    end, eager_start = true}
    t.same_lines {"2 true"}
  end)

  case("TA12: is a fresh list each time", function()
    local list = lucio.all_tasks()
    assert.are_not.equal(list, lucio.all_tasks())
    list[1] = nil
    assert.are.equal(1, #lucio.all_tasks())
  end)
end)

describe("a task that nobody holds", function()
  case("TA13: goes on", function(t)
    local function start()
      lucio.create_task(function()
        local f = lucio.Future()
        lucio.get_running_loop():call_later(1, function() f:set_result("value") end)
        t.log(f:await())
      end)
    end
    start()
    lucio.sleep(0)
    collect()
    lucio.sleep(2)
    t.same_lines {"value"}
  end)

  case("TA13: is kept though all that it waits for is unreachable as well", function()
    local alive = setmetatable({}, {__mode = "k"})
    local function start()
      lucio.create_task(function()
        local f = lucio.Future()
        alive[f] = true
        f:await()
      end)
    end
    start()
    lucio.sleep(0)
    collect()
    assert.is_not_nil(next(alive))
    local task = lucio.all_tasks()[2]
    assert.is_false(task:done())
  end)

  own_loop("TA13: and is pending when the loop closes is reported", function(loop, t)
    local task = loop:create_task(lucio.sleep, 100)
    loop:stop()
    loop:run_forever()
    loop:close()
    assert.are.equal(1, #t.reports)
    has(t.reports[1].message, "destroyed but it is pending")
    assert.are.equal(task, t.reports[1].task)
    task = nil -- luacheck: ignore 311
    t.reports[1] = nil
    collect()
    assert.are.equal(0, #t.reports)
  end)
end)

describe("a failed task", function()
  local function drop_failed(after)
    local task = lucio.create_task(function() error(lucio.ValueError("lost")) end)
    lucio.sleep(0)
    lucio.sleep(0)
    assert.is_true(task:done())
    if after then after(task) end
  end

  case("TA14: that nobody looked at is reported when it is collected", function(t)
    drop_failed()
    assert.are.equal(0, #t.reports)
    collect()
    lucio.sleep(0)
    assert.are.equal(1, #t.reports)
    local context = t.reports[1]
    has(context.message, "exception was never retrieved")
    assert.are.equal("lost", tostring(context.exception))
    assert.is_true(lucio.isfuture(context.future))
    assert.is_string(context.future:get_name())
  end)

  local silencers = {
    ["cancel()"] = function(task) assert.is_false(task:cancel()) end,
    ["exception()"] = function(task) task:exception() end,
    ["result()"] = function(task) pcall(task.result, task) end,
    ["an await"] = function(task) pcall(task.await, task) end,
    ["gather"] = function(task) pcall(lucio.gather, task) end,
  }

  for name, silence in pairs(silencers) do
    case("TA14: is not reported after " .. name, function(t)
      drop_failed(silence)
      collect()
      lucio.sleep(0)
      assert.are.equal(0, #t.reports)
    end)
  end

  own_loop("TA14: that is still held is reported when the loop closes, once", function(loop, t)
    local task = loop:create_task(function() error(lucio.ValueError("lost")) end)
    assert.is_false(task:done())
    loop:stop()
    loop:run_forever()
    loop:close()
    assert.are.equal(1, #t.reports)
    assert.are.equal("lost", tostring(t.reports[1].exception))
    task = nil -- luacheck: ignore 311
    collect()
    assert.are.equal(1, #t.reports)
  end)
end)

describe("traceback", function()
  local function wait_below(f)
    f:await()
    return "not a tail call"
  end

  local function fail_below()
    error(lucio.ValueError("x"))
  end

  case("TA15: of a suspended task shows where it waits, through all calls", function()
    local f = lucio.Future()
    local task = lucio.create_task(function()
      local value = wait_below(f)
      return value
    end)
    lucio.sleep(0)
    local text = task:traceback()
    has(text, FILE)
    has(text, "wait_below")
    f:set_result()
    task:await()
  end)

  case("TA15: of a task that has not started names its function", function()
    local task = lucio.create_task(function() return 1 end)
    has(task:traceback(), FILE)
    task:await()
  end)

  case("TA15: of a failed task shows where the error was raised", function()
    local task = lucio.create_task(function()
      local value = fail_below()
      return value
    end)
    pcall(task.await, task)
    has(task:traceback(), "fail_below")
    has(task:exception().traceback, "fail_below")
  end)

  case("TA15: of a succeeded or cancelled task is empty", function()
    local task = lucio.create_task(no_op)
    task:await()
    assert.are.equal("", task:traceback() or "")
    task = lucio.create_task(lucio.sleep, 100)
    task:cancel()
    pcall(task.await, task)
    assert.are.equal("", task:traceback() or "")
  end)

  it("TA15: print_stack writes it to stderr below a header", function()
    local r = child.run([[
      local lucio = require "lucio"
      lucio.run(function()
        local function pause() lucio.sleep(1) return 1 end
        local waiting = lucio.create_task{function() return (pause()) end, name = "waiting"}
        local function fail() error(lucio.ValueError("bad")) end
        local failed = lucio.create_task{fail, name = "failed"}
        lucio.sleep(0)
        lucio.sleep(0)
        waiting:print_stack()
        failed:print_stack()
        failed:exception()
        waiting:await()
        waiting:print_stack()
      end)
    ]])
    local stack = r.stderr:find("Stack for <Task pending name='waiting'", 1, true)
    local traceback = r.stderr:find("Traceback for <Task finished name='failed'", 1, true)
    local none = r.stderr:find("No stack for <Task finished name='waiting'", 1, true)
    assert.is_truthy(stack and traceback and none, r.stderr)
    assert.is_true(stack < traceback and traceback < none)
    has(r.stderr:sub(stack, traceback), "pause")
    has(r.stderr:sub(traceback, none), "bad")
  end)
end)

describe("the text of a task", function()
  case("TA16: has state, name and position", function()
    local task = lucio.create_task {lucio.async(lucio.sleep)(0), name = "worker"}
    has(tostring(task), "<Task pending name='worker'")
    task:await()
    has(tostring(task), "<Task finished name='worker'")
    task = lucio.create_task {function() return 42 end, name = "worker"}
    has(tostring(task), "<Task pending name='worker' at ")
    assert.is_truthy(tostring(task):find(FILE .. ":%d+"), tostring(task))
    task:await()
    has(tostring(task), "result=42")
  end)

  case("TA16: says cancelling while a request is outstanding, then cancelled", function()
    local task = lucio.create_task {lucio.sleep, 100, name = "worker"}
    lucio.sleep(0)
    task:cancel()
    has(tostring(task), "<Task cancelling name='worker'")
    pcall(task.await, task)
    has(tostring(task), "<Task cancelled name='worker'")
  end)

  case("TA16: shows the error, the awaited future and the callbacks", function()
    local f = lucio.Future()
    local task = lucio.create_task(f.await, f)
    lucio.sleep(0)
    has(tostring(task), "wait_for=<Future pending")
    task:add_done_callback(no_op)
    has(tostring(task), "cb=[")
    f:set_exception(lucio.ValueError("bad value"))
    pcall(task.await, task)
    has(tostring(task), "exception=ValueError")
    has(tostring(task), "bad value")
  end)

  case("TA16: of a long chain of waiting tasks is limited", function()
    local inner = lucio.Future()
    for _ = 1, 200 do
      local awaited = inner
      inner = lucio.create_task(function() awaited:await() end)
    end
    lucio.sleep(0)
    lucio.sleep(0)
    assert.is_true(#tostring(inner) < 10000)
    inner:cancel()
    pcall(inner.await, inner)
  end)
end)
