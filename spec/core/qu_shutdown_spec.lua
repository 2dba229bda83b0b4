-- The queues: join and task_done, shutdown, iteration, use without a loop. The rest: qu_spec.lua.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

-- Starts a task that logs `name` with what fn gives, or the class of what it raises, and the tick.
local function logger(t, name, fn)
  return lucio.create_task(function()
    local r = table.pack(lucio.pcall(fn))
    if r[1] then
      t.log(name, r[2], t.tick())
    else
      t.log(name, r[2].name, t.tick())
    end
  end)
end

describe("lucio.Queue:join", function()
  case("QU7: every put needs a task_done, one more raises ValueError", function(t)
    local queue = lucio.Queue()
    t.raises("task_done() called too many times", queue.task_done, queue)
    queue:put_nowait(1)
    queue:put(2)
    queue:task_done()
    queue:task_done()
    t.raises(lucio.ValueError, queue.task_done, queue)
    assert.are.equal(2, queue:qsize())
  end)

  case("QU7: get leaves the unfinished count alone", function(t)
    local queue = lucio.Queue()
    queue:put(1)
    queue:get()
    t.raises(lucio.TimeoutError, lucio.wait_for, function() queue:join() end, 1)
    queue:task_done()
    queue:join()
  end)

  case("QU8: join returns at once when nothing is unfinished", function(t)
    local queue = lucio.Queue()
    queue:join()
    queue:put(1)
    queue:get()
    queue:task_done()
    queue:join()
    assert.are.equal(0, t.tick())
  end)

  case("QU8: all joiners resume together one tick after the last task_done", function(t)
    local queue = lucio.Queue()
    queue:put("a")
    queue:put("b")
    for i = 1, 3 do logger(t, i, function() return queue:join() end) end
    lucio.sleep(0)
    queue:task_done()
    lucio.sleep(0)
    t.same_lines {}
    queue:task_done()
    lucio.sleep(0)
    t.same_lines {"1 nil 3", "2 nil 3", "3 nil 3"}
  end)

  case("QU8: a put right after the last task_done does not hold the joiners", function(t)
    local queue = lucio.Queue()
    queue:put("a")
    logger(t, "join", function() return queue:join() end)
    lucio.sleep(0)
    queue:task_done()
    queue:put("b")
    lucio.sleep(0)
    t.same_lines {"join nil 2"}
    t.raises(lucio.TimeoutError, lucio.wait_for, function() queue:join() end, 1)
  end)

  case("QU8: workers and join", function()
    local queue, sum = lucio.Queue(3), 0
    local workers = {}
    for i = 1, 3 do
      workers[i] = lucio.create_task(function()
        while true do
          local item = queue:get()
          lucio.sleep(item)
          sum = sum + item
          queue:task_done()
        end
      end)
    end
    for i = 1, 10 do queue:put(i) end
    queue:join()
    assert.are.equal(55, sum)
    for _, worker in ipairs(workers) do worker:cancel() end
  end)
end)

