-- Loops over lucio.generator whose body captures a loop variable: Lua 5.4.4 does not close their
-- fourth value at `break`, so lucio closes the generator when the task has next given up its turn.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

-- A generator of 1, 2, 3... that logs its clean-up, which waits.
local function counting(t, name)
  return lucio.generator(function()
    local _ <close> = setmetatable({}, {__close = function(_, e)
      lucio.sleep(0)
      t.log(name or "closed", e and e.name)
    end})
    for i = 1, math.huge do
      lucio.sleep(0)
      coroutine.yield(i)
    end
  end)
end

local function settle()
  for _ = 1, 5 do lucio.sleep(0) end
end

-- Whether this Lua closes the fourth value of `for` at a break out of a body that captures the
-- loop's variable: 5.4.4 does not.
local function for_closes()
  local closed, kept = false, {}
  for v in next, {1}, nil, setmetatable({}, {__close = function() closed = true end}) do
    kept[1] = function() return v end
    if v == 1 then break end
  end
  return closed and kept[1]() == 1
end

describe("a loop over generator() whose body captures a loop variable", function()
  case("AG1: break closes the generator", function(t)
    local generator, kept = counting(t), {}
    for v in generator() do
      kept[v] = function() return v end
      if v == 2 then break end
    end
    -- what Lua 5.4.4 would run into: calls of C functions where the loop's registers were
    local a, b, c, d, e = 1, 2, 3, 4, 5
    assert.are.equal("1 2 3 4 5", table.concat({a, b, c, d, e}, " "))
    assert.are.equal(2, kept[2]())
    settle()
    t.same_lines {"closed GeneratorExit"}
    assert.is_nil(generator:asend(nil))
  end)

  case("AG1: the generator stays open while its loop waits", function(t)
    local kept = {}
    for v in counting(t)() do
      kept[#kept + 1] = function() return v end
      lucio.sleep(1)
      t.log(v)
      if v == 3 then break end
    end
    settle()
    assert.are.equal(3, kept[3]())
    t.same_lines {"1", "2", "3", "closed GeneratorExit"}
  end)

  case("AG1: return closes it, at the latest when the task gives up its turn", function(t)
    local function first(generator)
      local kept
      for v in generator() do
        kept = function() return v end
        if v == 1 then break end
        if v == 2 then return kept end
      end
      return kept
    end
    assert.are.equal(1, first(counting(t))())
    settle()
    t.same_lines {"closed GeneratorExit"}
  end)

  case("AG1: an error closes it", function(t)
    local kept = {}
    t.raises("broken", function()
      for v in counting(t)() do
        kept[v] = function() return v end
        if v == 2 then error("broken", 0) end
        if v == 3 then break end
      end
    end)
    settle()
    assert.are.equal(2, kept[2]())
    t.same_lines {"closed GeneratorExit"}
  end)

  case("AG1: the end of the task closes it", function(t)
    local task = lucio.create_task(function()
      local kept = {}
      for v in counting(t)() do
        kept[v] = function() return v end
        if v == 2 then break end
      end
      return kept[2]()
    end)
    assert.are.equal(2, task:await())
    settle()
    t.same_lines {"closed GeneratorExit"}
  end)

  case("AG5: a cancelled task closes it", function(t)
    local kept = {}
    local task = lucio.create_task(function()
      for v in counting(t)() do
        kept[v] = function() return v end
        lucio.sleep(10)
        if v == 2 then break end
      end
    end)
    settle()
    task:cancel()
    lucio.wait {task}
    settle()
    assert.are.equal(1, kept[1]())
    t.same_lines {"closed GeneratorExit"}
  end)

  case("AG1: without debug information the end of the function closes it", function(t)
    local text = [[
      local generator, sleep, log = ...
      local kept = {}
      for v in generator() do
        kept[v] = function() return v end
        log(v)
        sleep(0)
        if v == 2 then break end
      end
      log "left"]]
    local loop = load(string.dump(load(text), true))
    lucio.create_task(loop, counting(t), lucio.sleep, t.log):await()
    settle()
    local last = {"left", "closed GeneratorExit"}
    if for_closes() then last = {last[2], last[1]} end
    t.same_lines {"1", "2", last[1], last[2]}
  end)

  case("AG2: one that ends by itself is not closed again", function(t)
    local kept = {}
    for v in lucio.generator(function()
      for i = 1, 3 do coroutine.yield(i) end
      t.log("end")
    end)() do
      kept[v] = function() return v end
      if v == 4 then break end
    end
    settle()
    t.same_lines {"end"}
    assert.are.equal(3, kept[3]())
  end)

  case("AG1: nested loops, and loops in a coroutine, close each its own", function(t)
    local kept = {}
    local walk = coroutine.wrap(function()
      for v in counting(t, "outer")() do
        kept[#kept + 1] = function() return v end
        for w in counting(t, "inner " .. v)() do
          kept[#kept + 1] = function() return w end
          if w == 2 then break end
        end
        coroutine.yield(v)
        if v == 2 then break end
      end
    end)
    assert.are.equal(1, walk())
    settle()
    t.log("first")
    assert.are.equal(2, walk())
    settle()
    t.log("second")
    walk()
    settle()
    t.same_lines {"inner 1 GeneratorExit", "first", "inner 2 GeneratorExit", "second",
      "outer GeneratorExit"}
  end)

  case("AG7: an error of the clean-up is raised by the loop, or reported like that of any task",
    function(t)
      local kept
      local function loop()
        for v in lucio.generator(function()
          local _ <close> = setmetatable({}, {__close = function() error("broken clean-up", 0) end})
          coroutine.yield(1)
        end)() do
          kept = function() return v end
          if v == 1 then break end
        end
      end
      if for_closes() then
        t.raises("broken clean-up", loop)
      else
        loop()
      end
      assert.are.equal(1, kept())
      for _ = 1, 6 do
        collectgarbage()
        lucio.sleep(0)
      end
      assert.are.equal(for_closes() and 0 or 1, #t.reports)
    end)
end)

describe("a loop over generator() without captured variables", function()
  case("AG1: closes it before the next statement", function(t)
    for v in counting(t)() do
      if v == 2 then break end
    end
    t.same_lines {"closed GeneratorExit"}
  end)
end)
