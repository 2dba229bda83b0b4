-- lucio.Lock
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

-- Starts a task that acquires the lock, logs `name` and the tick, and releases at once.
local function user(t, lock, name)
  return lucio.create_task(function()
    local _ <close> = lock:acquire()
    t.log(name, t.tick())
  end)
end

describe("lucio.Lock", function()
  case("LK1: acquire of a free lock returns the lock without suspending", function(t)
    local lock = lucio.Lock()
    assert.is_false(lock:locked())
    assert.are.equal(lock, lock:acquire())
    assert.is_true(lock:locked())
    lock:release()
    assert.is_false(lock:locked())
    assert.are.equal(0, t.tick())
  end)

  case("LK1: release of a free lock raises RuntimeError", function(t)
    local lock = lucio.Lock()
    t.raises(lucio.RuntimeError, lock.release, lock)
    lock:acquire()
    lock:release()
    t.raises(lucio.RuntimeError, lock.release, lock)
    lock:acquire()
    assert.is_true(lock:locked())
  end)

  case("LK1: a task that acquires twice waits for itself", function(t)
    local lock = lucio.Lock()
    lock:acquire()
    t.raises(lucio.TimeoutError, lucio.wait_for, function() lock:acquire() end, 1)
    assert.is_true(lock:locked())
  end)

  case("LK1: any task may release", function(t)
    local lock = lucio.Lock()
    lock:acquire()
    lucio.create_task(function() lock:release() end)
    lock:acquire()
    assert.are.equal(2, t.tick())
    lucio.create_task(lock.release, lock):await()
    assert.is_false(lock:locked())
  end)

  case("LK1: the <close> of acquire releases at the end of the block", function()
    local lock = lucio.Lock()
    do
      local _ <close> = lock:acquire()
      assert.is_true(lock:locked())
    end
    assert.is_false(lock:locked())
    for _ = 1, 2 do
      local _ <close> = lock:acquire()
    end
    assert.is_false(lock:locked())
  end)

  case("LK1: the <close> of acquire releases when an error leaves the block", function(t)
    local lock = lucio.Lock()
    t.raises("broken", function()
      local _ <close> = lock:acquire()
      error("broken", 0)
    end)
    assert.is_false(lock:locked())
    local holder = lucio.create_task(function()
      local _ <close> = lock:acquire()
      lucio.sleep(1)
    end)
    lucio.sleep(0)
    holder:cancel()
    t.raises(lucio.CancelledError, holder.await, holder)
    assert.is_false(lock:locked())
  end)

  case("LK1: a cancelled acquire leaves nothing to close", function()
    local lock = lucio.Lock()
    lock:acquire()
    local waiter = lucio.create_task(function()
      local _ <close> = lock:acquire()
    end)
    lucio.sleep(0)
    waiter:cancel()
    lucio.sleep(0)
    assert.is_true(waiter:cancelled())
    assert.is_true(lock:locked())
  end)

  case("LK2: waiters get the lock in the order of their calls, one tick after release", function(t)
    local lock = lucio.Lock()
    lock:acquire()
    for i = 1, 3 do user(t, lock, i) end
    lucio.sleep(0)
    lock:release()
    lucio.sleep(0)
    t.same_lines {"1 2"}
    lucio.sleep(0)
    lucio.sleep(0)
    t.same_lines {"1 2", "2 3", "3 4"}
    assert.is_false(lock:locked())
  end)

  case("LK2: the lock is free until the waiter runs, yet nobody barges in", function(t)
    local lock = lucio.Lock()
    lock:acquire()
    user(t, lock, "waiter")
    lucio.sleep(0)
    lock:release()
    assert.is_false(lock:locked())
    lock:acquire()
    t.log("main", t.tick())
    t.same_lines {"waiter 2", "main 3"}
  end)

  case("LK2: a task that acquires again at once lets the others go first", function(t)
    local lock = lucio.Lock()
    local tasks = {}
    for i, name in ipairs {"a", "b"} do
      tasks[i] = lucio.create_task(function()
        for _ = 1, 3 do
          local _ <close> = lock:acquire()
          t.log(name, t.tick())
          lucio.sleep(0)
        end
      end)
    end
    for _, task in ipairs(tasks) do task:await() end
    t.same_lines {"a 1", "b 3", "a 5", "b 7", "a 9", "b 11"}
  end)

  case("LK2: when all waiters are cancelled, acquire does not queue behind them", function(t)
    local lock = lucio.Lock()
    lock:acquire()
    local first, second = user(t, lock, "first"), user(t, lock, "second")
    lucio.sleep(0)
    first:cancel()
    second:cancel()
    lock:release()
    lock:acquire()
    assert.are.equal(1, t.tick())
    lucio.sleep(0)
    assert.is_true(first:cancelled() and second:cancelled())
    assert.is_true(lock:locked())
    t.same_lines {}
  end)

  case("LK3: a waiter cancelled before its wake just leaves", function(t)
    local lock = lucio.Lock()
    lock:acquire()
    local cancelled = user(t, lock, "cancelled")
    user(t, lock, "next")
    lucio.sleep(0)
    cancelled:cancel("stop")
    lucio.sleep(0)
    local e = t.raises(lucio.CancelledError, cancelled.await, cancelled)
    assert.are.equal("stop", e.args[1])
    assert.is_true(lock:locked())
    lock:release()
    lucio.sleep(0)
    t.same_lines {"next 3"}
  end)

  case("LK3: a waiter cancelled after its wake wakes the next", function(t)
    local lock = lucio.Lock()
    lock:acquire()
    local cancelled = user(t, lock, "cancelled")
    user(t, lock, "next")
    user(t, lock, "last")
    lucio.sleep(0)
    lock:release()
    cancelled:cancel()
    lucio.sleep(0)
    assert.is_true(cancelled:cancelled())
    t.same_lines {}
    lucio.sleep(0)
    lucio.sleep(0)
    t.same_lines {"next 3", "last 4"}
  end)

  case("LK3: a waiter cancelled after its wake leaves a lock taken meanwhile alone", function(t)
    local lock = lucio.Lock()
    lock:acquire()
    local cancelled = user(t, lock, "cancelled")
    lucio.sleep(0)
    lock:release()
    cancelled:cancel()
    lucio.sleep(0)
    assert.is_false(lock:locked())
    lock:acquire()
    assert.are.equal(2, t.tick())
  end)

  case("LK3: after cancel and release in one tick one successor has the lock", function(t)
    local lock = lucio.Lock()
    lock:acquire()
    local cancelled = user(t, lock, "cancelled")
    local holder = lucio.create_task(function()
      lock:acquire()
      t.log("next", t.tick())
    end)
    user(t, lock, "last")
    lucio.sleep(0)
    cancelled:cancel()
    lock:release()
    for _ = 1, 4 do lucio.sleep(0) end
    t.same_lines {"next 3"}
    assert.is_true(cancelled:cancelled() and holder:done())
    assert.is_true(lock:locked())
    lock:release()
    lucio.sleep(0)
    t.same_lines {"next 3", "last 6"}
  end)

  case("LK3: of many waiters cancelled in one tick none keeps the lock", function(t)
    local lock, tasks = lucio.Lock(), {}
    lock:acquire()
    for i = 1, 10 do tasks[i] = user(t, lock, i) end
    lucio.sleep(0)
    lock:release()
    for i = 1, 9 do tasks[i]:cancel() end
    tasks[10]:await()
    assert.are.equal(1, #t.lines)
    assert.is_false(lock:locked())
  end)

  case("LK3: a timeout around acquire leaves the lock with its holder", function(t)
    local lock = lucio.Lock()
    lock:acquire()
    t.raises(lucio.TimeoutError, function()
      local _ <close> = lucio.timeout(1)
      local _ <close> = lock:acquire()
    end)
    assert.is_true(lock:locked())
    lock:release()
    assert.is_false(lock:locked())
  end)

  it("LK1: can be made and used before a loop runs", function()
    local lock = lucio.Lock()
    lock:acquire()
    lock:release()
    lucio.run(function()
      lock:acquire()
      lucio.create_task(function() lock:release() end)
      lock:acquire()
      lock:release()
    end)
    assert.is_false(lock:locked())
  end)

  it("QU12: a lock that blocked on one loop raises RuntimeError on another", function()
    local lock = lucio.Lock()
    lucio.run(function()
      lock:acquire()
      pcall(lucio.wait_for, function() lock:acquire() end, 1)
    end)
    lucio.run(function()
      local ok, e = pcall(lock.acquire, lock)
      assert.is_false(ok)
      assert.is_true(lucio.isinstance(e, lucio.RuntimeError))
    end)
  end)
end)

describe("the text of a primitive", function()
  case("has its state and how many wait for it, as in asyncio", function(t)
    local lock, semaphore = lucio.Lock(), lucio.Semaphore(1)
    local event, condition = lucio.Event(), lucio.Condition()
    local function show() t.log(lock, semaphore, event, condition) end
    show()
    lock:acquire()
    semaphore:acquire()
    for _ = 1, 2 do
      lucio.create_task(lock.acquire, lock)
      lucio.create_task(semaphore.acquire, semaphore)
      lucio.create_task(event.wait, event)
      lucio.create_task(function()
        local _ <close> = condition:acquire()
        condition:wait()
      end)
    end
    lucio.sleep(0)
    show()
    lock:release()
    semaphore:release()
    event:set()
    show()
    lucio.sleep(0)
    show()
    t.same_lines {
      "<Lock [unlocked]> <Semaphore [unlocked, value:1]> <Event [unset]> <Condition [unlocked]>",
      "<Lock [locked, waiters:2]> <Semaphore [locked, waiters:2]> <Event [unset, waiters:2]> " ..
        "<Condition [unlocked, waiters:2]>",
      "<Lock [unlocked, waiters:2]> <Semaphore [locked, waiters:2]> <Event [set, waiters:2]> " ..
        "<Condition [unlocked, waiters:2]>",
      "<Lock [locked, waiters:1]> <Semaphore [locked, waiters:1]> <Event [set]> " ..
        "<Condition [unlocked, waiters:2]>",
    }
    local _ <close> = condition:acquire()
    condition:notify_all()
    lock:release()
    semaphore:release()
  end)
end)
