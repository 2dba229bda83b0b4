-- LT: how many ticks later something runs, in one table.
-- Specified in C: the call_soon_threadsafe half of LT1. Of LT8, drain and read belong to streams.
local case = require "spec.support.case"
local lucio = require "lucio"

local function soon(fn, ...)
  return lucio.get_running_loop():call_soon(fn, ...)
end

-- A future that gets the result 1 in the next tick.
local function done_in_1()
  local f = lucio.Future()
  soon(f.set_result, f, 1)
  return f
end

describe("one tick", function()
  case("LT1: until a new task's first step", function(t)
    lucio.create_task(function() t.log("task", t.tick()) end)
    lucio.sleep(0)
    lucio.create_task(function() t.log("task", t.tick()) end)
    lucio.sleep(0)
    t.same_lines {"task 1", "task 2"}
  end)

  case("LT1: for sleep(0)", function(t)
    for i = 1, 5 do
      lucio.sleep(0)
      assert.are.equal(i, t.tick())
    end
  end)

  case("LT1: until a callback added to a done future", function(t)
    local f = lucio.Future()
    f:set_result()
    f:add_done_callback(function() t.log("callback", t.tick()) end)
    t.log("added", t.tick())
    lucio.sleep(0)
    t.same_lines {"added 0", "callback 1"}
  end)

  local endings = {
    set_result = function(f) f:set_result(1) end,
    set_exception = function(f) f:set_exception(lucio.ValueError("x")) end,
    cancel = function(f) f:cancel() end,
  }

  for name, finish in pairs(endings) do
    case("LT2: from " .. name .. " of a future to its awaiter", function(t)
      local f = lucio.Future()
      soon(function()
        t.log(name, t.tick())
        finish(f)
      end)
      pcall(f.await, f)
      t.log("awaiter", t.tick())
      t.same_lines {name .. " 1", "awaiter 2"}
    end)
  end

  case("LT2: from the end of a task to its awaiter", function(t)
    local task = lucio.create_task(function()
      lucio.sleep(0)
      t.log("end", t.tick())
    end)
    task:await()
    t.log("awaiter", t.tick())
    t.same_lines {"end 2", "awaiter 3"}
  end)

  case("LT3: from a queue's put to the getter, and from get to the putter", function(t)
    local q = lucio.Queue(1)
    soon(function() q:put_nowait("a") end)
    q:get()
    t.log("getter", t.tick())
    q:put_nowait("b")
    soon(function() q:get_nowait() end)
    q:put("c")
    t.log("putter", t.tick())
    q:get_nowait()
    t.same_lines {"getter 2", "putter 4"}
  end)

  case("LT3: from a lock's release to the next waiter", function(t)
    local lock = lucio.Lock()
    lock:acquire()
    soon(lock.release, lock)
    lock:acquire()
    t.log("waiter", t.tick())
    lock:release()
    t.same_lines {"waiter 2"}
  end)

  case("LT3: from a semaphore's release to the next waiter", function(t)
    local semaphore = lucio.Semaphore(0)
    soon(semaphore.release, semaphore)
    semaphore:acquire()
    t.log("waiter", t.tick())
    t.same_lines {"waiter 2"}
  end)

  case("LT3: from an event's set to all its waiters", function(t)
    local event = lucio.Event()
    for _, name in ipairs {"a", "b", "c"} do
      lucio.create_task(function()
        event:wait()
        t.log(name, t.tick())
      end)
    end
    lucio.sleep(0)
    soon(event.set, event) -- tick 2
    lucio.sleep(0)
    lucio.sleep(0)
    t.same_lines {"a 3", "b 3", "c 3"}
  end)
end)

describe("notify(2) and release at t", function()
  -- Two waiters; both are notified and the lock released in tick 2.
  local function notify_two(t, hold)
    local condition = lucio.Condition()
    local tasks = {}
    for i = 1, 2 do
      tasks[i] = lucio.create_task(function()
        local _ <close> = condition:acquire()
        condition:wait()
        t.log("waiter", i, t.tick(), condition:locked())
        hold()
      end)
    end
    lucio.sleep(0)
    lucio.sleep(0)
    do
      local _ <close> = condition:acquire()
      condition:notify(2)
      t.log("notified", t.tick())
    end
    lucio.wait(tasks)
  end

  case("LT4: wake both at t+1 if the first releases before it suspends", function(t)
    notify_two(t, function() end)
    t.same_lines {"notified 2", "waiter 1 3 true", "waiter 2 3 true"}
  end)

  case("LT4: wake the second when the lock comes free", function(t)
    notify_two(t, function()
      lucio.sleep(0)
      lucio.sleep(0)
    end)
    -- the first holds the lock from tick 3 to 5
    t.same_lines {"notified 2", "waiter 1 3 true", "waiter 2 6 true"}
  end)
end)

