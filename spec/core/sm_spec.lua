-- lucio.Semaphore and lucio.BoundedSemaphore
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

-- Starts a task that takes a permit and keeps it, logging `name` and the tick.
local function taker(t, semaphore, name)
  return lucio.create_task(function()
    semaphore:acquire()
    t.log(name, t.tick())
  end)
end

-- How many permits can be had without waiting; takes them all.
local function free(semaphore)
  local n = 0
  while not semaphore:locked() do
    semaphore:acquire()
    n = n + 1
  end
  return n
end

for _, class in ipairs {"Semaphore", "BoundedSemaphore"} do
  describe("lucio." .. class, function()
    local Class = lucio[class]

    case("SM1: a negative value raises ValueError, another type TypeError", function(t)
      t.raises(lucio.ValueError, Class, -1)
      local e = t.raises(lucio.TypeError, Class, "one")
      assert.matches("^bad argument #1 to '" .. class .. "' %(.+, got string%)$", tostring(e))
    end)

    case("SM1: locked tells whether the value is 0", function()
      assert.is_true(Class(0):locked())
      assert.are.equal(1, free(Class()))
      local semaphore = Class(2)
      assert.is_false(semaphore:locked())
      semaphore:acquire()
      assert.is_false(semaphore:locked())
      semaphore:acquire()
      assert.is_true(semaphore:locked())
      semaphore:release()
      assert.is_false(semaphore:locked())
    end)

    case("SM2: acquire returns the semaphore without suspending while permits are left", function(t)
      local semaphore = Class(2)
      assert.are.equal(semaphore, semaphore:acquire())
      assert.are.equal(semaphore, semaphore:acquire())
      assert.are.equal(0, t.tick())
    end)

    case("SM2: waiters get permits in the order of their calls", function(t)
      local semaphore = Class(1)
      semaphore:acquire()
      for i = 1, 3 do taker(t, semaphore, i) end
      lucio.sleep(0)
      for _ = 1, 3 do
        semaphore:release()
        lucio.sleep(0)
      end
      t.same_lines {"1 2", "2 3", "3 4"}
    end)

    case("SM3: a release gives the permit to the waiter at once, nobody barges in", function(t)
      local semaphore = Class(1)
      semaphore:acquire()
      lucio.create_task(function()
        local _ <close> = semaphore:acquire()
        t.log("waiter", t.tick())
      end)
      lucio.sleep(0)
      semaphore:release()
      assert.is_true(semaphore:locked())
      semaphore:acquire()
      t.log("main", t.tick())
      t.same_lines {"waiter 2", "main 3"}
    end)

    case("SM4: a granted waiter cancelled before it runs passes the permit on", function(t)
      local semaphore = Class(1)
      semaphore:acquire()
      local cancelled = taker(t, semaphore, "cancelled")
      taker(t, semaphore, "next")
      lucio.sleep(0)
      semaphore:release()
      cancelled:cancel("stop")
      lucio.sleep(0)
      local e = t.raises(lucio.CancelledError, cancelled.await, cancelled)
      assert.are.equal("stop", e.args[1])
      t.same_lines {}
      lucio.sleep(0)
      t.same_lines {"next 3"}
      assert.is_true(semaphore:locked())
    end)

    case("SM4: a granted waiter cancelled before it runs gives the permit back", function()
      local semaphore = Class(2)
      semaphore:acquire()
      semaphore:acquire()
      local cancelled = lucio.create_task(semaphore.acquire, semaphore)
      lucio.sleep(0)
      semaphore:release()
      cancelled:cancel()
      lucio.sleep(0)
      assert.is_true(cancelled:cancelled())
      assert.are.equal(1, free(semaphore))
    end)

    case("SM4: a waiter cancelled before the release of the same tick is passed over", function(t)
      local semaphore = Class(1)
      semaphore:acquire()
      local cancelled = taker(t, semaphore, "cancelled")
      taker(t, semaphore, "next")
      lucio.sleep(0)
      cancelled:cancel()
      semaphore:release()
      lucio.sleep(0)
      assert.is_true(cancelled:cancelled())
      t.same_lines {"next 2"}
      assert.are.equal(0, free(semaphore))
    end)

    case("SM1: cancelled waiters do not count as queued", function(t)
      local semaphore = Class(1)
      semaphore:acquire()
      local cancelled = taker(t, semaphore, "cancelled")
      lucio.sleep(0)
      cancelled:cancel()
      semaphore:release()
      assert.is_false(semaphore:locked())
      semaphore:acquire()
      assert.are.equal(1, t.tick())
    end)

    case("SM5: as many releases as waiters resume them all in one tick", function(t)
      local semaphore = Class(3)
      for _ = 1, 3 do semaphore:acquire() end
      for i = 1, 3 do taker(t, semaphore, i) end
      lucio.sleep(0)
      for _ = 1, 3 do semaphore:release() end
      lucio.sleep(0)
      t.same_lines {"1 2", "2 2", "3 2"}
    end)

    case("SM5: tasks that acquire again take strict turns", function(t)
      local semaphore, tasks = Class(1), {}
      for i, name in ipairs {"a", "b", "c"} do
        tasks[i] = lucio.create_task(function()
          for _ = 1, 2 do
            local _ <close> = semaphore:acquire()
            t.log(name, t.tick())
            lucio.sleep(0)
          end
        end)
      end
      for _, task in ipairs(tasks) do task:await() end
      t.same_lines {"a 1", "b 3", "c 5", "a 7", "b 9", "c 11"}
    end)

    case("SM2: the <close> of acquire gives the permit back however the block is left", function(t)
      local semaphore = Class(1)
      do
        local _ <close> = semaphore:acquire()
        assert.is_true(semaphore:locked())
      end
      assert.is_false(semaphore:locked())
      t.raises("broken", function()
        local _ <close> = semaphore:acquire()
        error("broken", 0)
      end)
      assert.is_false(semaphore:locked())
      local holder = lucio.create_task(function()
        local _ <close> = semaphore:acquire()
        lucio.sleep(1)
      end)
      lucio.sleep(0)
      assert.is_true(semaphore:locked())
      holder:cancel()
      lucio.sleep(0)
      assert.are.equal(1, free(semaphore))
    end)

    case("SM4: a cancelled acquire leaves nothing to close", function()
      local semaphore = Class(1)
      semaphore:acquire()
      local waiter = lucio.create_task(function()
        local _ <close> = semaphore:acquire()
      end)
      lucio.sleep(0)
      waiter:cancel()
      lucio.sleep(0)
      assert.is_true(waiter:cancelled())
      assert.is_true(semaphore:locked())
    end)

    case("SM4: a timeout around acquire costs no permit", function(t)
      local semaphore = Class(1)
      semaphore:acquire()
      t.raises(lucio.TimeoutError, lucio.wait_for, function() semaphore:acquire() end, 1)
      semaphore:release()
      assert.are.equal(1, free(semaphore))
    end)
  end)
