-- Context variables, the contexts of tasks and callbacks. Also cx_copy_spec.lua.
local assert = require "luassert"
local case = require "spec.support.case"
local eventually = require "spec.support.eventually"
local lucio = require "lucio"

describe("lucio.ContextVar", function()
  case("CX4: get gives the value, else its argument, else the default", function()
    local var = lucio.ContextVar("var", "default")
    assert.are.equal("default", var:get())
    assert.are.equal("argument", var:get("argument"))
    var:set("value")
    assert.are.equal("value", var:get())
    assert.are.equal("value", var:get("argument"))
  end)

  case("CX4: get without value and default raises LookupError", function(t)
    local var = lucio.ContextVar("var")
    local e = t.raises(lucio.LookupError, var.get, var)
    assert.is_true(lucio.isinstance(e, lucio.Exception))
    assert.are.equal(1, var:get(1))
    t.raises(lucio.LookupError, var.get, var)
  end)

  case("CX4: nil is a value and a default", function()
    local var = lucio.ContextVar("var", nil)
    assert.are.same({n = 1}, table.pack(var:get()))
    local other = lucio.ContextVar("other")
    assert.are.same({n = 1}, table.pack(other:get(nil)))
    other:set(nil)
    assert.are.same({n = 1}, table.pack(other:get("argument")))
    other:set(false)
    assert.is_false(other:get(true))
  end)

  case("CX4: variables of one name are different variables", function()
    local a, b = lucio.ContextVar("name", "a"), lucio.ContextVar("name", "b")
    a:set(1)
    assert.are.equal("b", b:get())
  end)

  case("CX4: a name that is no string raises TypeError", function(t)
    local e = t.raises(lucio.TypeError, lucio.ContextVar)
    assert.matches("^bad argument #1 to 'ContextVar' %(string expected, got ", tostring(e))
    t.raises(lucio.TypeError, lucio.ContextVar, {})
  end)

  case("CX5: reset restores the old value or the unset state", function(t)
    local var = lucio.ContextVar("var")
    local first = var:set(1)
    local second = var:set(2)
    var:reset(second)
    assert.are.equal(1, var:get())
    var:reset(first)
    t.raises(lucio.LookupError, var.get, var)
  end)

  case("CX5: tokens may be used out of order", function()
    local var = lucio.ContextVar("var", 0)
    local first = var:set(1)
    local second = var:set(2)
    var:reset(first)
    assert.are.equal(0, var:get())
    var:reset(second)
    assert.are.equal(1, var:get())
  end)

  case("CX5: reset restores a nil value as a value", function()
    local var = lucio.ContextVar("var", "default")
    var:set(nil)
    local token = var:set(1)
    var:reset(token)
    assert.is_nil(var:get())
  end)

  case("CX5: a token used twice raises RuntimeError", function(t)
    local var = lucio.ContextVar("var", 0)
    local token = var:set(1)
    var:reset(token)
    var:set(2)
    t.raises(lucio.RuntimeError, var.reset, var, token)
    assert.are.equal(2, var:get())
  end)

  case("CX5: another variable's token raises ValueError and stays good", function(t)
    local var, other = lucio.ContextVar("var", 0), lucio.ContextVar("other", 0)
    local token = other:set(1)
    t.raises(lucio.ValueError, var.reset, var, token)
    other:reset(token)
    assert.are.equal(0, other:get())
  end)

  case("CX5: another context's token raises ValueError", function(t)
    local var = lucio.ContextVar("var", 0)
    local token = var:set(1)
    t.raises(lucio.ValueError, function()
      lucio.copy_context():run(function() var:reset(token) end)
    end)
    local task = lucio.create_task(function() var:reset(token) end)
    t.raises(lucio.ValueError, task.await, task)
    assert.are.equal(1, var:get())
    var:reset(token)
    assert.are.equal(0, var:get())
  end)

  case("CX5: reset without a token raises TypeError", function(t)
    local var = lucio.ContextVar("var", 0)
    t.raises(lucio.TypeError, var.reset, var)
    t.raises(lucio.TypeError, var.reset, var, {})
  end)
end)