describe("two ticks", function()
  case("LT5: from the last child to who gathers", function(t)
    lucio.gather(done_in_1(), done_in_1())
    assert.are.equal(3, t.tick())
  end)

  case("LT5: from the first failing child to who gathers", function(t)
    local f, pending = lucio.Future(), lucio.Future()
    soon(f.set_exception, f, lucio.ValueError("x"))
    t.raises(lucio.ValueError, lucio.gather, pending, f)
    assert.are.equal(3, t.tick())
  end)

  case("LT5: from the last future to who waits for all", function(t)
    lucio.wait {done_in_1(), done_in_1()}
    assert.are.equal(3, t.tick())
  end)

  case("LT5: from the first future to who waits for the first", function(t)
    lucio.wait({lucio.Future(), done_in_1()}, {return_when = lucio.FIRST_COMPLETED})
    assert.are.equal(3, t.tick())
  end)

  case("LT5: from the inner future to who awaits its shield", function(t)
    lucio.shield(done_in_1()):await()
    assert.are.equal(3, t.tick())
  end)

  case("LT5: from a future to the loop over as_completed", function(t)
    for _ in lucio.as_completed {done_in_1()} do t.log(t.tick()) end
    t.same_lines {"3"}
  end)

  case("LT5: from the last child to the end of a task group", function(t)
    do
      local group <close> = lucio.TaskGroup()
      group:create_task(function() t.log("child", t.tick()) end)
    end
    t.log("parent", t.tick())
    t.same_lines {"child 1", "parent 3"}
  end)

  case("LT5: from a failing child to the body of a task group", function(t)
    t.raises(lucio.ExceptionGroup, function()
      local group <close> = lucio.TaskGroup()
      group:create_task(function() error("boom", 0) end) -- tick 1
      local _ <close> = setmetatable({}, {__close = function(_, e)
        t.log(e.name, t.tick())
      end})
      lucio.sleep(100)
    end)
    t.same_lines {"CancelledError 3"}
  end)
end)

describe("cancelling the outermost of a chain", function()
  case("LT6: resumes the innermost of n at t+1 and the outermost at t+n", function(t)
    local function await_logged(name, what)
      pcall(what.await, what)
      t.log(name, t.tick())
    end
    local tasks = {}
    local inner = lucio.Future()
    for i = 1, 4 do
      local awaited = inner
      tasks[i] = lucio.create_task(await_logged, i, awaited)
      inner = tasks[i]
    end
    lucio.sleep(0)
    lucio.sleep(0)
    t.start_ticks()
    tasks[4]:cancel()
    tasks[4]:await()
    t.log("main", t.tick())
    t.same_lines {"1 1", "2 2", "3 3", "4 4", "main 5"}
  end)
end)

describe("a timeout", function()
  case("LT7: expiring at t raises in the body at t+1", function(t)
    lucio.get_running_loop():call_later(1, t.start_ticks)
    local scope = lucio.timeout(1)
    t.raises(lucio.TimeoutError, function()
      local _ <close> = scope
      local _ <close> = setmetatable({}, {__close = function(_, e)
        t.log(e.name, t.tick())
      end})
      lucio.sleep(5)
    end)
    t.log("after", t.tick())
    t.same_lines {"CancelledError 1", "after 1"}
  end)

  case("LT7: that does not expire costs wait_for no tick", function(t)
    assert.are.equal(1, lucio.wait_for(done_in_1(), 10))
    assert.are.equal(2, t.tick())
  end)
end)

describe("no tick at all", function()
  local function done()
    local f = lucio.Future()
    f:set_result("done")
    return f
  end

  local immediate = {
    ["awaiting a done future"] = function() done():await() end,
    ["awaiting a failed future"] = function()
      local f = lucio.Future()
      f:set_exception(lucio.ValueError("x"))
      pcall(f.await, f)
    end,
    ["awaiting a plain function"] = function() lucio.await(function() return 1 end) end,
    ["awaiting a coroutine"] = function() lucio.await(lucio.async(function() return 1 end)()) end,
    ["an uncontended acquire of a lock"] = function()
      local _ <close> = lucio.Lock():acquire()
    end,
    ["an uncontended acquire of a semaphore"] = function() lucio.Semaphore(1):acquire() end,
    ["waiting for an event that is set"] = function()
      local event = lucio.Event()
      event:set()
      event:wait()
    end,
    ["put with room and get with items"] = function()
      local q = lucio.Queue(1)
      q:put(1)
      q:get()
    end,
    ["join of a queue with nothing unfinished"] = function() lucio.Queue():join() end,
    ["entering and leaving a timeout"] = function()
      local _ <close> = lucio.timeout(1)
    end,
    ["an empty task group"] = function()
      local _ <close> = lucio.TaskGroup()
    end,
  }

  for name, act in pairs(immediate) do
    case("LT8: for " .. name, function(t)
      act()
      assert.are.equal(0, t.tick())
    end)
  end
end)
