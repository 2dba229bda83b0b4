-- lucio.generator: iteration, asend, athrow. Closing: ag_close_spec.lua.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

-- A generator of 1..n that waits `delay` before each value where one is given.
local function counter(n, delay)
  return lucio.generator(function()
    for i = 1, n do
      if delay then lucio.sleep(delay) end
      coroutine.yield(i)
    end
  end)
end

local function collect(generator)
  local list = {}
  for v in generator do list[#list + 1] = v end
  return list
end

describe("lucio.generator iteration", function()
  case("AG7: a return ends the iteration", function()
    assert.are.same({1, 2, 3}, collect(counter(3)))
    assert.are.same({}, collect(counter(0)))
  end)

  case("AG7: iterating a finished generator ends at once", function()
    local generator = counter(2)
    collect(generator)
    assert.are.same({}, collect(generator))
    assert.is_nil(generator:asend(nil))
  end)

  case("AG7: what the body returns is no value of the iteration", function()
    assert.are.same({"yielded"}, collect((lucio.generator(function()
      coroutine.yield("yielded")
      return "returned"
    end))))
  end)

  case("AG3: nothing of the body runs before the first advance", function(t)
    local generator = lucio.generator(function()
      t.log("body")
      coroutine.yield(1)
    end)
    lucio.sleep(0)
    t.same_lines {}
    collect(generator)
    t.same_lines {"body"}
  end)

  case("LT8: values that need no waiting cost no tick", function(t)
    assert.are.equal(100, #collect(counter(100)))
    assert.are.equal(0, t.tick())
  end)

  case("AG7: the body may wait between its values", function(t)
    for v in counter(3, 0) do t.log(v, t.tick()) end
    t.same_lines {"1 1", "2 2", "3 3"}
    local loop = lucio.get_running_loop()
    local start = loop:time()
    assert.are.same({1, 2, 3}, collect(counter(3, 10)))
    assert.are.equal(30, loop:time() - start)
  end)

  case("AG7: other tasks run while the body waits", function(t)
    lucio.create_task(function()
      for i = 1, 3 do
        t.log("task", i)
        lucio.sleep(0)
      end
    end)
    for v in counter(3, 0) do t.log("value", v) end
    t.same_lines {"task 1", "value 1", "task 2", "value 2", "task 3", "value 3"}
  end)

  case("AG7: a yield may hand over several values", function(t)
    for k, v in lucio.generator(function()
      coroutine.yield("a", 1)
      lucio.sleep(0)
      coroutine.yield("b", nil)
    end) do t.log(k, v) end
    t.same_lines {"a 1", "b nil"}
  end)

  case("AG7: functions that the body calls may yield and wait", function()
    local function each(tree)
      if type(tree) ~= "table" then return coroutine.yield(tree) end
      lucio.sleep(0)
      for _, branch in ipairs(tree) do each(branch) end
    end
    assert.are.same({1, 2, 3, 4}, collect((lucio.generator(function() each {1, {2, {3}}, 4} end))))
  end)

  case("AG7: generators may be chained", function()
    local function squares(source)
      return lucio.generator(function()
        for v in source do
          lucio.sleep(0.1)
          coroutine.yield(v * v)
        end
      end)
    end
    assert.are.same({1, 16, 81}, collect(squares(squares(counter(3, 0.1)))))
  end)

  case("LG8: a coroutine.wrap inside a generator keeps its own values", function()
    local generator = lucio.generator(function()
      local inner = coroutine.wrap(function()
        for i = 1, 3 do
          lucio.sleep(0)
          coroutine.yield("inner " .. i)
        end
      end)
      for v in inner do
        lucio.sleep(0)
        coroutine.yield("outer of " .. v)
      end
    end)
    assert.are.same({"outer of inner 1", "outer of inner 2", "outer of inner 3"},
      collect(generator))
  end)

  case("TA11: current_task is the task that advances it", function()
    local generator = lucio.generator(function()
      while true do
        lucio.sleep(0)
        coroutine.yield(lucio.current_task())
      end
    end)
    assert.are.equal(lucio.current_task(), generator:asend(nil))
    local task = lucio.create_task(generator.asend, generator, nil)
    assert.are.equal(task, task:await())
    generator:aclose()
  end)

  case("AG7: an error in the body reaches the consumer and finishes the generator", function(t)
    local failure = {}
    local generator = lucio.generator(function()
      coroutine.yield(1)
      lucio.sleep(0)
      error(failure)
    end)
    t.raises(failure, function()
      for v in generator do t.log(v) end
    end)
    t.same_lines {"1"}
    assert.are.same({}, collect(generator))
    generator:aclose()
  end)

  case("AG7: an error object keeps its class and identity", function(t)
    local failure = lucio.ValueError("broken")
    local generator = lucio.generator(function() error(failure) end)
    t.raises(failure, generator.asend, generator, nil)
  end)

  case("AG4: advancing a generator that is advancing raises RuntimeError", function(t)
    local generator = counter(3, 1)
    local task = lucio.create_task(generator.asend, generator, nil)
    lucio.sleep(0)
    t.raises(lucio.RuntimeError, generator.asend, generator, nil)
    t.raises(lucio.RuntimeError, generator.athrow, generator, lucio.ValueError("no"))
    t.raises(lucio.RuntimeError, generator.aclose, generator)
    t.raises(lucio.RuntimeError, function()
      for _ in generator do t.log("value") end
    end)
    assert.are.equal(1, task:await())
    assert.are.equal(2, generator:asend(nil))
    generator:aclose()
  end)

  case("AG4: a body that advances its own generator gets RuntimeError", function(t)
    local generator
    generator = lucio.generator(function()
      t.raises(lucio.RuntimeError, generator.asend, generator, nil)
      t.raises(lucio.RuntimeError, generator.aclose, generator)
      coroutine.yield(1)
    end)
    assert.are.same({1}, collect(generator))
  end)

  case("AG1: different tasks may advance it in turn", function(t)
    local generator, tasks = counter(6, 1), {}
    for i = 1, 2 do
      tasks[i] = lucio.create_task(function()
        lucio.sleep(2 * i)
        for _ = 1, 3 do
          t.log(i, generator:asend(nil))
          lucio.sleep(3)
        end
      end)
    end
    for _, task in ipairs(tasks) do task:await() end
    t.same_lines {"1 1", "2 2", "1 3", "2 4", "1 5", "2 6"}
    generator:aclose()
  end)

  case("AG3: what is no function raises TypeError", function(t)
    local e = t.raises(lucio.TypeError, lucio.generator, 1)
    assert.matches("^bad argument #1 to 'generator' %(function expected, got number%)", tostring(e))
    t.raises(lucio.TypeError, lucio.generator)
  end)

  case("AG3: asend(v) makes yield return v", function(t)
    local generator = lucio.generator(function()
      local got = coroutine.yield("first")
      while got do
        t.log("got", got)
        lucio.sleep(0)
        got = coroutine.yield(got * 2)
      end
      t.log("end")
    end)
    assert.are.equal("first", generator:asend(nil))
    assert.are.equal(20, generator:asend(10))
    assert.are.equal(40, generator:asend(20))
    assert.is_nil(generator:asend(nil))
    t.same_lines {"got 10", "got 20", "end"}
  end)

  case("AG3: the first asend must bring nil", function(t)
    local generator = counter(2)
    t.raises(lucio.TypeError, generator.asend, generator, 1)
    assert.are.equal(1, generator:asend(nil))
    generator:aclose()
  end)

  case("AG3: iteration makes yield return nil", function(t)
    local generator = lucio.generator(function()
      for i = 1, 2 do t.log(i, coroutine.yield(i)) end
    end)
    collect(generator)
    t.same_lines {"1 nil", "2 nil"}
  end)

  case("AG3: athrow raises at the yield and returns the next value", function(t)
    local failure = lucio.ValueError("thrown")
    local generator = lucio.generator(function()
      local ok, e = pcall(coroutine.yield, 1)
      t.log(ok, e.name, rawequal(e, failure))
      lucio.sleep(0)
      coroutine.yield(2)
    end)
    assert.are.equal(1, generator:asend(nil))
    assert.are.equal(2, generator:athrow(failure))
    t.same_lines {"false ValueError true"}
    assert.are.same({}, collect(generator))
  end)

  case("AG3: athrow into a body that catches and returns ends the iteration", function()
    local generator = lucio.generator(function() pcall(coroutine.yield, 1) end)
    generator:asend(nil)
    assert.is_nil(generator:athrow(lucio.ValueError("thrown")))
    assert.are.same({}, collect(generator))
  end)

  case("AG3: an error that the body does not catch comes back from athrow", function(t)
    local generator = counter(2)
    generator:asend(nil)
    local failure = {}
    t.raises(failure, generator.athrow, generator, failure)
    assert.are.same({}, collect(generator))
  end)

  case("AG3: athrow into an unstarted generator raises and finishes it", function(t)
    local generator = lucio.generator(function() t.log("body") end)
    t.raises("thrown", generator.athrow, generator, "thrown")
    assert.are.same({}, collect(generator))
    t.same_lines {}
  end)
end)
