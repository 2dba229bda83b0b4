-- Every wait of the core, for the cases that all of them must pass (spec/core/waits_spec.lua).
local assert = require "luassert"
local lucio = require "lucio"

-- Each entry makes a fresh wait: `wait` suspends until `wake` is called once, and then gives
-- `result`. `after` checks, with nobody waiting and every wake used up, that nothing was lost or
-- left over. `once`: a cancel ends it for good (the future awaited is cancelled). `late`: so many
-- ticks more than usual. `timer`: it wakes by itself. `met`: a wake needs somebody who waits.
local WAITS = {
  {id = "FU14", name = "future:await", once = true, make = function()
    local future = lucio.Future()
    local w = {result = {n = 2, "a", nil}}
    function w.wait() return future:await() end
    function w.wake() if not future:done() then future:set_result("a", nil) end end
    return w
  end},
  {id = "TA5", name = "task:await", once = true, late = 1, make = function()
    local event = lucio.Event()
    local task = lucio.create_task(function()
      event:wait()
      return "a", nil
    end)
    local w = {result = {n = 2, "a", nil}}
    function w.wait() return task:await() end
    function w.wake() event:set() end
    return w
  end},
  {id = "TA19", name = "lucio.sleep", once = true, timer = true, make = function()
    local w = {result = {n = 2, "a", nil}}
    function w.wait() return lucio.sleep(0.5, "a", nil) end
    function w.wake() end
    return w
  end},
  {id = "QU6", name = "queue:get", make = function()
    local queue = lucio.Queue()
    local w = {result = {n = 1, "a"}}
    function w.wait() return queue:get() end
    function w.wake() queue:put_nowait("a") end
    function w.after() assert.are.equal(0, queue:qsize()) end
    return w
  end},
  {id = "QU6", name = "priority_queue:get", make = function()
    local queue = lucio.PriorityQueue()
    local w = {result = {n = 1, "a"}}
    function w.wait() return queue:get() end
    function w.wake() queue:put_nowait("a") end
    function w.after() assert.are.equal(0, queue:qsize()) end
    return w
  end},
  {id = "QU6", name = "queue:put", make = function()
    local queue = lucio.Queue(1)
    queue:put_nowait("a")
    local w = {result = {n = 0}}
    function w.wait() return queue:put("a") end
    function w.wake() queue:get_nowait() end
    function w.after() assert.are.equal(1, queue:qsize()) end
    return w
  end},
  {id = "QU8", name = "queue:join", make = function()
    local queue = lucio.Queue()
    queue:put_nowait("a")
    local w = {result = {n = 0}}
    function w.wait() return queue:join() end
    function w.wake() if not queue:empty() then queue:get_nowait() queue:task_done() end end
    return w
  end},
  {id = "QU9", name = "queue:items", make = function()
    local queue = lucio.LifoQueue()
    local w = {result = {n = 1, "a"}}
    function w.wait()
      local item
      for _, got in queue:items() do
        item = got
        if item then break end
      end
      return item
    end
    function w.wake() queue:put_nowait("a") end
    function w.after() assert.are.equal(0, queue:qsize()) end
    return w
  end},
  {id = "LK3", name = "lock:acquire", make = function()
    local lock = lucio.Lock()
    lock:acquire()
    local w = {result = {n = 1, lock}}
    function w.wait() return lock:acquire() end
    function w.wake() lock:release() end
    function w.after() assert.is_true(lock:locked()) end
    return w
  end},
  {id = "SM4", name = "semaphore:acquire", make = function()
    local semaphore = lucio.BoundedSemaphore(2)
    semaphore:acquire()
    semaphore:acquire()
    local w = {result = {n = 1, semaphore}}
    function w.wait() return semaphore:acquire() end
    function w.wake() semaphore:release() end
    function w.after() assert.is_true(semaphore:locked()) end
    return w
  end},
  {id = "EV2", name = "event:wait", make = function()
    local event = lucio.Event()
    local w = {result = {n = 1, true}}
    function w.wait() return event:wait() end
    function w.wake() event:set() end
    return w
  end},
  {id = "CV3", name = "condition:wait", make = function()
    local condition = lucio.Condition()
    local w = {result = {n = 1, true}}
    function w.wait()
      local _ <close> = condition:acquire()
      return condition:wait()
    end
    function w.wake()
      local _ <close> = condition:acquire()
      condition:notify()
    end
    function w.after() assert.is_false(condition:locked()) end
    return w
  end},
  {id = "CV5", name = "condition:wait_for", make = function()
    local condition, ready = lucio.Condition(), false
    local w = {result = {n = 1, true}}
    function w.wait()
      local _ <close> = condition:acquire()
      return condition:wait_for(function() return ready end)
    end
    function w.wake()
      local _ <close> = condition:acquire()
      ready = true
      condition:notify_all()
    end
    function w.after() assert.is_false(condition:locked()) end
    return w
  end},
  {id = "CV2", name = "condition:acquire", make = function()
    local condition = lucio.Condition()
    condition:acquire()
    local w = {result = {n = 1, condition}}
    function w.wait() return condition:acquire() end
    function w.wake() condition:release() end
    function w.after() assert.is_true(condition:locked()) end
    return w
  end},
  {id = "BR3", name = "barrier:wait", met = true, make = function()
    local barrier = lucio.Barrier(2)
    local w = {result = {n = 1, 0}}
    function w.wait() return barrier:wait() end
    function w.wake() return barrier:wait() end
    function w.after()
      assert.are.equal(0, barrier.n_waiting)
      assert.is_false(barrier.broken)
    end
    return w
  end},
  {id = "AG5", name = "generator:asend", once = true, make = function()
    local event = lucio.Event()
    local generator = lucio.generator(function()
      event:wait()
      coroutine.yield("a", nil)
    end)
    local w = {result = {n = 2, "a", nil}}
    function w.wait() return generator:asend(nil) end
    function w.wake() event:set() end
    return w
  end},
}

return WAITS
