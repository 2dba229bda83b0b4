-- SEMANTICS TG9-TG14, TG16-TG21: task groups, cancellation, nesting.
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

-- a task with a group whose body runs fn(group); it logs how the block ended
local function parent_of(t, fn)
  return lucio.create_task(function()
    local ok, e = pcall(group, fn)
    t.log("parent", ok and "fine" or e.name, t.tick(), cancelling())
    if not ok then error(e, 0) end
  end)
end

describe("TaskGroup: cancelled from outside", function()
  case("TG9: in the body: children are cancelled and waited for, CancelledError passes", function(t)
    local parent = parent_of(t, function(tg)
      tg:create_task(waiting(t, "child", 2))
      lucio.sleep(9)
    end)
    pass(3)
    parent:cancel("stop")
    local e = t.raises(CancelledError, parent.await, parent)
    assert.are.equal("stop", e.args[1])
    assert.are.equal(1, parent:cancelling())
    -- the body resumes at 4 and cancels, the child resumes at 5, ends at 7
    t.same_lines{"child CancelledError 5", "parent CancelledError 9 1"}
  end)

  case("TG9: waiting at the end: the same", function(t)
    local parent = parent_of(t, function(tg) tg:create_task(waiting(t, "child", 2)) end)
    pass(3)
    parent:cancel("stop")
    local e = t.raises(CancelledError, parent.await, parent)
    assert.are.equal("stop", e.args[1])
    t.same_lines{"child CancelledError 5", "parent CancelledError 9 1"}
  end)

  case("TG10: further cancels do not cut the wait short", function(t)
    local parent = parent_of(t, function(tg) tg:create_task(waiting(t, "child", 5)) end)
    pass(3)
    for _ = 1, 3 do
      parent:cancel()
      pass(2)
    end
    t.raises(CancelledError, parent.await, parent)
    t.same_lines{"child CancelledError 5", "parent CancelledError 12 3"}
  end)

  case("TG11: errors beat it; the cancel is raised at the next suspension", function(t)
    local boom = ValueError("boom")
    local parent = lucio.create_task(function()
      local e = t.raises(ExceptionGroup, group, function(tg)
        tg:create_task(waiting(t, "child", 0, boom))
      end)
      members({boom}, e)
      t.log("group", t.tick(), cancelling())
      local fut = lucio.Future()
      fut:set_result()
      fut:await() -- does not suspend
      local err = t.raises(CancelledError, lucio.sleep, 0)
      t.log("sleep", err.name, t.tick(), cancelling())
      error(err, 0)
    end)
    pass(3)
    parent:cancel()
    t.raises(CancelledError, parent.await, parent)
    t.same_lines{"child CancelledError 5", "group 7 1", "sleep CancelledError 8 1"}
  end)

  case("TG12: the group's own cancel of the parent is undone", function(t)
    assert.are.equal(0, cancelling())
    t.raises(ExceptionGroup, group, function(tg)
      tg:create_task(fail(0, ValueError("boom")))
      lucio.sleep(9)
    end)
    assert.are.equal(0, cancelling())
    pass(3)
    lucio.sleep(1)
  end)

  case("TG13: a body that swallows that cancel runs on and may not create tasks", function(t)
    local boom = ValueError("boom")
    local e = t.raises(ExceptionGroup, group, function(tg)
      tg:create_task(fail(0, boom))
      t.raises(CancelledError, lucio.sleep, 9)
      t.raises(RuntimeError, tg.create_task, tg, function() t.log("never") end)
      pass(2)
      t.log("body", t.tick(), cancelling())
    end)
    t.log("end", t.tick(), cancelling())
    members({boom}, e)
    t.same_lines{"body 5 1", "end 5 0"}
  end)
end)

