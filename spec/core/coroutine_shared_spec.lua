-- Lua's coroutines that several tasks use, and coroutine.close. Awaits: coroutine_spec.lua.
local assert = require "luassert"
local case = require "spec.support.case"
local child = require "spec.support.child"
local lucio = require "lucio"

-- A generator of first..last that waits a tick before each value.
local function counter(first, last)
  return coroutine.wrap(function()
    for i = first, last do
      lucio.sleep(0)
      coroutine.yield(i)
    end
  end)
end

local function closing(t, name, delay)
  return setmetatable({}, {__close = function(_, e)
    if delay then lucio.sleep(delay) end
    t.log(name, type(e) == "table" and e.name or e)
  end})
end

describe("A coroutine shared by tasks", function()
  case("LG8: may be consumed by different tasks, one step each", function(t)
    local generator, tasks = counter(1, 6), {}
    for i = 1, 2 do
      tasks[i] = lucio.create_task(function()
        lucio.sleep(i)
        for _ = 1, 3 do
          t.log(i, generator())
          lucio.sleep(2)
        end
      end)
    end
    for _, task in ipairs(tasks) do task:await() end
    t.same_lines {"1 1", "2 2", "1 3", "2 4", "1 5", "2 6"}
  end)

  case("LG8: a generator begun in one task goes on in another after the first has ended", function()
    local generator
    local task = lucio.create_task(function()
      generator = counter(1, 3)
      return generator()
    end)
    assert.are.equal(1, task:await())
    assert.are.equal(2, generator())
    assert.are.equal(3, lucio.create_task(generator):await())
  end)

  case("LG8: resuming it while it waits for another task is refused", function(t)
    local co = coroutine.create(function()
      lucio.sleep(1)
      coroutine.yield("value")
    end)
    local task = lucio.create_task(coroutine.resume, co)
    lucio.sleep(0)
    local ok, e = coroutine.resume(co)
    assert.are.same({false, "cannot resume non-suspended coroutine"}, {ok, e})
    assert.are.same({true, "value"}, {task:await()})
    assert.are.equal("suspended", coroutine.status(co))

    local generator = counter(1, 2)
    task = lucio.create_task(generator)
    lucio.sleep(0)
    t.raises("cannot resume non-suspended coroutine", function()
      generator()
      return nil
    end)
    assert.are.equal(1, task:await())
  end)

  case("LG8: inside, running and isyieldable speak of the coroutine", function()
    local co
    co = coroutine.create(function()
      for _ = 1, 2 do
        local running, main = coroutine.running()
        assert.are.equal(co, running)
        assert.is_false(main)
        assert.is_true(coroutine.isyieldable())
        assert.are.equal("running", coroutine.status(co))
        lucio.sleep(0)
      end
      return "result"
    end)
    assert.are.same({true, "result"}, {coroutine.resume(co)})
  end)

  case("LG8: in a task that is not inside a coroutine, they speak of the task's thread", function()
    local thread, main = coroutine.running()
    assert.is_false(main)
    assert.is_true(coroutine.isyieldable())
    assert.are.equal("running", coroutine.status(thread))
    local inner, inner_status
    coroutine.wrap(function()
      inner, inner_status = coroutine.running(), coroutine.status(thread)
    end)()
    assert.are_not.equal(thread, inner)
    assert.are.equal("normal", inner_status)
    lucio.sleep(0)
    assert.are.equal(thread, (coroutine.running()))
  end)

  case("LG8: the outer is normal while the inner runs, also after an await", function(t)
    local outer
    outer = coroutine.create(function()
      local inner = coroutine.wrap(function()
        t.log(coroutine.status(outer))
        lucio.sleep(0)
        t.log(coroutine.status(outer))
      end)
      inner()
    end)
    coroutine.resume(outer)
    t.same_lines {"normal", "normal"}
  end)
end)

describe("coroutine.close in a task", function()
  case("LG2: closes a generator that stands at a yield after awaits", function(t)
    local co = coroutine.create(function()
      local _ <close> = closing(t, "closed")
      lucio.sleep(0)
      coroutine.yield(1)
    end)
    coroutine.resume(co)
    assert.is_true(coroutine.close(co))
    assert.are.equal("dead", coroutine.status(co))
    t.same_lines {"closed nil"}
    assert.are.same({false, "cannot resume dead coroutine"}, {coroutine.resume(co)})
  end)

  case("LG2: a __close that must wait is refused there, the task goes on", function(t)
    local co = coroutine.create(function()
      local _ <close> = closing(t, "outer")
      local _ <close> = closing(t, "inner", 0)
      coroutine.yield(1)
    end)
    coroutine.resume(co)
    local ok, e = coroutine.close(co)
    assert.is_false(ok)
    assert.is_truthy(e)
    assert.are.equal(1, #t.lines)
    assert.matches("^outer", t.lines[1])
    lucio.sleep(0)
    assert.are.equal(1, t.tick())
  end)

  case("LG8: withdraws the await in which the generator is suspended", function(t)
    local queue = lucio.Queue()
    local co = coroutine.create(function()
      local _ <close> = closing(t, "closed")
      t.log("got", queue:get())
    end)
    local task = lucio.create_task(coroutine.resume, co)
    lucio.sleep(0)
    assert.is_true(coroutine.close(co))
    assert.are.equal("dead", coroutine.status(co))
    t.same_lines {"closed GeneratorExit"}
    queue:put_nowait("item")
    for _ = 1, 3 do lucio.sleep(0) end
    assert.is_true(task:done())
    assert.is_false((task:result()))
    assert.are.equal(1, queue:qsize())
    t.same_lines {"closed GeneratorExit"}
  end)

  case("LG2: <close> variables of a generator run by an error may wait", function(t)
    local generator = coroutine.wrap(function()
      local ok, e = pcall(function()
        local _ <close> = closing(t, "closed", 0)
        coroutine.yield(1)
        error("text", 0)
      end)
      coroutine.yield(ok, e)
    end)
    generator()
    assert.are.same({false, "text"}, {generator()})
    t.same_lines {"closed text"}
    assert.are.equal(1, t.tick())
  end)

  case("LG1: a generator dropped at a yield or in an await is collected", function()
    local weak = setmetatable({}, {__mode = "k"})
    do
      local co = coroutine.create(function()
        lucio.sleep(0)
        coroutine.yield(1)
      end)
      coroutine.resume(co)
      weak[co] = true
      local future = lucio.Future()
      co = coroutine.create(function() future:await() end)
      local task = lucio.create_task(coroutine.resume, co)
      weak[co], weak[task], weak[future] = true, true, true
      lucio.sleep(0)
      task:cancel()
      lucio.sleep(0)
      lucio.sleep(0)
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)
end)

describe("a coroutine whose task went with its loop", function()
  it("LG8: stays normal, is not resumed, and can be closed", function()
    local r = child.run [[
      local lucio = require "lucio"
      local loop, co = lucio.new_event_loop(), nil
      loop:set_exception_handler(function() end)
      loop:create_task(function()
        co = coroutine.create(function()
          local _ <close> = setmetatable({}, {__close = function(_, e) print("closed", e) end})
          lucio.sleep(100)
        end)
        coroutine.resume(co)
      end)
      loop:call_soon(function() loop:stop() end)
      loop:run_forever()
      loop:close()
      collectgarbage()
      collectgarbage()
      print(coroutine.status(co), coroutine.resume(co))
      print(coroutine.close(co), coroutine.status(co))]]
    assert.are.same({"normal\tfalse\tcannot resume non-suspended coroutine\nclosed\tnil\n" ..
      "true\tdead\n", 0}, {r.stdout, r.status})
  end)
end)
