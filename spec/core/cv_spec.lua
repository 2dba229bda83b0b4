-- lucio.Condition. Cancellation: cv_cancel_spec.lua.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

-- Starts a task that waits for the condition and logs `name` and the tick while it holds it.
local function waiter(t, condition, name)
  return lucio.create_task(function()
    local _ <close> = condition:acquire()
    condition:wait()
    t.log(name, t.tick())
  end)
end

-- Notifies `n` waiters under the lock.
local function notify(condition, n)
  local _ <close> = condition:acquire()
  condition:notify(n)
end

describe("lucio.Condition lock", function()
  case("CV1: makes a lock of its own", function(t)
    local condition = lucio.Condition()
    assert.is_false(condition:locked())
    assert.are.equal(condition, condition:acquire())
    assert.is_true(condition:locked())
    condition:release()
    assert.is_false(condition:locked())
    t.raises(lucio.RuntimeError, condition.release, condition)
    assert.are.equal(0, t.tick())
  end)

  case("CV1: uses the lock it is given", function()
    local lock = lucio.Lock()
    local condition = lucio.Condition(lock)
    lock:acquire()
    assert.is_true(condition:locked())
    condition:release()
    assert.is_false(lock:locked())
    condition:acquire()
    assert.is_true(lock:locked())
  end)

  case("CV1: a lock of another type raises TypeError", function(t)
    local e = t.raises(lucio.TypeError, lucio.Condition, lucio.Event())
    assert.matches("^bad argument #1 to 'Condition'", tostring(e))
    t.raises(lucio.TypeError, lucio.Condition, true)
  end)

  case("CV1: two conditions may share a lock", function(t)
    local lock = lucio.Lock()
    local full, empty = lucio.Condition(lock), lucio.Condition(lock)
    waiter(t, full, "full")
    waiter(t, empty, "empty")
    lucio.sleep(0)
    do
      local _ <close> = lock:acquire()
      empty:notify()
    end
    lucio.sleep(0)
    t.same_lines {"empty 2"}
    notify(full)
    lucio.sleep(0)
    t.same_lines {"empty 2", "full 3"}
  end)

  case("CV1: wait and notify without the lock raise RuntimeError", function(t)
    local condition = lucio.Condition()
    t.raises(lucio.RuntimeError, condition.wait, condition)
    t.raises(lucio.RuntimeError, condition.notify, condition)
    t.raises(lucio.RuntimeError, condition.notify_all, condition)
    t.raises(lucio.RuntimeError, condition.wait_for, condition, function() return false end)
    assert.is_false(condition:locked())
    assert.are.equal(0, t.tick())
  end)

  case("CV1: the <close> of acquire releases however the block is left", function(t)
    local condition = lucio.Condition()
    do
      local _ <close> = condition:acquire()
      assert.is_true(condition:locked())
    end
    assert.is_false(condition:locked())
    t.raises("broken", function()
      local _ <close> = condition:acquire()
      error("broken", 0)
    end)
    assert.is_false(condition:locked())
  end)
end)

