-- TA1 to TA10, TA17 to TA19: making tasks, their steps and outcomes, factories, sleep.
local case = require "spec.support.case"
local child = require "spec.support.child"
local own_loop = require "spec.support.own_loop"
local lucio = require "lucio"

local function no_op() end

describe("create_task", function()
  case("TA1: runs nothing before its creator suspends; tasks start in order", function(t)
    for i = 1, 3 do
      lucio.create_task(function() t.log(i, t.tick()) end)
    end
    t.log("created")
    lucio.sleep(0)
    t.same_lines {"created", "1 1", "2 1", "3 1"}
  end)

  case("TA1: queues the first step behind what call_soon queued", function(t)
    local loop = lucio.get_running_loop()
    loop:call_soon(t.log, "before")
    lucio.create_task(t.log, "task")
    loop:call_soon(t.log, "behind")
    lucio.sleep(0)
    t.same_lines {"before", "task", "behind"}
  end)

  case("TA1: passes arguments, nils included, in both forms", function()
    local function body(...) return select("#", ...), ... end
    assert.are.same(table.pack(3, nil, 2, nil),
      table.pack(lucio.create_task(body, nil, 2, nil):await()))
    assert.are.same(table.pack(2, 1, 2), table.pack(lucio.create_task({body, 1, 2}):await()))
    assert.are.same(table.pack(2, 1, 2),
      table.pack(lucio.get_running_loop():create_task(body, 1, 2):await()))
  end)

  case("TA1: takes coroutines and awaitable objects too", function()
    local function body(x) return x, lucio.current_task() end
    local task = lucio.create_task(lucio.async(body)("coroutine"))
    assert.are.same({"coroutine", task}, {task:await()})
    local object = setmetatable({}, {__await = function(self) return self, "object" end})
    task = lucio.create_task(object)
    assert.are.same({object, "object"}, {task:await()})
  end)

  -- The command runs this file inside a task, stock Lua does not.
  if not pcall(lucio.get_running_loop) then
    it("TA2: raises RuntimeError outside of a loop", function()
      local ok, e = pcall(lucio.create_task, no_op)
      assert.is_false(ok)
      assert.is_true(lucio.isinstance(e, lucio.RuntimeError))
      assert.are.equal(0, lucio.stats().tasks)
    end)
  end

  case("TA2: refuses what cannot be awaited", function(t)
    local before = lucio.stats().tasks
    t.raises(lucio.TypeError, lucio.create_task)
    t.raises(lucio.TypeError, lucio.create_task, nil)
    for _, value in ipairs {42, "text", true, {}, {42}, {name = "x"}} do
      t.raises(lucio.TypeError, lucio.create_task, value)
    end
    assert.are.equal(before, lucio.stats().tasks)
  end)

  it("TA3: numbers default names from 1", function()
    local r = child.run([[
      local lucio = require "lucio"
      lucio.run(function()
        print(lucio.current_task():get_name())
        print(lucio.create_task(print):get_name(), lucio.create_task{print, name = "x"}:get_name())
        print(lucio.create_task(print):get_name())
      end)
    ]])
    assert.are.equal("Task-1\nTask-2\tx\nTask-3\n", r.stdout:gsub("\n\n+", "\n"), r.stderr)
  end)

  case("TA3: takes a name and a context", function(t)
    local var = lucio.ContextVar("var")
    local context = lucio.copy_context()
    local task = lucio.create_task {function() var:set("inside") end, name = "worker",
      context = context}
    assert.are.equal("worker", task:get_name())
    assert.are.equal(context, task:get_context())
    task:await()
    context:run(function() t.log(var:get()) end)
    t.raises(lucio.LookupError, var.get, var)
    t.same_lines {"inside"}
  end)

  case("TA3: set_name turns its argument into a text", function()
    local task = lucio.create_task {no_op, name = 42}
    assert.are.equal("42", task:get_name())
    task:set_name(7)
    assert.are.equal("7", task:get_name())
    task:set_name("name")
    assert.are.equal("name", task:get_name())
    task:await()
    task:set_name("still")
    assert.are.equal("still", task:get_name())
  end)
end)