describe("A task's context", function()
  case("CX1: is a copy taken at creation", function(t)
    local var = lucio.ContextVar("var", "none")
    var:set("before")
    local task = lucio.create_task(function()
      t.log("task", var:get())
      var:set("task")
      lucio.sleep(0)
      t.log("task", var:get())
    end)
    var:set("after")
    lucio.sleep(0)
    t.log("main", var:get())
    task:await()
    t.log("main", var:get())
    t.same_lines {"task before", "main after", "task task", "main after"}
  end)

  case("CX1: is inherited by the task's own tasks", function()
    local var = lucio.ContextVar("var", 0)
    local function deeper(n)
      var:set(var:get() + 1)
      if n == 0 then return var:get() end
      return lucio.create_task(deeper, n - 1):await()
    end
    assert.are.equal(5, lucio.create_task(deeper, 4):await())
    assert.are.equal(0, var:get())
  end)

  case("CX1: is shared with the functions it calls", function()
    local var = lucio.ContextVar("var", 0)
    local function callee()
      var:set(1)
      lucio.sleep(0)
    end
    callee()
    assert.are.equal(1, var:get())
    lucio.await(callee)
    lucio.await(lucio.async(function() var:set(2) end)())
    assert.are.equal(2, var:get())
  end)

  case("CX1: is kept by many tasks that change it between their waits", function()
    local var, tasks = lucio.ContextVar("var", 0), {}
    for i = 1, 10 do
      tasks[i] = lucio.create_task(function()
        for n = 1, 5 do
          var:set(i * 100 + n)
          lucio.sleep(0.1 * (i % 3))
          assert.are.equal(i * 100 + n, var:get())
        end
      end)
    end
    for _, task in ipairs(tasks) do task:await() end
    assert.are.equal(0, var:get())
  end)

  case("CX2: is the very context that was given", function()
    local var, context = lucio.ContextVar("var", 0), lucio.copy_context()
    local task = lucio.create_task {function() var:set(1) end, context = context}
    assert.are.equal(context, task:get_context())
    task:await()
    assert.are.equal(0, var:get())
    assert.are.equal(1, context:run(function() return var:get() end))
  end)

  case("CX2: may be shared by two tasks, which see each other's changes", function(t)
    local var, context = lucio.ContextVar("var", "none"), lucio.copy_context()
    for _, name in ipairs {"a", "b"} do
      lucio.create_task {function()
        t.log(name, var:get())
        var:set(name)
        lucio.sleep(0)
        t.log(name, var:get())
      end, context = context}
    end
    lucio.sleep(0)
    lucio.sleep(0)
    t.same_lines {"a none", "b a", "a b", "b b"}
    assert.are.equal("none", var:get())
  end)

  case("CX2: a context option that is no context raises TypeError", function(t)
    t.raises(lucio.TypeError, lucio.create_task, {function() end, context = {}})
    assert.are.equal(1, #lucio.all_tasks())
  end)
end)

describe("A callback's context", function()
  local function values_of(schedule)
    local var, seen = lucio.ContextVar("var", "none"), nil
    var:set("before")
    schedule(function()
      seen = var:get()
      var:set("callback")
    end)
    var:set("after")
    eventually(function() return seen end)
    return {seen, var:get()}
  end

  local loop_calls = {
    call_soon = function(fn) lucio.get_running_loop():call_soon(fn) end,
    call_later = function(fn) lucio.get_running_loop():call_later(0.5, fn) end,
    call_at = function(fn)
      local loop = lucio.get_running_loop()
      loop:call_at(loop:time() + 0.5, fn)
    end,
    ["future:add_done_callback"] = function(fn)
      local future = lucio.Future()
      future:add_done_callback(fn)
      lucio.get_running_loop():call_later(0.5, future.set_result, future, 1)
    end,
    ["task:add_done_callback"] = function(fn)
      local var = lucio.ContextVar("other")
      local task = lucio.create_task(function() var:set("task") end)
      task:add_done_callback(function()
        assert.are.equal("unset", var:get("unset"))
        fn()
      end)
    end,
    ["add_done_callback on a done future"] = function(fn)
      local future = lucio.Future()
      future:set_result(1)
      future:add_done_callback(fn)
    end,
    add_reader = function(fn)
      local loop, pipe = lucio.get_running_loop(), io.popen("echo ready")
      loop:add_reader(pipe, function()
        loop:remove_reader(pipe)
        pipe:close()
        fn()
      end)
    end,
    add_signal_handler = function(fn)
      local loop = lucio.get_running_loop()
      loop:add_signal_handler("SIGUSR1", function()
        fn()
        loop:remove_signal_handler("SIGUSR1")
      end)
      os.execute("kill -USR1 $PPID")
    end,
  }

  for name, schedule in pairs(loop_calls) do
    case("CX3: of " .. name .. " is a copy taken at registration", function()
      assert.are.same({"before", "after"}, values_of(schedule))
    end)
  end

  case("CX3: every run of one callback's chain has its own copy", function(t)
    local var, loop = lucio.ContextVar("var", 0), lucio.get_running_loop()
    local function turn(n)
      var:set(var:get() + 1)
      t.log(var:get())
      if n > 1 then loop:call_soon(turn, n - 1) end
    end
    loop:call_soon(turn, 3)
    lucio.sleep(1)
    t.same_lines {"1", "2", "3"}
    assert.are.equal(0, var:get())
  end)
end)
