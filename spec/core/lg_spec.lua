-- LG: the ground rules that Lua 5.4 imposes on tasks.
local case = require "spec.support.case"
local lucio = require "lucio"

-- A value for a <close> variable.
local function closing(fn)
  return setmetatable({}, {__close = fn})
end

local function no_op() end

describe("a task body", function()
  case("LG1: a task that dies of an error runs its clean-up, which may await", function(t)
    local task = lucio.create_task(function()
      local _ <close> = closing(function(_, e)
        t.log("close", t.tick(), e)
        lucio.sleep(0)
        t.log("closed", t.tick())
      end)
      error(lucio.ValueError("boom"))
    end)
    t.raises(lucio.ValueError, task.await, task)
    t.log("main", t.tick())
    t.same_lines {"close 1 boom", "closed 2", "main 3"}
  end)

  case("LG1: several clean-ups run from the innermost to the outermost", function(t)
    local function cleanup(name)
      return closing(function(_, e)
        lucio.sleep(0)
        t.log(name, t.tick(), e)
      end)
    end
    local function inner()
      local _ <close> = cleanup("c")
      error("boom", 0)
    end
    local task = lucio.create_task(function()
      local _ <close> = cleanup("a")
      local _ <close> = cleanup("b")
      inner()
    end)
    t.raises("boom", task.await, task)
    t.same_lines {"c 2 boom", "b 3 boom", "a 4 boom"}
  end)
end)