describe("TaskGroup: KeyboardInterrupt and SystemExit", function()
  for _, class in ipairs{lucio.KeyboardInterrupt, lucio.SystemExit} do
    local name = class.name or tostring(class)

    case("TG14: " .. name .. " of the body is raised bare after the children ended", function(t)
      local e = class()
      local ok, err = pcall(group, function(tg)
        tg:create_task(waiting(t, "child", 2, ValueError("dropped")))
        pass(2)
        error(e, 0)
      end)
      t.log("end", t.tick())
      assert.is_false(ok)
      assert.is_true(rawequal(e, err))
      t.same_lines{"child CancelledError 3", "end 7"}
      assert.is_true(#t.reports <= 1) -- upstream drops it, later versions report it
    end)
  end

  it("TG14: of a child, it leaves run, after the siblings were cleaned up", function()
    local lines = {}
    local e = lucio.SystemExit(7)
    local ok, err = pcall(lucio.run, function()
      local _ <close> = setmetatable({}, {__close = function() lines[#lines + 1] = "main" end})
      local tg <close> = lucio.TaskGroup()
      tg:create_task(function()
        local _ <close> = setmetatable({}, {__close = function() lines[#lines + 1] = "child" end})
        lucio.sleep(9)
      end)
      tg:create_task(function()
        lucio.sleep(0)
        error(e, 0)
      end)
      lucio.sleep(9)
    end)
    assert.is_false(ok)
    assert.is_true(rawequal(e, err))
    assert.are.same({"child", "main"}, lines)
  end)
end)

describe("TaskGroup: nested", function()
  case("TG16: an error of the inner group is one member of the outer's", function(t)
    local boom, inner = ValueError("boom"), nil
    local e = t.raises(ExceptionGroup, group, function()
      inner = t.raises(ExceptionGroup, group, function(tg) tg:create_task(fail(0, boom)) end)
      error(inner, 0)
    end)
    members({inner}, e)
    members({boom}, inner)
    assert.are.equal(0, cancelling())
  end)

  case("TG16: a child of the outer fails while the parent is in the inner", function(t)
    local boom = ValueError("boom")
    local e = t.raises(ExceptionGroup, group, function(outer)
      outer:create_task(fail(2, boom)) -- in iteration 3
      local ok, err = pcall(group, function(inner)
        inner:create_task(waiting(t, "inner child", 1))
        lucio.sleep(9)
      end)
      t.log("inner", ok, err.name, t.tick())
      error(err, 0)
    end)
    t.log("outer", t.tick(), cancelling())
    members({boom}, e)
    -- aborted at 4, the body resumes at 5, the inner child at 6, ends at 7
    t.same_lines{"inner child CancelledError 6", "inner false CancelledError 9", "outer 9 0"}
  end)

  case("TG16: and waits at the end of the inner", function(t)
    local boom = ValueError("boom")
    local e = t.raises(ExceptionGroup, group, function(outer)
      outer:create_task(fail(2, boom))
      group(function(inner) inner:create_task(waiting(t, "inner child")) end)
    end)
    members({boom}, e)
    assert.are.equal(0, cancelling())
    t.same_lines{"inner child CancelledError 6"}
  end)

  case("TG17: both failing: the outer's child's error, then the inner group", function(t)
    local of_outer, of_inner = ValueError("outer"), ValueError("inner")
    local e = t.raises(ExceptionGroup, group, function(outer)
      outer:create_task(fail(2, of_outer))
      group(function(inner)
        inner:create_task(waiting(t, "inner child", 0, of_inner))
        lucio.sleep(9)
      end)
    end)
    assert.are.equal(2, #e.exceptions)
    assert.is_true(rawequal(of_outer, e.exceptions[1]))
    members({of_inner}, e.exceptions[2])
    assert.are.equal(0, cancelling())
    pass(2)
  end)

  case("TG17: both in one iteration", function(t)
    local of_outer, of_inner = ValueError("outer"), ValueError("inner")
    local e = t.raises(ExceptionGroup, group, function(outer)
      outer:create_task(fail(2, of_outer))
      group(function(inner)
        inner:create_task(fail(2, of_inner))
        lucio.sleep(9)
      end)
    end)
    assert.are.equal(2, #e.exceptions)
    assert.is_true(rawequal(of_outer, e.exceptions[1]))
    members({of_inner}, e.exceptions[2])
    assert.are.equal(0, cancelling())
    pass(2)
  end)

  case("TG19: the expiry of a timeout cancels the children and gives TimeoutError", function(t)
    local start = lucio.get_running_loop():time()
    local child
    t.raises(lucio.TimeoutError, function()
      local _ <close> = lucio.timeout(1)
      group(function(tg)
        child = tg:create_task(lucio.sleep, 9)
        lucio.sleep(9)
      end)
    end)
    assert.is_true(child:cancelled())
    assert.are.equal(start + 1, lucio.get_running_loop():time())
    assert.are.equal(0, cancelling())
  end)

  case("TG19: if a child turns it into an error the group is raised, no cancel is left", function(t)
    local boom = ValueError("boom")
    local e = t.raises(ExceptionGroup, function()
      local _ <close> = lucio.timeout(1)
      group(function(tg)
        tg:create_task(function()
          pcall(lucio.sleep, 9)
          error(boom, 0)
        end)
      end)
    end)
    members({boom}, e)
    assert.are.equal(0, cancelling())
    pass(2)
    lucio.sleep(1)
  end)

  case("TG19: a timeout inside the group gives TimeoutError as one of the errors", function(t)
    local e = t.raises(ExceptionGroup, group, function(tg)
      tg:create_task(function()
        local _ <close> = lucio.timeout(1)
        lucio.sleep(9)
      end)
    end)
    assert.are.equal(1, #e.exceptions)
    is(e.exceptions[1], lucio.TimeoutError)
  end)
end)

describe("TaskGroup:cancel", function()
  case("TG20: children are cancelled in creation order", function(t)
    t.raises(ExceptionGroup, group, function(tg)
      for _, name in ipairs{"c", "a", "d", "b"} do tg:create_task(waiting(t, name)) end
      pass(2)
      error(ValueError("boom"))
    end)
    t.same_lines{
      "c CancelledError 3", "a CancelledError 3", "d CancelledError 3", "b CancelledError 3",
    }
  end)

  case("TG21: cancels the children; the body of a block runs on and ends quietly", function(t)
    local child, unstarted
    group(function(tg)
      child = tg:create_task(waiting(t, "child"))
      pass(2)
      unstarted = tg:create_task(function() t.log("never") end)
      tg:cancel()
      tg:cancel()
      assert.are.equal(0, cancelling())
      t.raises(RuntimeError, tg.create_task, tg, function() t.log("never") end)
      pass(2)
      t.log("body", t.tick())
    end)
    assert.is_true(child:cancelled())
    assert.is_true(unstarted:cancelled())
    t.same_lines{"child CancelledError 3", "body 4"}
    assert.are.equal(0, cancelling())
  end)

  case("TG21: called by a child while the block waits at its end", function(t)
    group(function(tg)
      tg:create_task(waiting(t, "sibling"))
      tg:create_task(function()
        pass(1)
        tg:cancel()
      end)
    end)
    t.same_lines{"sibling CancelledError 3"}
    assert.are.equal(0, cancelling())
    pass(1)
  end)

  case("TG21: in the function form the body is cancelled too, without an error", function(t)
    local n = select("#", lucio.with(lucio.TaskGroup(), function(tg)
      local _ <close> = setmetatable({}, {__close = function(_, e) t.log("body", e.name) end})
      tg:create_task(waiting(t, "sibling"))
      tg:create_task(function()
        pass(1)
        tg:cancel()
        tg:cancel()
      end)
      lucio.sleep(9)
      t.log("never")
    end))
    assert.are.equal(0, n)
    assert.are.equal(0, cancelling())
    pass(2)
    table.sort(t.lines)
    t.same_lines{"body CancelledError", "sibling CancelledError 3"}
  end)

  case("TG21: the body itself calls it: its next suspension ends it", function(t)
    lucio.with(lucio.TaskGroup(), function(tg)
      tg:create_task(function() t.log("never") end)
      tg:cancel()
      t.log("body", t.tick())
      pass(1)
      t.log("never")
    end)
    t.same_lines{"body 0"}
    assert.are.equal(0, cancelling())
    pass(2)
    lucio.sleep(1)
  end)

  case("TG21: errors are raised all the same", function(t)
    local boom = ValueError("boom")
    local e = t.raises(ExceptionGroup, lucio.with, lucio.TaskGroup(), function(tg)
      tg:create_task(waiting(t, "child", 0, boom))
      pass(2)
      tg:cancel()
      lucio.sleep(9)
    end)
    members({boom}, e)
    assert.are.equal(0, cancelling())
    t.same_lines{"child CancelledError 3"}
  end)
end)
