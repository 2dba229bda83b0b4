-- lucio.generator: break, aclose, cancellation, collection, the end of the loop.
local assert = require "luassert"
local case = require "spec.support.case"
local child = require "spec.support.child"
local lucio = require "lucio"

-- A value whose closing logs `name`, with a wait of `delay` before where one is given.
local function finally(t, name, delay)
  return setmetatable({}, {__close = function(_, e)
    if delay then lucio.sleep(delay) end
    t.log(name, e and e.name)
  end})
end

-- A generator of 1, 2, 3... that logs its clean-up.
local function cleaning(t, delay, wait)
  return lucio.generator(function()
    local _ <close> = finally(t, "closed", delay)
    for i = 1, math.huge do
      if wait then lucio.sleep(wait) end
      coroutine.yield(i)
    end
  end)
end

describe("lucio.generator and break", function()
  case("AG1: breaking out of a loop over a kept generator does not close it", function(t)
    local generator = cleaning(t)
    for v in generator do
      if v == 2 then break end
    end
    t.same_lines {}
    for v in generator do
      t.log(v)
      if v == 4 then break end
    end
    t.same_lines {"3", "4"}
    generator:aclose()
    t.same_lines {"3", "4", "closed GeneratorExit"}
  end)

  case("AG1: breaking out of a loop over generator() closes it", function(t)
    local generator = cleaning(t, 0)
    for v in generator() do
      if v == 2 then break end
    end
    t.same_lines {"closed GeneratorExit"}
    assert.is_nil(generator:asend(nil))
    t.raises("broken", function()
      for v in cleaning(t)() do
        if v == 2 then error("broken", 0) end
      end
    end)
    assert.are.equal(2, #t.lines)
  end)

  case("AG1: a generator collected at a yield is closed by a task of its own", function(t)
    local main = lucio.current_task()
    do
      local generator = lucio.generator(function()
        local _ <close> = setmetatable({}, {__close = function(_, e)
          lucio.sleep(0)
          t.log(e.name, lucio.current_task() ~= main)
        end})
        coroutine.yield(1)
      end)
      generator:asend(nil)
    end
    collectgarbage()
    collectgarbage()
    t.same_lines {}
    for _ = 1, 3 do lucio.sleep(0) end
    t.same_lines {"GeneratorExit true"}
  end)

  case("AG1: a generator that was never advanced is collected in silence", function(t)
    do
      local _ = cleaning(t)
    end
    collectgarbage()
    collectgarbage()
    for _ = 1, 3 do lucio.sleep(0) end
    t.same_lines {}
  end)

  case("AG7: an error in the clean-up of a collected generator is reported", function(t)
    do
      local generator = lucio.generator(function()
        local _ <close> = setmetatable({}, {__close = function()
          error(lucio.ValueError("broken clean-up"))
        end})
        coroutine.yield(1)
      end)
      generator:asend(nil)
    end
    for _ = 1, 4 do
      collectgarbage()
      lucio.sleep(0)
    end
    assert.are.equal(1, #t.reports)
    assert.are.equal("broken clean-up", tostring(t.reports[1].exception))
  end)
end)

describe("lucio.generator:aclose", function()
  case("AG2: raises GeneratorExit at the yield, the clean-up may wait", function(t)
    local generator = cleaning(t, 0)
    generator:asend(nil)
    generator:aclose()
    assert.are.equal(1, t.tick())
    t.same_lines {"closed GeneratorExit"}
    assert.is_nil(generator:asend(nil))
    assert.is_nil(generator:asend(nil))
  end)

  case("AG2: GeneratorExit is no ordinary error", function(t)
    local generator = lucio.generator(function()
      local ok, e = pcall(lucio.pcall, coroutine.yield, 1)
      t.log(ok, e.name, lucio.isinstance(e, lucio.Exception))
      t.log(lucio.isinstance(e, lucio.BaseException))
      error(e, 0)
    end)
    generator:asend(nil)
    generator:aclose()
    t.same_lines {"false GeneratorExit false", "true"}
  end)

  case("AG2: a body that catches it and returns is closed", function(t)
    local generator = lucio.generator(function()
      pcall(coroutine.yield, 1)
      t.log("caught")
    end)
    generator:asend(nil)
    generator:aclose()
    t.same_lines {"caught"}
    assert.is_nil(generator:asend(nil))
  end)

  case("AG2: a body that yields again makes aclose raise RuntimeError", function(t)
    local generator = lucio.generator(function()
      pcall(coroutine.yield, 1)
      coroutine.yield(2)
    end)
    generator:asend(nil)
    t.raises(lucio.RuntimeError, generator.aclose, generator)
  end)

  case("AG2: another error of the clean-up comes out of aclose", function(t)
    local failure = lucio.ValueError("broken")
    local generator = lucio.generator(function()
      pcall(coroutine.yield, 1)
      error(failure)
    end)
    generator:asend(nil)
    t.raises(failure, generator.aclose, generator)
    assert.is_nil(generator:asend(nil))
    generator:aclose()
  end)

  case("AG2: is a no-op when repeated, and on a finished generator", function(t)
    local generator = cleaning(t)
    generator:asend(nil)
    for _ = 1, 3 do generator:aclose() end
    t.same_lines {"closed GeneratorExit"}
    local finished = lucio.generator(function() end)
    assert.is_nil(finished:asend(nil))
    finished:aclose()
    assert.are.equal(0, t.tick())
  end)

  case("AG2: an unstarted generator is finished without running its body", function(t)
    local generator = cleaning(t)
    generator:aclose()
    generator:aclose()
    assert.is_nil(generator:asend(nil))
    t.same_lines {}
  end)

  case("AG2: <close> of a generator closes it", function(t)
    do
      local generator <close> = cleaning(t, 0)
      generator:asend(nil)
    end
    t.same_lines {"closed GeneratorExit"}
  end)

  case("AG2: closing the outer of two chained generators leaves the inner to its owner", function(t)
    local inner = cleaning(t)
    local outer = lucio.generator(function()
      local _ <close> = finally(t, "outer")
      for v in inner do coroutine.yield(v) end
    end)
    assert.are.equal(1, outer:asend(nil))
    outer:aclose()
    t.same_lines {"outer GeneratorExit"}
    assert.are.equal(2, inner:asend(nil))
    inner:aclose()
    t.same_lines {"outer GeneratorExit", "closed GeneratorExit"}
  end)
end)

describe("lucio.generator and cancellation", function()
  case("AG5: cancelling a consumer inside the generator raises there and finishes it", function(t)
    local generator = cleaning(t, 0, 1)
    local task = lucio.create_task(function()
      for _ in generator do t.log("value") end
    end)
    lucio.sleep(0)
    task:cancel("stop")
    local e = t.raises(lucio.CancelledError, task.await, task)
    assert.are.equal("stop", e.args[1])
    t.same_lines {"closed CancelledError"}
    assert.is_nil(generator:asend(nil))
  end)

  case("AG5: a body that swallows the cancel goes on", function(t)
    local generator = lucio.generator(function()
      local ok, e = pcall(lucio.sleep, 1)
      t.log(ok, e.name)
      coroutine.yield("value")
    end)
    local task = lucio.create_task(generator.asend, generator, nil)
    lucio.sleep(0)
    task:cancel()
    assert.are.equal("value", task:await())
    t.same_lines {"false CancelledError"}
    generator:aclose()
  end)

  case("AG5: cancelling a consumer between two values leaves the generator open", function(t)
    local generator = cleaning(t)
    local task = lucio.create_task(function()
      for _ in generator do lucio.sleep(1) end
    end)
    lucio.sleep(0)
    task:cancel()
    lucio.sleep(0)
    assert.is_true(task:cancelled())
    t.same_lines {}
    assert.are.equal(2, generator:asend(nil))
    generator:aclose()
  end)

  case("AG5: a timeout around an advance raises TimeoutError and finishes it", function(t)
    local generator = cleaning(t, nil, 10)
    t.raises(lucio.TimeoutError, lucio.wait_for, function() return generator:asend(nil) end, 1)
    t.same_lines {"closed CancelledError"}
    assert.is_nil(generator:asend(nil))
  end)

  case("AG5: aclose may be cancelled in the clean-up", function(t)
    local generator = lucio.generator(function()
      local _ <close> = finally(t, "outer")
      local _ <close> = finally(t, "inner", 1)
      coroutine.yield(1)
    end)
    generator:asend(nil)
    local task = lucio.create_task(generator.aclose, generator)
    lucio.sleep(0)
    task:cancel()
    t.raises(lucio.CancelledError, task.await, task)
    t.same_lines {"outer CancelledError"}
    assert.is_nil(generator:asend(nil))
  end)
end)

describe("lucio.generator and the end of the loop", function()
  local function new_log()
    local t = {lines = {}}
    function t.log(...)
      local words = table.pack(...)
      for i = 1, words.n do words[i] = tostring(words[i]) end
      t.lines[#t.lines + 1] = table.concat(words, " ")
    end
    return t
  end

  it("AG6: run closes all live generators together", function()
    local closing, closed, kept = new_log(), new_log(), {}
    lucio.run(function()
      for i = 1, 3 do
        kept[i] = lucio.generator(function()
          local loop = lucio.get_running_loop()
          local _ <close> = setmetatable({}, {__close = function(_, e)
            local start = loop:time()
            closing.log(i, e.name)
            lucio.sleep(4 - i)
            closed.log(i, math.tointeger(loop:time() - start))
          end})
          coroutine.yield(i)
        end)
        kept[i]:asend(nil)
      end
    end)
    table.sort(closing.lines)
    assert.are.same({"1 GeneratorExit", "2 GeneratorExit", "3 GeneratorExit"}, closing.lines)
    assert.are.same({"3 1", "2 2", "1 3"}, closed.lines)
  end)

  it("AG6: run cancels the tasks first, then closes the generators", function()
    local t, generator = new_log(), nil
    lucio.run(function()
      generator = cleaning(t)
      generator:asend(nil)
      lucio.create_task(function()
        local _ <close> = finally(t, "task", 0)
        lucio.sleep(10)
      end)
      lucio.sleep(0)
    end)
    assert.are.same({"task CancelledError", "closed GeneratorExit"}, t.lines)
  end)

  it("AG6: an error of such a clean-up is reported with the generator", function()
    local reports, generator = {}, nil
    assert.are.equal("result", lucio.run(function()
      lucio.get_running_loop():set_exception_handler(function(_, context)
        reports[#reports + 1] = context
      end)
      generator = lucio.generator(function()
        local _ <close> = setmetatable({}, {__close = function()
          error(lucio.ValueError("broken clean-up"))
        end})
        coroutine.yield(1)
      end)
      generator:asend(nil)
      return "result"
    end))
    assert.are.equal(1, #reports)
    assert.are.equal("string", type(reports[1].message))
    assert.are.equal("broken clean-up", tostring(reports[1].exception))
    assert.are.equal(generator, reports[1].asyncgen)
  end)

  it("AG6: one that is first advanced while they are closed gives a warning", function()
    local r = child.run [[
      local lucio = require "lucio"
      lucio.run(function()
        LATE = lucio.generator(function() coroutine.yield(1) end)
        EARLY = lucio.generator(function()
          local _ <close> = setmetatable({}, {__close = function() print(LATE:asend(nil)) end})
          coroutine.yield(1)
        end)
        EARLY:asend(nil)
      end)
      print("end")]]
    assert.are.same({"1\nend\n", 0}, {r.stdout, r.status})
    assert.matches("ResourceWarning: .*generator", r.stderr)
  end)

  it("AG6: finished and unstarted generators are left alone", function()
    local t, kept = new_log(), {}
    lucio.run(function()
      kept[1] = cleaning(t)
      kept[2] = lucio.generator(function() t.log("ran") end)
      kept[2]:asend(nil)
    end)
    assert.are.same({"ran"}, t.lines)
  end)
end)
