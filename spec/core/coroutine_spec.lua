-- Awaits and cancellation inside Lua's coroutines. Sharing and closing: coroutine_shared_spec.lua.
local assert = require "luassert"
local case = require "spec.support.case"
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

describe("An await inside a coroutine", function()
  case("LG8: suspends the task, its value goes to the awaiter alone", function(t)
    local future = lucio.Future()
    local generator = coroutine.wrap(function(...)
      t.log("start", ...)
      t.log("sent", coroutine.yield("first", 1))
      t.log("awaited", future:await())
      t.log("sent", coroutine.yield("second", 2))
      return "end", nil
    end)
    lucio.get_running_loop():call_later(1, future.set_result, future, "x", "y")
    t.log(generator("a", nil))
    t.log(generator("b"))
    t.log(select("#", generator("c")))
    t.same_lines {"start a nil", "first 1", "sent b", "awaited x y", "second 2", "sent c", "2"}
  end)

  case("LG8: resume returns what yield gave, not what the await used", function()
    local co = coroutine.create(function()
      lucio.sleep(0, "inner")
      local sent = coroutine.yield("yielded")
      lucio.sleep(0, "inner")
      return sent
    end)
    assert.are.same({true, "yielded"}, {coroutine.resume(co)})
    assert.are.equal("suspended", coroutine.status(co))
    assert.are.same({true, "sent"}, {coroutine.resume(co, "sent")})
    assert.are.equal("dead", coroutine.status(co))
  end)

  case("LG8: a for consumes a generator that waits", function(t)
    for i in counter(1, 3) do t.log(i, t.tick()) end
    t.same_lines {"1 1", "2 2", "3 3"}
  end)

  for _, depth in ipairs {2, 3, 10, 50} do
    case("LG8: works " .. depth .. " generators deep", function(t)
      local function wrap(source)
        return coroutine.wrap(function()
          for i in source do
            if depth < 10 then lucio.sleep(0) end
            coroutine.yield(i + 1)
          end
        end)
      end
      local source = counter(1, 3)
      for _ = 2, depth do source = wrap(source) end
      local sum = 0
      for i in source do sum = sum + i end
      assert.are.equal(6 + 3 * (depth - 1), sum)
      assert.are.equal(depth < 10 and 3 * depth or 3, t.tick())
    end)
  end

  case("LG8: wrap and create may be mixed with pcall, metamethods and iterators", function(t)
    local sum = setmetatable({}, {__add = function(a, b) return lucio.sleep(0, b) or a end})
    local co = coroutine.create(function()
      for v in coroutine.wrap(function()
        coroutine.yield(select(2, pcall(lucio.sleep, 0, "pcall")))
        coroutine.yield(sum + "add")
        coroutine.yield(lucio.wait_for(function() return lucio.sleep(0, "wait_for") end, 1))
        coroutine.yield(lucio.gather(function() return "gather" end)[1])
      end) do coroutine.yield(v) end
    end)
    while true do
      local _, v = coroutine.resume(co)
      if v == nil then break end
      t.log(v)
    end
    t.same_lines {"pcall", "add", "wait_for", "gather"}
  end)

  case("LG8: other tasks run while it waits", function(t)
    lucio.create_task(function()
      for i in counter(11, 13) do t.log(i) end
    end)
    for i in counter(1, 3) do t.log(i) end
    lucio.sleep(0)
    t.same_lines {"1", "11", "2", "12", "3", "13"}
  end)

  case("LT8: an await of what is done does not suspend", function(t)
    local future = lucio.Future()
    future:set_result(1)
    local generator = coroutine.wrap(function()
      coroutine.yield(future:await())
      coroutine.yield(lucio.Lock():acquire():locked())
    end)
    assert.are.same({1, true}, {generator(), generator()})
    assert.are.equal(0, t.tick())
  end)

  case("TA11: current_task is the task that resumes", function()
    local generator = coroutine.wrap(function()
      while true do
        lucio.sleep(0)
        coroutine.yield(lucio.current_task())
      end
    end)
    assert.are.equal(lucio.current_task(), generator())
    local task = lucio.create_task(generator)
    assert.are.equal(task, task:await())
  end)

  case("TA6: an error of the awaited raises inside, with the very same value", function(t)
    local failure = lucio.ValueError("broken")
    local future = lucio.Future()
    future:set_exception(failure)
    local generator = coroutine.wrap(function()
      local ok, e = pcall(future.await, future)
      coroutine.yield(ok, rawequal(e, failure))
      lucio.sleep(0)
      future:await()
    end)
    assert.are.same({false, true}, {generator()})
    t.raises(failure, generator)
    t.raises("cannot resume dead coroutine", generator)
  end)

  case("TA6: an error after an await is as without: wrap adds the position to a string", function()
    local function message(wait)
      local generator = coroutine.wrap(function()
        if wait then lucio.sleep(0) end
        error("text", 0)
      end)
      return select(2, pcall(function()
        generator()
        return nil
      end))
    end
    assert.are.equal(message(false), message(true))
  end)

  case("TA6: an error after an await ends the coroutine, resume returns it", function()
    local failure = {}
    local co = coroutine.create(function()
      lucio.sleep(0)
      error(failure)
    end)
    assert.are.same({false, failure}, {coroutine.resume(co)})
    assert.are.equal("dead", coroutine.status(co))
    assert.are.same({false, failure}, {coroutine.close(co)})
  end)
end)