describe("lucio.Condition:wait", function()
  case("CV2: releases the lock, and returns true with the lock held", function(t)
    local condition = lucio.Condition()
    local task = lucio.create_task(function()
      condition:acquire()
      t.log(condition:wait(), condition:locked(), t.tick())
      condition:release()
    end)
    lucio.sleep(0)
    assert.is_false(condition:locked())
    notify(condition)
    task:await()
    t.same_lines {"true true 2"}
    assert.is_false(condition:locked())
  end)

  case("CV2: notify wakes the oldest waiter", function(t)
    local condition = lucio.Condition()
    for i = 1, 3 do waiter(t, condition, i) end
    lucio.sleep(0)
    for _ = 1, 3 do
      notify(condition)
      lucio.sleep(0)
    end
    t.same_lines {"1 2", "2 3", "3 4"}
  end)

  case("CV2: notify(n) wakes the n oldest not yet woken", function(t)
    local condition = lucio.Condition()
    for i = 1, 5 do waiter(t, condition, i) end
    lucio.sleep(0)
    condition:acquire()
    condition:notify(2)
    condition:notify()
    condition:release()
    lucio.sleep(0)
    t.same_lines {"1 2", "2 2", "3 2"}
    notify(condition, 0)
    lucio.sleep(0)
    assert.are.equal(3, #t.lines)
    notify(condition, 9)
    lucio.sleep(0)
    t.same_lines {"1 2", "2 2", "3 2", "4 4", "5 4"}
  end)

  case("CV2: notify_all wakes every waiter", function(t)
    local condition = lucio.Condition()
    for i = 1, 3 do waiter(t, condition, i) end
    lucio.sleep(0)
    condition:acquire()
    condition:notify_all()
    condition:release()
    lucio.sleep(0)
    t.same_lines {"1 2", "2 2", "3 2"}
  end)

  case("CV2: notify without waiters is not remembered", function(t)
    local condition = lucio.Condition()
    notify(condition, 3)
    waiter(t, condition, "late")
    lucio.sleep(0)
    lucio.sleep(0)
    t.same_lines {}
  end)

  case("CV2: notify does not release, the woken wait for the lock", function(t)
    local condition = lucio.Condition()
    waiter(t, condition, 1)
    waiter(t, condition, 2)
    lucio.sleep(0)
    condition:acquire()
    condition:notify_all()
    for _ = 1, 3 do lucio.sleep(0) end
    t.same_lines {}
    condition:release()
    lucio.sleep(0)
    lucio.sleep(0)
    t.same_lines {"1 5", "2 6"}
  end)

  case("CV2: the woken queue for the lock in their order, behind who waits already", function(t)
    local condition = lucio.Condition()
    waiter(t, condition, 1)
    waiter(t, condition, 2)
    lucio.sleep(0)
    condition:acquire()
    lucio.create_task(function()
      local _ <close> = condition:acquire()
      t.log("other", t.tick())
    end)
    lucio.sleep(0)
    condition:notify_all()
    lucio.sleep(0)
    condition:release()
    for _ = 1, 4 do lucio.sleep(0) end
    t.same_lines {"other 4", "1 5", "2 6"}
  end)

  case("LT4: after notify(2) and release both run in the next tick unless they wait", function(t)
    local condition = lucio.Condition()
    waiter(t, condition, 1)
    waiter(t, condition, 2)
    lucio.sleep(0)
    notify(condition, 2)
    lucio.sleep(0)
    t.same_lines {"1 2", "2 2"}
  end)

  case("LT4: after notify(2) and release the second waits for the first's release", function(t)
    local condition = lucio.Condition()
    for i = 1, 2 do
      lucio.create_task(function()
        local _ <close> = condition:acquire()
        condition:wait()
        t.log(i, t.tick())
        lucio.sleep(0)
      end)
    end
    lucio.sleep(0)
    notify(condition, 2)
    for _ = 1, 4 do lucio.sleep(0) end
    t.same_lines {"1 2", "2 4"}
  end)

  case("CV5: wait_for returns the predicate's last value", function(t)
    local condition, value = lucio.Condition(), false
    local task = lucio.create_task(function()
      local _ <close> = condition:acquire()
      local result = condition:wait_for(function()
        t.log("asked", value)
        return value
      end)
      assert.is_true(condition:locked())
      return result
    end)
    lucio.sleep(0)
    notify(condition)
    lucio.sleep(0)
    value = "ready"
    notify(condition)
    assert.are.equal("ready", task:await())
    t.same_lines {"asked false", "asked false", "asked ready"}
  end)

  case("CV5: wait_for needs neither wait nor lock when the predicate is true", function(t)
    local condition = lucio.Condition()
    assert.are.equal(42, condition:wait_for(function() return 42 end))
    assert.is_false(condition:locked())
    assert.are.equal(0, t.tick())
  end)

  case("CV5: what the predicate raises leaves wait_for with the lock held", function(t)
    local condition, calls = lucio.Condition(), 0
    lucio.create_task(function()
      lucio.sleep(0)
      notify(condition)
    end)
    condition:acquire()
    t.raises("broken", condition.wait_for, condition, function()
      calls = calls + 1
      if calls == 2 then error("broken", 0) end
      return false
    end)
    assert.is_true(condition:locked())
    condition:release()
  end)

  case("CV5: wait_for without a function raises TypeError", function(t)
    local condition = lucio.Condition()
    condition:acquire()
    local e = t.raises(lucio.TypeError, condition.wait_for, condition)
    assert.matches("^bad argument #1 to 'wait_for'", tostring(e))
  end)
end)