describe("a step", function()
  case("TA4: runs until the body waits for something pending", function(t)
    local done = lucio.Future()
    done:set_result()
    local task = lucio.create_task(function()
      for _ = 1, 3 do done:await() end
      lucio.await(no_op)
      local _ <close> = lucio.Lock():acquire()
      t.log("one step", t.tick())
      lucio.sleep(0)
      t.log("next step", t.tick())
    end)
    task:await()
    t.same_lines {"one step 1", "next step 2"}
  end)

  case("TA5: of a fresh task that never waits costs its awaiter 2 ticks", function(t)
    lucio.create_task(no_op):await()
    assert.are.equal(2, t.tick())
  end)

  case("TA5: adds a tick at each task boundary on the way back", function(t)
    local f = lucio.Future()
    local function await_logged(name, what)
      what:await()
      t.log(name, t.tick())
    end
    local a = lucio.create_task(await_logged, "a", f)
    local b = lucio.create_task(await_logged, "b", a)
    lucio.get_running_loop():call_soon(f.set_result, f) -- tick 1
    b:await()
    t.log("main", t.tick())
    t.same_lines {"a 2", "b 3", "main 4"}
  end)

  case("TA5: plain calls and coroutines have no boundary", function(t)
    local deep = lucio.async(function(f) return f:await() end)
    local function plain(f) return lucio.await(deep(f)) end
    local f = lucio.Future()
    lucio.get_running_loop():call_soon(f.set_result, f, "value")
    assert.are.equal("value", lucio.await(lucio.async(plain)(f)))
    assert.are.equal(2, t.tick())
  end)
end)

describe("the outcome of a task", function()
  case("TA6: is what the body returned, all of it", function()
    local task = lucio.create_task(function() return 1, nil, 3, nil end)
    assert.are.same(table.pack(1, nil, 3, nil), table.pack(task:await()))
    assert.are.same(table.pack(1, nil, 3, nil), table.pack(task:result()))
    assert.is_nil(task:exception())
  end)

  case("TA6: is the error, raised only to who asks", function(t)
    local e = lucio.ValueError("x")
    local task = lucio.create_task(function() error(e) end)
    lucio.sleep(0)
    lucio.sleep(0)
    assert.is_true(task:done())
    assert.is_false(task:cancelled())
    t.raises(e, task.await, task)
    t.raises(e, task.result, task)
    assert.is_true(rawequal(e, task:exception()))
  end)

  for _, name in ipairs {"KeyboardInterrupt", "SystemExit"} do
    own_loop("TA7: " .. name .. " is stored and leaves the run as well", function(loop, t)
      local e = lucio[name]()
      local failing
      local uncaught = loop:create_task(function() failing:await() end)
      local caught = loop:create_task(function()
        local ok, got = pcall(failing.await, failing)
        return ok, rawequal(got, e)
      end)
      failing = loop:create_task(function() error(e) end)
      assert.is_true(rawequal(e, t.raises(lucio[name], loop.run_forever, loop)))
      assert.is_true(rawequal(e, failing:exception()))
      assert.is_false(uncaught:done())
      -- who awaits it gets it in the next run, and passes it on
      assert.is_true(rawequal(e, t.raises(lucio[name], loop.run_forever, loop)))
      assert.is_true(rawequal(e, uncaught:exception()))
      loop:stop()
      loop:run_forever()
      assert.are.same({false, true}, {caught:result()})
    end)
  end

  case("TA8: may be an error that is no ordinary one", function(t)
    local Odd = lucio.exception("Odd", lucio.BaseException)
    local task = lucio.create_task(function() error(Odd("strange")) end)
    assert.are.equal("strange", tostring(t.raises(Odd, task.await, task)))
    assert.is_false(task:cancelled())
    lucio.sleep(0)
  end)

  case("TA9: cannot be set from outside", function(t)
    local task = lucio.create_task(function() return "own" end)
    t.raises(lucio.RuntimeError, task.set_result, task, 1)
    t.raises(lucio.RuntimeError, task.set_exception, task, lucio.ValueError("x"))
    assert.are.equal("own", task:await())
    t.raises(lucio.RuntimeError, task.set_result, task, 1)
  end)

  case("TA17: is awaited, called back and cancelled as a future's", function(t)
    local task = lucio.create_task(function() return "value" end)
    task:add_done_callback(function(f) t.log(f == task, f:result(), t.tick()) end)
    task:add_done_callback(no_op)
    assert.are.equal(1, task:remove_done_callback(no_op))
    assert.is_true(lucio.isfuture(task))
    assert.is_true(lucio.isawaitable(task))
    assert.are.equal(lucio.get_running_loop(), task:get_loop())
    t.raises(lucio.InvalidStateError, task.result, task)
    t.raises(lucio.InvalidStateError, task.exception, task)
    task:await()
    t.same_lines {"true value 2"}
  end)
end)

describe("a wrong await", function()
  case("TA10: of oneself raises RuntimeError one tick later", function(t)
    local task
    task = lucio.create_task(function()
      local before = t.tick()
      t.raises(lucio.RuntimeError, task.await, task)
      t.log(t.tick() - before)
      return "survived"
    end)
    assert.are.equal("survived", task:await())
    t.same_lines {"1"}
  end)

  case("TA10: by a raw yield raises RuntimeError, the task may catch it", function(t)
    local task = lucio.create_task(function()
      t.raises(lucio.RuntimeError, coroutine.yield, "foreign")
      t.raises(lucio.RuntimeError, coroutine.yield)
      t.raises(lucio.RuntimeError, coroutine.yield, lucio.Future())
      lucio.sleep(0)
      return "survived"
    end)
    assert.are.equal("survived", task:await())
    task = lucio.create_task(function() coroutine.yield(1) end)
    t.raises(lucio.RuntimeError, task.await, task)
  end)
end)