describe("__close", function()
  local function slow_close(t, name)
    return closing(function(_, e)
      lucio.sleep(0)
      t.log(name, t.tick(), e)
    end)
  end

  case("LG2: may await on a normal exit", function(t)
    do
      local _ <close> = slow_close(t, "normal")
    end
    t.same_lines {"normal 1 nil"}
  end)

  case("LG2: may await when the function returns, and keeps its results", function(t)
    local function f()
      local _ <close> = slow_close(t, "return")
      return 1, nil, 3
    end
    assert.are.same(table.pack(1, nil, 3), table.pack(f()))
    t.same_lines {"return 1 nil"}
  end)

  case("LG2: may await on break", function(t)
    while true do -- luacheck: ignore 512
      local _ <close> = slow_close(t, "break")
      break
    end
    t.same_lines {"break 1 nil"}
  end)

  case("LG2: of a for loop may await on break", function(t)
    local function iterate()
      return function() return 1 end, nil, nil, slow_close(t, "for")
    end
    for _ in iterate() do break end -- luacheck: ignore 512
    t.same_lines {"for 1 nil"}
  end)

  case("LG2: may await while an error unwinds towards pcall", function(t)
    local ok, e = pcall(function()
      local _ <close> = slow_close(t, "pcall")
      error("boom", 0)
    end)
    t.log(ok, e, t.tick())
    t.same_lines {"pcall 1 boom", "false boom 1"}
  end)

  case("LG2: may await while an error unwinds towards xpcall", function(t)
    local ok, e = xpcall(function()
      local _ <close> = slow_close(t, "xpcall")
      error("boom", 0)
    end, function(e) return e .. "!" end)
    t.log(ok, e, t.tick())
    t.same_lines {"xpcall 1 boom!", "false boom! 1"}
  end)

  case("LG2: sees the CancelledError of a cancelled task and may await", function(t)
    local task = lucio.create_task(function()
      local _ <close> = closing(function(_, e)
        t.log(e.name, t.tick())
        lucio.sleep(0)
        t.log("closed", t.tick())
      end)
      lucio.sleep(100)
    end)
    lucio.sleep(0)
    task:cancel()
    t.raises(lucio.CancelledError, task.await, task)
    t.log("main", t.tick())
    t.same_lines {"CancelledError 2", "closed 3", "main 4"}
  end)

  it("LG2: of a task left running when run ends still awaits", function()
    local lines = {}
    lucio.run(function()
      lucio.create_task(function()
        local _ <close> = closing(function(_, e)
          lines[#lines + 1] = e.name
          lucio.sleep(1)
          lines[#lines + 1] = "closed"
        end)
        lucio.sleep(100)
      end)
      lucio.sleep(0)
    end)
    assert.are.same({"CancelledError", "closed"}, lines)
  end)

  case("LG3: that returns quietly lets the CancelledError go on", function(t)
    local task = lucio.create_task(function()
      local _ <close> = closing(no_op)
      lucio.sleep(100)
      t.log("unreachable")
    end)
    lucio.sleep(0)
    lucio.sleep(0)
    task:cancel()
    t.raises(lucio.CancelledError, task.await, task)
    assert.is_true(task:cancelled())
    t.same_lines {}
  end)

  case("LG3: that raises replaces the error", function(t)
    local task = lucio.create_task(function()
      local _ <close> = closing(function() error(lucio.ValueError("instead")) end)
      lucio.sleep(100)
    end)
    lucio.sleep(0)
    lucio.sleep(0)
    task:cancel()
    t.raises(lucio.ValueError, task.await, task)
    assert.is_false(task:cancelled())
  end)

  case("LG4: sees the very error object that was raised", function(t)
    local raised, seen = lucio.ValueError("boom"), nil
    local task = lucio.create_task(function()
      local _ <close> = closing(function(_, e) seen = e end)
      error(raised)
    end)
    t.raises(raised, task.await, task)
    assert.is_true(rawequal(raised, seen))
    assert.is_string(raised.traceback)
  end)

  case("LG4: sees what xpcall's handler made of the error", function(t)
    local scope
    local ok, e = xpcall(function()
      scope = lucio.timeout(1)
      local _ <close> = scope
      lucio.sleep(5)
    end, function(e) return "text of " .. e.name end)
    assert.is_false(ok)
    assert.are.equal("text of CancelledError", e)
    assert.is_true(scope:expired())
    assert.are.equal(0, lucio.current_task():cancelling())
    t.same_lines {}
  end)

  case("LG4: sees the CancelledError itself under lucio.xpcall", function()
    local ok, e = lucio.xpcall(function()
      local _ <close> = lucio.timeout(1)
      lucio.sleep(5)
    end, function(e) return "text of " .. e.name end)
    assert.is_false(ok)
    assert.are.equal("text of TimeoutError", e)
  end)
end)

describe("lucio.with", function()
  local function resource(answer)
    local seen = {}
    local mt = {__exit = function(_, e)
      seen[#seen + 1] = e == nil and "nil" or tostring(e)
      lucio.sleep(0)
      return answer
    end}
    return setmetatable({}, mt), seen
  end

  case("LG3: absorbs an error for which __exit returns true", function()
    local r, seen = resource(true)
    local results = table.pack(lucio.with(r, function(got)
      assert.are.equal(r, got)
      error("boom", 0)
    end))
    assert.are.same({n = 0}, results)
    assert.are.same({"boom"}, seen)
  end)

  case("LG3: absorbs a CancelledError that way too", function()
    local r, seen = resource(true)
    local task = lucio.create_task(function()
      lucio.with(r, function() lucio.sleep(100) end)
      return "went on"
    end)
    lucio.sleep(0)
    lucio.sleep(0)
    task:cancel("enough")
    assert.are.equal("went on", task:await())
    assert.are.same({"enough"}, seen)
  end)

  case("LG3: lets an error go on for which __exit returns nothing", function(t)
    local r, seen = resource(nil)
    t.raises("boom", lucio.with, r, function() error("boom", 0) end)
    assert.are.same({"boom"}, seen)
  end)

  case("LG3: passes arguments and results and calls __exit without an error", function()
    local r, seen = resource(true)
    local results = table.pack(lucio.with(r, function(_, a, b) return b, nil, a end, 1, 2))
    assert.are.same(table.pack(2, nil, 1), results)
    assert.are.same({"nil"}, seen)
  end)

  case("LG3: calls __close where there is no __exit", function(t)
    local r = closing(function(_, e) t.log("close", e) end)
    assert.are.equal(5, lucio.with(r, function() return 5 end))
    t.raises("boom", lucio.with, r, function() error("boom", 0) end)
    t.same_lines {"close nil", "close boom"}
  end)
end)

describe("lucio.pcall", function()
  local passing = {
    CancelledError = lucio.CancelledError,
    KeyboardInterrupt = lucio.KeyboardInterrupt,
    SystemExit = lucio.SystemExit,
  }

  for name, class in pairs(passing) do
    case("LG6: lets " .. name .. " through, as lucio.xpcall does", function(t)
      local e = class()
      t.raises(e, lucio.pcall, error, e)
      t.raises(e, lucio.xpcall, error, function() return "handled" end, e)
    end)

    case("LG6: plain pcall and xpcall catch " .. name, function()
      local e = class()
      assert.are.same({false, e}, {pcall(error, e)})
      assert.are.same({false, "handled"}, {xpcall(error, function() return "handled" end, e)})
    end)
  end

  case("LG6: catches ordinary errors of any kind and passes results", function()
    local e = lucio.ValueError("x")
    assert.are.same({false, e}, {lucio.pcall(error, e)})
    assert.are.same({false, "text"}, {lucio.pcall(error, "text", 0)})
    assert.are.same(table.pack(true, 1, nil), table.pack(lucio.pcall(function(...)
      lucio.sleep(0)
      return ...
    end, 1, nil)))
    local function handler(v) return v.message .. "!" end
    assert.are.same({false, "x!"}, {lucio.xpcall(error, handler, e)})
  end)

  case("LG6: plain pcall swallows a cancellation, lucio.pcall does not", function()
    local function sleeper(protect)
      return lucio.create_task(function()
        protect(lucio.sleep, 100)
        return "went on"
      end)
    end
    local swallowing, passing_on = sleeper(pcall), sleeper(lucio.pcall)
    lucio.sleep(0)
    lucio.sleep(0)
    swallowing:cancel()
    passing_on:cancel()
    lucio.wait {swallowing, passing_on}
    assert.are.equal("went on", swallowing:result())
    assert.is_true(passing_on:cancelled())
  end)
end)

describe("the await", function()
  case("LG7: raises in its caller, where pcall catches it", function(t)
    local f = lucio.Future()
    lucio.get_running_loop():call_soon(f.set_exception, f, lucio.ValueError("late"))
    local ok, e = pcall(function()
      f:await()
      t.log("unreachable")
    end)
    assert.is_false(ok)
    assert.are.equal("late", tostring(e))
    t.same_lines {}
  end)

  case("LG7: returns all values, nils included", function()
    local f = lucio.Future()
    lucio.get_running_loop():call_soon(f.set_result, f, nil, 2, nil)
    assert.are.same(table.pack(nil, 2, nil), table.pack(f:await()))
  end)
end)
