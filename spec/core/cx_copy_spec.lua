-- copy_context, Context:run, and the contexts of bodies, children and generators.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

describe("lucio.copy_context", function()
  case("CX6: the copy is isolated in both directions", function()
    local var = lucio.ContextVar("var", 0)
    var:set(1)
    local context = lucio.copy_context()
    var:set(2)
    assert.are.equal(1, context:run(var.get, var))
    context:run(var.set, var, 3)
    assert.are.equal(2, var:get())
    assert.are.equal(3, context:run(var.get, var))
  end)

  case("CX6: run passes arguments, results and errors", function(t)
    local context = lucio.copy_context()
    local results = table.pack(context:run(function(...) return select("#", ...), ... end, 1, nil))
    assert.are.same({n = 3, 2, 1, nil}, results)
    t.raises("broken", context.run, context, error, "broken", 0)
    t.raises(lucio.TypeError, context.run, context)
  end)

  case("CX6: run may suspend, other tasks keep their own context meanwhile", function(t)
    local var, context = lucio.ContextVar("var", "main"), lucio.copy_context()
    lucio.create_task(function() t.log("task", var:get()) end)
    context:run(function()
      var:set("inside")
      lucio.sleep(0)
      t.log("run", var:get())
    end)
    t.log("main", var:get())
    t.same_lines {"task main", "run inside", "main main"}
  end)

  case("CX6: the caller's context comes back after an error and a cancel", function(t)
    local var, context = lucio.ContextVar("var", "main"), lucio.copy_context()
    t.raises("broken", context.run, context, function()
      var:set("inside")
      lucio.sleep(0)
      error("broken", 0)
    end)
    assert.are.equal("main", var:get())
    local task = lucio.create_task(function()
      local ok = pcall(context.run, context, function() lucio.sleep(1) end)
      t.log(ok, var:get())
    end)
    lucio.sleep(0)
    task:cancel()
    lucio.sleep(0)
    t.same_lines {"false main"}
    assert.are.equal("inside", context:run(var.get, var))
  end)

  case("CX6: a context that is entered cannot be entered", function(t)
    local context = lucio.copy_context()
    context:run(function()
      t.raises(lucio.RuntimeError, context.run, context, function() end)
    end)
    context:run(function() end)
  end)

  case("CX6: a task's context is entered while the task runs, not while it waits", function(t)
    local context = lucio.copy_context()
    local own = lucio.current_task():get_context()
    t.raises(lucio.RuntimeError, own.run, own, function() end)
    local task = lucio.create_task {function()
      t.raises(lucio.RuntimeError, context.run, context, function() end)
      own:run(t.log, "the creator's")
      lucio.sleep(0)
    end, context = context}
    lucio.sleep(0)
    context:run(t.log, "the waiting task's")
    task:await()
    t.same_lines {"the creator's", "the waiting task's"}
  end)

  case("CX6: a context stays entered while an eager task takes its first step in it", function(t)
    local context = lucio.copy_context()
    local own = lucio.current_task():get_context()
    local function enter(which)
      return tostring(select(2, pcall(which.run, which, function() return "entered" end)))
    end
    local message = "cannot enter context: it is already entered"
    local task = lucio.create_task {function()
      t.log(enter(own))
      t.log(enter(context))
      lucio.create_task {function() t.log(enter(own), enter(context)) end, eager_start = true}
      lucio.sleep(0)
      t.log(enter(own))
    end, eager_start = true, context = context}
    t.log(enter(context))
    for _, entered in ipairs {own, context} do
      local ok, e = pcall(context.run, context, function()
        lucio.create_task {t.log, "never", eager_start = true, context = entered}
      end)
      t.log(ok, e)
    end
    context:run(function() t.log(enter(own)) end)
    lucio.create_task {t.log, "later", context = own}
    task:await()
    t.same_lines {message, message, message .. " " .. message, "entered", "false " .. message,
      "false " .. message, message, "entered", "later"}
  end)

  case("CX6: different contexts nest", function()
    local var = lucio.ContextVar("var", 0)
    local outer, inner = lucio.copy_context(), lucio.copy_context()
    outer:run(function()
      var:set(1)
      inner:run(function() var:set(2) end)
      assert.are.equal(1, var:get())
    end)
    assert.are.equal(2, inner:run(var.get, var))
  end)

  it("CX6: works outside a loop", function()
    local var = lucio.ContextVar("var", 0)
    local context = lucio.copy_context()
    context:run(function() var:set(1) end)
    assert.are.equal(0, var:get())
    assert.are.equal(1, context:run(function() return var:get() end))
  end)
end)

describe("Contexts of what runs elsewhere", function()
  case("CX7: bodies of timeout, wait_for and TaskGroup run in the caller's context", function()
    local var = lucio.ContextVar("var", 0)
    do
      local _ <close> = lucio.timeout(1)
      var:set(1)
    end
    assert.are.equal(1, var:get())
    lucio.wait_for(function()
      lucio.sleep(0.5)
      var:set(2)
    end, 1)
    assert.are.equal(2, var:get())
    lucio.with(lucio.TaskGroup(), function(tg)
      tg:create_task(function() var:set(100) end)
      var:set(3)
    end)
    assert.are.equal(3, var:get())
  end)

  case("CX7: functions given to gather run each in a copy", function()
    local var = lucio.ContextVar("var", 0)
    local function add()
      var:set(var:get() + 1)
      lucio.sleep(0)
      return var:get()
    end
    var:set(10)
    assert.are.same({n = 2, 11, 11}, lucio.gather(add, add))
    assert.are.equal(10, var:get())
  end)

  case("CX7: a generator runs in the context of whoever advances it", function(t)
    local var = lucio.ContextVar("var", "none")
    local generator = lucio.generator(function()
      while true do
        lucio.sleep(0)
        coroutine.yield(var:get())
      end
    end)
    var:set("main")
    t.log(generator:asend(nil))
    for _, name in ipairs {"a", "b"} do
      lucio.create_task(function()
        var:set(name)
        t.log(generator:asend(nil))
      end):await()
    end
    t.log(generator:asend(nil))
    generator:aclose()
    t.same_lines {"main", "a", "b", "main"}
  end)

  case("CX7: what a generator sets, its consumer sees", function()
    local var = lucio.ContextVar("var", 0)
    local generator = lucio.generator(function()
      var:set(1)
      coroutine.yield(1)
    end)
    generator:asend(nil)
    assert.are.equal(1, var:get())
    generator:aclose()
  end)
end)