describe("Cancellation in a coroutine", function()
  case("CA2: raises inside the innermost await", function(t)
    local function level(n)
      return coroutine.wrap(function()
        local _ <close> = closing(t, n)
        if n == 3 then lucio.sleep(1) else level(n + 1)() end
      end)
    end
    local task = lucio.create_task(level(1))
    lucio.sleep(0)
    task:cancel("stop")
    lucio.sleep(0)
    local e = t.raises(lucio.CancelledError, task.result, task)
    assert.are.equal("stop", e.args[1])
    assert.are.equal("3 CancelledError", t.lines[1])
  end)

  case("CA10: may be caught there, and the generator goes on", function(t)
    local task = lucio.create_task(function()
      local generator = coroutine.wrap(function()
        local ok, e = pcall(lucio.sleep, 1)
        coroutine.yield(e.name)
        lucio.sleep(0)
        coroutine.yield(ok)
      end)
      t.log(generator())
      t.log(generator())
      return "result"
    end)
    lucio.sleep(0)
    task:cancel()
    assert.are.equal("result", task:await())
    t.same_lines {"CancelledError", "false"}
  end)

  case("CA17: resume returns it as an error, cleanup in the coroutine may wait", function(t)
    local task = lucio.create_task(function()
      local co = coroutine.create(function()
        local ok, e = pcall(function()
          local _ <close> = closing(t, "closed", 0)
          lucio.sleep(1)
        end)
        t.log(ok, e.name, t.tick())
        error(e, 0)
      end)
      local ok, e = coroutine.resume(co)
      t.log(ok, e.name, coroutine.status(co))
    end)
    lucio.sleep(0)
    task:cancel()
    task:await()
    t.same_lines {"closed CancelledError", "false CancelledError 3", "false CancelledError dead"}
  end)

  case("TO3: a timeout around a step of a generator", function(t)
    local generator = coroutine.wrap(function()
      coroutine.yield(1)
      lucio.sleep(10)
    end)
    generator()
    local loop = lucio.get_running_loop()
    local start = loop:time()
    t.raises(lucio.TimeoutError, lucio.wait_for, generator, 1)
    assert.are.equal(1, loop:time() - start)
    t.raises("cannot resume dead coroutine", generator)
  end)

  case("TO3: a timeout inside a generator", function()
    local generator = coroutine.wrap(function()
      local ok, e = lucio.pcall(lucio.wait_for, function() lucio.sleep(10) end, 1)
      coroutine.yield(ok, e.name)
    end)
    assert.are.same({false, "TimeoutError"}, {generator()})
  end)

  case("TG4: a task group inside a generator", function(t)
    local generator = coroutine.wrap(function()
      local ok, e = lucio.pcall(function()
        local tg <close> = lucio.TaskGroup()
        tg:create_task(function() error(lucio.ValueError("broken")) end)
        lucio.sleep(10)
      end)
      coroutine.yield(ok, e.name, #e.exceptions)
    end)
    assert.are.same({false, "ExceptionGroup", 1}, {generator()})
    assert.are.equal(0, lucio.current_task():cancelling())
    assert.is_true(t.tick() < 5)
  end)
end)