end

describe("lucio.Semaphore and lucio.BoundedSemaphore", function()
  case("SM1: an unrun waiter counts as queued even when permits are left", function(t)
    local semaphore = lucio.Semaphore(0)
    taker(t, semaphore, "waiter")
    lucio.sleep(0)
    semaphore:release()
    semaphore:release()
    assert.is_true(semaphore:locked())
    semaphore:acquire()
    t.log("main", t.tick())
    t.same_lines {"waiter 2", "main 3"}
  end)

  case("SM4: a waiter that runs wakes more while permits remain", function(t)
    local semaphore = lucio.Semaphore(0)
    taker(t, semaphore, "waiter")
    lucio.sleep(0)
    semaphore:release()
    semaphore:release()
    semaphore:release()
    taker(t, semaphore, "b")
    taker(t, semaphore, "c")
    taker(t, semaphore, "d")
    for _ = 1, 4 do lucio.sleep(0) end
    t.same_lines {"waiter 2", "b 2", "c 2"}
  end)

  case("SM6: a Semaphore may be released above its initial value", function()
    local semaphore = lucio.Semaphore(1)
    semaphore:release()
    semaphore:release()
    assert.are.equal(3, free(semaphore))
  end)

  case("SM6: a BoundedSemaphore released above its initial value raises ValueError", function(t)
    local semaphore = lucio.BoundedSemaphore(1)
    t.raises(lucio.ValueError, semaphore.release, semaphore)
    semaphore:acquire()
    semaphore:release()
    t.raises(lucio.ValueError, semaphore.release, semaphore)
    assert.are.equal(1, free(semaphore))
    t.raises(lucio.ValueError, lucio.BoundedSemaphore(0).release, lucio.BoundedSemaphore(0))
  end)

  it("QU12: a semaphore that blocked on one loop raises RuntimeError on another", function()
    local semaphore = lucio.Semaphore(0)
    lucio.run(function()
      pcall(lucio.wait_for, function() semaphore:acquire() end, 1)
    end)
    lucio.run(function()
      local ok, e = pcall(semaphore.acquire, semaphore)
      assert.is_false(ok)
      assert.is_true(lucio.isinstance(e, lucio.RuntimeError))
    end)
  end)
end)
