-- EA: eager start of tasks.
local case = require "spec.support.case"
local own_loop = require "spec.support.own_loop"
local lucio = require "lucio"

local function no_op() end

-- Both ways to start a task eagerly; each case is run with both.
local ways = {
  eager_start = function(fn)
    return lucio.create_task {fn, eager_start = true}
  end,
  eager_task_factory = function(fn)
    local loop = lucio.get_running_loop()
    loop:set_task_factory(lucio.eager_task_factory)
    local task = lucio.create_task(fn)
    loop:set_task_factory(nil)
    return task
  end,
}

local function both(name, fn)
  for way, start in pairs(ways) do
    case(name .. " (" .. way .. ")", function(t) fn(t, start) end)
  end
end

describe("an eager task", function()
  both("EA1: runs inside create_task until its first suspension", function(t, start)
    local main = lucio.current_task()
    local task = start(function()
      t.log("body", t.tick(), lucio.current_task() ~= main)
      lucio.sleep(0)
      t.log("resumed", t.tick(), lucio.current_task() ~= main)
    end)
    t.log("created", t.tick(), lucio.current_task() == main, task:done())
    task:await()
    t.log("main", t.tick())
    t.same_lines {"body 0 true", "created 0 true false", "resumed 1 true", "main 2"}
  end)

  case("EA1: has its name from its first step on", function(t)
    local loop = lucio.get_running_loop()
    local function body(...) t.log(lucio.current_task():get_name(), ...) end
    local task = lucio.create_task {body, 1, name = "first", eager_start = true}
    t.log(task:get_name(), task:done())
    loop:set_task_factory(lucio.eager_task_factory)
    lucio.create_task {body, 2, name = "second"}
    loop:create_task {body, 3, name = 3, context = lucio.copy_context()}
    do
      local group <close> = lucio.TaskGroup()
      group:create_task {body, 4, name = "fourth"}
    end
    loop:set_task_factory(nil)
    t.same_lines {"first 1", "first true", "second 2", "3 3", "fourth 4"}
    local bad = setmetatable({}, {__tostring = function() error("no text", 0) end})
    t.raises("no text", lucio.create_task, {body, 5, name = bad})
    lucio.sleep(0)
    assert.are.equal(5, #t.lines)
  end)

  both("EA1: swaps the current task also when started in an eager step", function(t, start)
    local inner
    local outer = start(function()
      local self = lucio.current_task()
      inner = start(function()
        t.log("inner", lucio.current_task() ~= self)
        lucio.sleep(0)
      end)
      t.log("outer", lucio.current_task() == self)
    end)
    t.log("ended", outer:done(), inner:done())
    inner:await()
    t.same_lines {"inner true", "outer true", "ended true false"}
  end)

  case("EA1: is current in a callback that starts it, then nobody is", function(t)
    lucio.get_running_loop():call_soon(function()
      local task = ways.eager_start(function()
        t.log("body", lucio.current_task() ~= nil)
        lucio.sleep(0)
      end)
      t.log("callback", lucio.current_task(), task:done())
    end)
    lucio.sleep(0)
    lucio.sleep(0)
    t.same_lines {"body true", "callback nil false"}
  end)

  case("EA1: passes arguments through the factory", function()
    lucio.get_running_loop():set_task_factory(lucio.eager_task_factory)
    local task = lucio.create_task(function(...) return select("#", ...), ... end, nil, 2, nil)
    assert.are.same(table.pack(3, nil, 2, nil), table.pack(task:result()))
  end)

  both("EA2: that ends in its first step is returned done", function(t, start)
    local task = start(function() return "value" end)
    assert.is_true(task:done())
    assert.are.equal("value", task:result())
    assert.are.equal("value", task:await())
    assert.are.equal(0, t.tick())
    task:add_done_callback(function() t.log("callback", t.tick()) end)
    t.same_lines {}
    lucio.sleep(0)
    t.same_lines {"callback 1"}
  end)

  both("EA3: keeps its error, create_task does not raise it", function(t, start)
    local e = lucio.ValueError("stored")
    local task = start(function() error(e) end)
    assert.is_true(task:done())
    t.raises(e, task.await, task)
  end)

  both("EA3: that suspends is an ordinary task", function(t, start)
    local task = start(function() lucio.sleep(100) end)
    assert.are.same({lucio.current_task(), task}, lucio.all_tasks())
    task:cancel("stop")
    local e = t.raises(lucio.CancelledError, task.await, task)
    assert.are.equal("stop", e.args[1])
    assert.are.equal(2, t.tick())
  end)

  both("EA4: runs in a copy of the context", function(t, start)
    local var = lucio.ContextVar("var")
    var:set("creator")
    local task = start(function()
      t.log(var:get())
      var:set("task")
      lucio.sleep(0)
      t.log(var:get())
    end)
    t.log(var:get())
    task:await()
    t.log(var:get())
    t.same_lines {"creator", "creator", "task", "creator"}
  end)

  case("EA4: runs in the given context", function(t)
    local var = lucio.ContextVar("var", "unset")
    local context = lucio.copy_context()
    lucio.create_task {function() var:set("task") end, context = context, eager_start = true}
    context:run(function() t.log(var:get()) end)
    t.log(var:get())
    t.same_lines {"task", "unset"}
  end)

  both("EA5: that cancels itself and returns is cancelled", function(t, start)
    local task = start(function()
      lucio.current_task():cancel("self")
      return "lost"
    end)
    assert.is_true(task:done())
    assert.is_true(task:cancelled())
    assert.are.equal("self", t.raises(lucio.CancelledError, task.result, task).args[1])
  end)

  both("EA5: that has ended cannot be cancelled", function(_, start)
    local task = start(function() return "kept" end)
    assert.is_false(task:cancel())
    assert.are.equal("kept", task:result())
  end)

  case("EA6: gathered with others that have ended costs no tick", function(t)
    lucio.get_running_loop():set_task_factory(lucio.eager_task_factory)
    local one = lucio.async(function(x) return x end)
    local results = lucio.gather(one("a"), one("b"))
    assert.are.same({"a", "b", n = 2}, results)
    assert.are.equal(0, t.tick())
  end)

  case("EA7: that fails at once in a group aborts it a tick later", function(t)
    lucio.get_running_loop():set_task_factory(lucio.eager_task_factory)
    local group = t.raises(lucio.ExceptionGroup, function()
      local group <close> = lucio.TaskGroup()
      local failed = group:create_task(function() error(lucio.ValueError("x")) end)
      t.log("created", failed:done())
      local sibling = group:create_task(function() return "sibling" end)
      t.log(sibling:result())
      local _ <close> = setmetatable({}, {__close = function(_, e)
        t.log(e.name, t.tick())
      end})
      lucio.sleep(100)
    end)
    assert.are.equal(1, #group.exceptions)
    t.same_lines {"created true", "sibling", "CancelledError 2"}
  end)

  own_loop("EA8: is scheduled when the loop does not run", function(loop, t)
    loop:set_task_factory(lucio.eager_task_factory)
    local task = loop:create_task(t.log, "body")
    t.log("created", task:done())
    loop:run_until_complete(task)
    local option = loop:create_task {t.log, "option", eager_start = true}
    t.log("created", option:done())
    loop:run_until_complete(option)
    t.same_lines {"created false", "body", "created false", "option"}
  end)

  both("EA1: survives the collector between its steps", function(_, start)
    local f = lucio.Future()
    local task = start(function()
      local value = f:await()
      return value
    end)
    collectgarbage()
    collectgarbage()
    f:set_result("value")
    assert.are.equal("value", task:await())
    no_op()
  end)
end)