describe("lucio.Queue:shutdown", function()
  case("QU9: put raises QueueShutDown after it", function(t)
    for _, queue in ipairs {lucio.Queue(), lucio.LifoQueue(2), lucio.PriorityQueue(1)} do
      queue:put(1)
      queue:shutdown()
      local e = t.raises(lucio.QueueShutDown, queue.put, queue, 2)
      assert.is_true(lucio.isinstance(e, lucio.Exception))
      t.raises(lucio.QueueShutDown, queue.put_nowait, queue, 2)
      assert.are.equal(1, queue:qsize())
    end
    assert.are.equal(0, t.tick())
  end)

  case("QU9: gets drain what is left, then raise QueueShutDown", function(t)
    local queue = lucio.Queue()
    queue:put(1)
    queue:put(2)
    queue:shutdown()
    assert.are.equal(1, queue:get())
    assert.are.equal(2, queue:get_nowait())
    t.raises(lucio.QueueShutDown, queue.get, queue)
    t.raises(lucio.QueueShutDown, queue.get_nowait, queue)
    assert.are.equal(0, t.tick())
  end)

  case("QU9: getters blocked on an empty queue get QueueShutDown one tick later", function(t)
    local queue = lucio.Queue()
    for i = 1, 2 do logger(t, i, function() return queue:get() end) end
    lucio.sleep(0)
    queue:shutdown()
    lucio.sleep(0)
    t.same_lines {"1 QueueShutDown 2", "2 QueueShutDown 2"}
  end)

  case("QU9: blocked putters get QueueShutDown, their items are not added", function(t)
    local queue = lucio.Queue(1)
    queue:put("full")
    for i = 1, 2 do logger(t, i, function() return queue:put(i) end) end
    lucio.sleep(0)
    queue:shutdown()
    lucio.sleep(0)
    t.same_lines {"1 QueueShutDown 2", "2 QueueShutDown 2"}
    assert.are.equal("full", queue:get())
    t.raises(lucio.QueueShutDown, queue.get, queue)
  end)

  case("QU9: a putter woken by a get of the same tick gets QueueShutDown", function(t)
    local queue = lucio.Queue(1)
    queue:put("full")
    logger(t, "put", function() return queue:put("late") end)
    lucio.sleep(0)
    queue:get()
    queue:shutdown()
    lucio.sleep(0)
    t.same_lines {"put QueueShutDown 2"}
    assert.are.equal(0, queue:qsize())
  end)

  case("QU9: a getter woken by a put of the same tick gets the item", function(t)
    local queue = lucio.Queue()
    for i = 1, 2 do logger(t, i, function() return queue:get() end) end
    lucio.sleep(0)
    queue:put("item")
    queue:shutdown()
    lucio.sleep(0)
    t.same_lines {"1 item 2", "2 QueueShutDown 2"}
  end)

  case("QU9: join still waits for the items left", function(t)
    local queue = lucio.Queue()
    queue:put(1)
    queue:shutdown()
    logger(t, "join", function() return queue:join() end)
    lucio.sleep(0)
    lucio.sleep(0)
    t.same_lines {}
    queue:get()
    queue:task_done()
    lucio.sleep(0)
    t.same_lines {"join nil 3"}
  end)

  case("QU10: an immediate shutdown drops the items and counts them done", function(t)
    local queue = lucio.Queue()
    for i = 1, 3 do queue:put(i) end
    logger(t, "join", function() return queue:join() end)
    lucio.sleep(0)
    queue:shutdown(true)
    assert.are.same({0, true}, {queue:qsize(), queue:empty()})
    t.raises(lucio.QueueShutDown, queue.get, queue)
    t.raises(lucio.QueueShutDown, queue.get_nowait, queue)
    t.raises(lucio.QueueShutDown, queue.put, queue, 1)
    t.raises(lucio.ValueError, queue.task_done, queue)
    lucio.sleep(0)
    t.same_lines {"join nil 2"}
  end)

  case("QU10: an item taken but not done still holds join", function(t)
    local queue = lucio.Queue()
    queue:put(1)
    queue:put(2)
    queue:get()
    queue:shutdown(true)
    logger(t, "join", function() return queue:join() end)
    lucio.sleep(0)
    lucio.sleep(0)
    t.same_lines {}
    queue:task_done()
    lucio.sleep(0)
    t.same_lines {"join nil 3"}
  end)

  case("QU10: an immediate shutdown wakes getters and putters", function(t)
    local empty, full = lucio.Queue(), lucio.Queue(1)
    full:put("full")
    logger(t, "get", function() return empty:get() end)
    logger(t, "put", function() return full:put("late") end)
    lucio.sleep(0)
    empty:shutdown(true)
    full:shutdown(true)
    lucio.sleep(0)
    t.same_lines {"get QueueShutDown 2", "put QueueShutDown 2"}
    assert.are.equal(0, full:qsize())
  end)

  case("QU10: a getter woken by a put of the same tick finds the item dropped", function(t)
    local queue = lucio.Queue()
    logger(t, "get", function() return queue:get() end)
    lucio.sleep(0)
    queue:put("item")
    queue:shutdown(true)
    lucio.sleep(0)
    t.same_lines {"get QueueShutDown 2"}
  end)

  case("QU10: shutdown is idempotent, and plain may be followed by immediate", function(t)
    local queue = lucio.PriorityQueue()
    queue:put(1)
    queue:shutdown()
    queue:shutdown()
    assert.are.equal(1, queue:qsize())
    queue:shutdown(true)
    assert.are.equal(0, queue:qsize())
    queue:shutdown()
    queue:shutdown(true)
    t.raises(lucio.QueueShutDown, queue.get, queue)
    queue:join()
    assert.are.equal(0, t.tick())
  end)
end)