describe("ensure_future", function()
  case("TA17: returns futures and tasks, wraps the rest, refuses what is no awaitable",
    function(t)
      local f, task = lucio.Future(), lucio.create_task(no_op)
      assert.are.equal(f, lucio.ensure_future(f))
      assert.are.equal(task, lucio.ensure_future(task))
      local made = lucio.ensure_future(lucio.async(function() return "value" end)())
      assert.is_true(lucio.isfuture(made))
      assert.are.equal("value", made:await())
      assert.are.equal("value", lucio.ensure_future(function() return "value" end):await())
      t.raises(lucio.TypeError, lucio.ensure_future, 42)
      t.raises(lucio.TypeError, lucio.ensure_future)
    end)
end)

describe("a task factory", function()
  -- A factory that logs, and makes an ordinary task.
  local function logging_factory(t)
    local function factory(loop, fn, ...)
      t.log("factory", select("#", ...), ...)
      loop:set_task_factory(nil)
      local task = loop:create_task(fn, ...)
      loop:set_task_factory(factory)
      return task
    end
    return factory
  end

  case("TA18: makes every task, and gets the loop and the arguments", function(t)
    local loop = lucio.get_running_loop()
    local factory = logging_factory(t)
    loop:set_task_factory(function(l, ...)
      assert.are.equal(loop, l)
      return factory(l, ...)
    end)
    local task = lucio.create_task(function(a, b) return a + b end, 1, 2)
    assert.are.equal(3, task:await())
    loop:set_task_factory(factory)
    loop:create_task(no_op):await()
    lucio.gather(lucio.async(no_op)())
    do
      local group <close> = lucio.TaskGroup()
      group:create_task(no_op)
    end
    assert.are.equal(4, #t.lines)
    assert.are.equal("factory 2 1 2", t.lines[1])
  end)

  case("TA18: that ignores the name has it applied all the same", function(t)
    lucio.get_running_loop():set_task_factory(logging_factory(t))
    local task = lucio.create_task {no_op, name = "worker"}
    assert.are.equal("worker", task:get_name())
    task:await()
  end)

  case("TA18: must be callable; nil takes it away", function(t)
    local loop = lucio.get_running_loop()
    for _, value in ipairs {42, "text", true, {}} do
      t.raises(lucio.TypeError, loop.set_task_factory, loop, value)
    end
    loop:set_task_factory(logging_factory(t))
    loop:set_task_factory(nil)
    lucio.create_task(no_op):await()
    t.same_lines {}
  end)

  case("TA18: that fails makes create_task fail", function(t)
    local loop = lucio.get_running_loop()
    local before = lucio.stats().tasks
    loop:set_task_factory(function() error("no task", 0) end)
    t.raises("no task", lucio.create_task, no_op)
    assert.are.equal(before, lucio.stats().tasks)
  end)
end)

describe("sleep", function()
  for _, delay in ipairs {0, -1, -math.huge} do
    case("TA19: of " .. delay .. " gives up exactly one tick", function(t)
      local loop = lucio.get_running_loop()
      loop:call_soon(t.log, "queued before")
      lucio.sleep(delay)
      t.log("slept", t.tick())
      t.same_lines {"queued before", "slept 1"}
    end)
  end

  case("TA19: returns its further arguments", function()
    assert.are.same(table.pack("a", nil, 3, nil), table.pack(lucio.sleep(0, "a", nil, 3, nil)))
    assert.are.same(table.pack("a", nil, 3, nil), table.pack(lucio.sleep(1, "a", nil, 3, nil)))
    assert.are.same({n = 0}, table.pack(lucio.sleep(0)))
    assert.are.same({n = 0}, table.pack(lucio.sleep(1)))
  end)

  case("TA19: of NaN raises ValueError, of no number TypeError", function(t)
    t.raises(lucio.ValueError, lucio.sleep, 0 / 0)
    t.raises(lucio.TypeError, lucio.sleep)
    t.raises(lucio.TypeError, lucio.sleep, "1")
    assert.are.equal(0, t.tick())
  end)

  case("TA19: that is cancelled cancels its timer", function(t)
    local before = lucio.stats().timers
    local task = lucio.create_task(lucio.sleep, 100)
    lucio.sleep(0)
    assert.are.equal(before + 1, lucio.stats().timers)
    task:cancel()
    t.raises(lucio.CancelledError, task.await, task)
    assert.are.equal(before, lucio.stats().timers)
  end)

  case("TA19: due at t resumes its task at t+1", function(t)
    lucio.get_running_loop():call_later(1, t.start_ticks)
    lucio.sleep(1)
    assert.are.equal(1, t.tick())
  end)
end)
