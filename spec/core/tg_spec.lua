-- SEMANTICS TG1-TG8, TG15, TG18: task groups, their children and their errors.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

local ValueError, RuntimeError = lucio.ValueError, lucio.RuntimeError
local CancelledError, ExceptionGroup = lucio.CancelledError, lucio.ExceptionGroup

-- gives up n iterations
local function pass(n)
  for _ = 1, n do lucio.sleep(0) end
end

local function is(e, class)
  assert.is_true(lucio.isinstance(e, class))
end

-- the statement form: fn(group) inside of a block that holds a task group
local function group(fn)
  local tg <close> = lucio.TaskGroup()
  fn(tg)
end

local function cancelling()
  return lucio.current_task():cancelling()
end

-- asserts that the members of a group error are these very values
local function members(expected, e)
  is(e, ExceptionGroup)
  assert.are.equal(#expected, #e.exceptions)
  for i, member in ipairs(expected) do
    assert.is_true(rawequal(member, e.exceptions[i]), "member " .. i .. " differs")
  end
end

-- a function that fails after n iterations
local function fail(n, e)
  return function()
    pass(n)
    error(e, 0)
  end
end

-- A function that waits; when it is cancelled it logs that, lets n iterations go by, and raises
-- `e`, or the CancelledError.
local function waiting(t, name, n, e)
  return function()
    local ok, err = pcall(lucio.await, lucio.Future())
    assert(not ok)
    t.log(name, err.name, t.tick())
    pass(n or 0)
    error(e or err, 0)
  end
end

describe("TaskGroup: creating tasks", function()
  case("TG1: outside a task it is a RuntimeError", function(t)
    lucio.get_running_loop():call_soon(function()
      t.raises(RuntimeError, lucio.TaskGroup)
      t.log("checked")
    end)
    pass(2)
    t.same_lines{"checked"}
  end)

  case("TG1: create_task takes a function with arguments, any awaitable, or a table", function()
    local a, b, c
    group(function(tg)
      a = tg:create_task(function(...) return ... end, 1, nil, 3)
      b = tg:create_task(lucio.async(function(v) return v end)("coroutine"))
      c = tg:create_task{function(v) return v end, "table", name = "mine"}
    end)
    assert.are.same({1, nil, 3, n = 3}, table.pack(a:result()))
    assert.are.equal("coroutine", b:result())
    assert.are.equal("table", c:result())
    assert.are.equal("mine", c:get_name())
  end)

  case("TG1: what is not awaitable is a TypeError that does no harm", function(t)
    group(function(tg)
      t.raises(lucio.TypeError, tg.create_task, tg, 42)
      tg:create_task(function() t.log("child") end)
    end)
    t.same_lines{"child"}
  end)

  case("TG1: create_task after the end is a RuntimeError, nothing runs", function(t)
    local ended, ran
    group(function(tg) ended = tg end)
    t.raises(RuntimeError, ended.create_task, ended, function() ran = true end)
    assert.are.equal(1, #lucio.all_tasks())
    pass(2)
    assert.is_nil(ran)
  end)

  case("TG1: a coroutine that is refused is disposed of silently", function(t)
    local ended
    group(function(tg) ended = tg end)
    pcall(ended.create_task, ended, lucio.async(function() end)())
    collectgarbage()
    collectgarbage()
    pass(2)
    assert.are.equal(0, #t.reports)
  end)

  case("TG2: children may add siblings while the group waits at its end", function(t)
    group(function(tg)
      tg:create_task(function()
        pass(2)
        tg:create_task(function()
          pass(2)
          t.log("second", t.tick())
        end)
        t.log("first", t.tick())
      end)
    end)
    t.log("end", t.tick())
    t.same_lines{"first 3", "second 6", "end 8"}
  end)

  case("TG3: an empty group takes no iteration", function(t)
    group(function() end)
    assert.is_nil(lucio.with(lucio.TaskGroup(), function() end))
    assert.are.equal(0, t.tick())
  end)

  case("TG3: leaving waits for all, two iterations after the last child", function(t)
    group(function(tg)
      tg:create_task(function() pass(1) end)
      tg:create_task(function()
        pass(3)
        t.log("last", t.tick())
      end)
      t.log("body ends", t.tick())
    end)
    t.log("end", t.tick())
    t.same_lines{"body ends 0", "last 4", "end 6"}
  end)

  case("TG3: no iteration where all have ended before", function(t)
    group(function(tg)
      tg:create_task(function() end)
      pass(2)
    end)
    assert.are.equal(2, t.tick())
  end)

  case("TG3: finished children are dropped at once", function()
    local seen = setmetatable({}, {__mode = "v"})
    group(function(tg)
      seen[1] = tg:create_task(function() end)
      pass(3)
      collectgarbage()
      collectgarbage()
      assert.is_nil(seen[1])
    end)
  end)

  case("TG3: the function form returns what the function does, when all have ended", function(t)
    local results = table.pack(lucio.with(lucio.TaskGroup(), function(tg, ...)
      tg:create_task(pass, 2)
      return ...
    end, "a", nil, "c"))
    assert.are.same({"a", nil, "c", n = 3}, results)
    assert.are.equal(5, t.tick())
  end)
end)

describe("TaskGroup: failures", function()
  case("TG4: a child's error cancels every unfinished child and the parent in the body", function(t)
    local boom = ValueError("boom")
    local e = t.raises(ExceptionGroup, group, function(tg)
      tg:create_task(waiting(t, "a"))
      tg:create_task(fail(2, boom)) -- in iteration 3
      tg:create_task(waiting(t, "b"))
      local err = t.raises(CancelledError, lucio.sleep, 9)
      t.log("body", t.tick(), cancelling())
      error(err, 0)
    end)
    t.log("end", t.tick(), cancelling())
    members({boom}, e)
    t.same_lines{
      "a CancelledError 5", "b CancelledError 5", "body 5 1", "end 7 0",
    }
  end)

  case("TG4: the parent waiting at the end is not interrupted twice", function(t)
    local boom, second = ValueError("boom"), ValueError("second")
    local e = t.raises(ExceptionGroup, group, function(tg)
      tg:create_task(waiting(t, "a", 3))
      tg:create_task(fail(1, second)) -- in iteration 2, just before the abort
      tg:create_task(fail(0, boom)) -- in iteration 1
    end)
    t.log("end", t.tick(), cancelling())
    members({boom, second}, e)
    -- aborted at 2, a resumes at 3, ends at 6
    t.same_lines{"a CancelledError 3", "end 8 0"}
  end)

  case("TG5: a child that fails in its first step aborts one iteration later", function(t)
    local boom = ValueError("boom")
    local e = t.raises(ExceptionGroup, group, function(tg)
      tg:create_task(fail(0, boom)) -- in iteration 1
      tg:create_task(function()
        t.log("sibling", t.tick())
        waiting(t, "sibling")()
      end)
      pass(1)
      tg:create_task(function() t.log("never") end)
      t.log("created", t.tick())
      lucio.sleep(9)
    end)
    t.log("end", t.tick())
    members({boom}, e)
    t.same_lines{"sibling 1", "created 1", "sibling CancelledError 3", "end 5"}
  end)

  case("TG6: a single error comes in a group as well", function(t)
    local boom = ValueError("boom")
    local e = t.raises(ExceptionGroup, group, function(tg) tg:create_task(fail(0, boom)) end)
    members({boom}, e)
    assert.are.equal("unhandled errors in a TaskGroup", e.message)
    assert.matches("unhandled errors in a TaskGroup (1 sub-exception)", tostring(e), 1, true)
  end)

  case("TG6: children's errors in order of completion, the body's own last", function(t)
    local first, second, third = ValueError("1"), ValueError("2"), ValueError("3")
    local own = lucio.LookupError("own")
    local e = t.raises(ExceptionGroup, group, function(tg)
      tg:create_task(waiting(t, "slow", 4, third))
      tg:create_task(waiting(t, "fast", 1, second))
      tg:create_task(fail(0, first))
      pcall(lucio.sleep, 9)
      error(own)
    end)
    members({first, second, third, own}, e)
  end)

  case("TG6: bare values are wrapped in LuaError", function(t)
    local value = {}
    local e = t.raises(ExceptionGroup, group, function(tg)
      tg:create_task(fail(0, "text"))
      tg:create_task(fail(0, value))
    end)
    assert.are.equal(2, #e.exceptions)
    is(e.exceptions[1], lucio.LuaError)
    assert.are.equal("text", e.exceptions[1].value)
    is(e.exceptions[2], lucio.LuaError)
    assert.is_true(rawequal(value, e.exceptions[2].value))
  end)

  case("TG6: the errors count as retrieved", function(t)
    t.raises(ExceptionGroup, group, function(tg) tg:create_task(fail(0, ValueError("boom"))) end)
    collectgarbage()
    collectgarbage()
    pass(2)
    assert.are.equal(0, #t.reports)
  end)

  case("TG7: a child cancelled alone is no error and does not abort", function(t)
    local left
    group(function(tg)
      left = tg:create_task(function()
        pass(6)
        return "fine"
      end)
      local child = tg:create_task(waiting(t, "child"))
      pass(2)
      child:cancel()
    end)
    assert.are.equal("fine", left:result())
    t.same_lines{"child CancelledError 3"}
  end)

  case("TG8: an error of the body cancels the children, waits, and comes in the group", function(t)
    local boom = ValueError("boom")
    local e = t.raises(ExceptionGroup, group, function(tg)
      tg:create_task(waiting(t, "child", 2))
      pass(2)
      error(boom)
    end)
    t.log("end", t.tick(), cancelling())
    members({boom}, e)
    t.same_lines{"child CancelledError 3", "end 7 0"}
  end)

  case("TG8: a bare value of the body comes wrapped", function(t)
    local e = t.raises(ExceptionGroup, group, function() error("text", 0) end)
    assert.are.equal(1, #e.exceptions)
    is(e.exceptions[1], lucio.LuaError)
    assert.are.equal("text", e.exceptions[1].value)
  end)

  case("TG8: the function form raises the group too", function(t)
    local boom = ValueError("boom")
    local e = t.raises(ExceptionGroup, lucio.with, lucio.TaskGroup(), function() error(boom) end)
    members({boom}, e)
  end)

  case("TG15: an error that is not an ordinary one makes a BaseExceptionGroup", function(t)
    local Odd = lucio.exception("Odd", lucio.BaseException)
    local odd = Odd("odd")
    local ok, e = pcall(group, function(tg)
      tg:create_task(fail(0, odd))
      tg:create_task(fail(0, ValueError("boom")))
    end)
    assert.is_false(ok)
    is(e, lucio.BaseExceptionGroup)
    assert.is_false(lucio.isinstance(e, ExceptionGroup))
    assert.are.equal(2, #e.exceptions)
    assert.is_true(rawequal(odd, e.exceptions[1]))
    assert.are.equal(0, #t.reports)
  end)

  case("TG18: a child that fails after its parent ended goes to the exception handler", function(t)
    local boom = ValueError("boom")
    local child
    local parent = lucio.create_task(function()
      local tg = lucio.TaskGroup() -- never closed
      child = tg:create_task(fail(4, boom))
    end)
    parent:await()
    pass(6)
    assert.are.equal(1, #t.reports)
    assert.is_true(rawequal(boom, t.reports[1].exception))
    assert.is_true(rawequal(child, t.reports[1].task))
  end)
end)