describe("lucio.Queue:items", function()
  case("QU9: iteration ends when the queue is shut down and empty", function(t)
    local queue = lucio.Queue()
    local consumer = lucio.create_task(function()
      for i, item in queue:items() do t.log(i, item, t.tick()) end
      t.log("end", t.tick())
    end)
    lucio.sleep(0)
    queue:put("a")
    queue:put("b")
    lucio.sleep(0)
    lucio.sleep(0)
    queue:put("c")
    queue:shutdown()
    consumer:await()
    t.same_lines {"1 a 2", "2 b 2", "3 c 4", "end 4"}
  end)

  case("QU9: iteration over nil items does not end early", function(t)
    local queue = lucio.Queue()
    queue:put(nil)
    queue:put(false)
    queue:put(nil)
    queue:shutdown()
    for i, item in queue:items() do t.log(i, item) end
    t.same_lines {"1 nil", "2 false", "3 nil"}
  end)

  case("QU9: iteration over an empty queue that was shut down ends at once", function(t)
    local queue = lucio.LifoQueue()
    queue:shutdown()
    for _ in queue:items() do t.log("item") end
    t.same_lines {}
    assert.are.equal(0, t.tick())
  end)

  case("QU10: iteration ends at an immediate shutdown", function(t)
    local queue = lucio.Queue()
    for i = 1, 3 do queue:put(i) end
    for i, item in queue:items() do
      t.log(i, item)
      queue:shutdown(true)
    end
    t.same_lines {"1 1"}
  end)

  case("QU9: break keeps the items left", function(t)
    local queue = lucio.PriorityQueue()
    for i = 1, 3 do queue:put(i) end
    for _, item in queue:items() do
      t.log(item)
      if item == 1 then break end
    end
    assert.are.equal(2, queue:qsize())
    queue:shutdown()
    for _, item in queue:items() do t.log(item) end
    t.same_lines {"1", "2", "3"}
  end)

  case("QU6: cancelling a task that waits in an iteration loses nothing", function(t)
    local queue = lucio.Queue()
    local consumer = lucio.create_task(function()
      for _, item in queue:items() do t.log(item) end
    end)
    lucio.sleep(0)
    queue:put("a")
    consumer:cancel()
    lucio.sleep(0)
    assert.is_true(consumer:cancelled())
    t.same_lines {}
    assert.are.equal("a", queue:get_nowait())
  end)

  case("QU4: two consumers share the items", function(t)
    local queue = lucio.Queue()
    for i = 1, 2 do
      lucio.create_task(function()
        for _, item in queue:items() do
          t.log(i, item)
          lucio.sleep(1)
        end
      end)
    end
    for i = 1, 4 do queue:put(i) end
    queue:shutdown()
    lucio.sleep(5)
    t.same_lines {"1 1", "2 2", "1 3", "2 4"}
  end)
end)

describe("lucio.Queue and loops", function()
  it("QU12: works without a loop as long as nothing blocks", function()
    local queue = lucio.Queue(1)
    queue:put_nowait("a")
    assert.are.equal("a", queue:get_nowait())
    queue:task_done()
    assert.are.equal("b", lucio.run(function()
      queue:put("b")
      return queue:get()
    end))
    assert.are.equal("c", lucio.run(function()
      lucio.create_task(function() queue:put("c") end)
      return queue:get()
    end))
  end)

  it("QU12: blocking under another loop raises RuntimeError", function()
    local queue = lucio.Queue(1)
    lucio.run(function()
      assert.is_false(pcall(lucio.wait_for, function() queue:get() end, 1))
    end)
    lucio.run(function()
      local ok, e = pcall(queue.get, queue)
      assert.is_false(ok)
      assert.is_true(lucio.isinstance(e, lucio.RuntimeError))
      queue:put("a")
      ok, e = pcall(queue.put, queue, "b")
      assert.is_false(ok)
      assert.is_true(lucio.isinstance(e, lucio.RuntimeError))
      assert.are.equal("a", queue:get())
    end)
  end)
end)
