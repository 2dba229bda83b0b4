-- The queues: sizes, order, wake-ups. Also qu_cancel_spec.lua, qu_shutdown_spec.lua.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

-- Starts a task that logs `name`, the item it got and the tick.
local function getter(t, queue, name)
  return lucio.create_task(function() t.log(name, queue:get(), t.tick()) end)
end

-- Starts a task that puts `item` and logs the tick.
local function putter(t, queue, item)
  return lucio.create_task(function()
    queue:put(item)
    t.log("put", item, t.tick())
  end)
end

local function take_all(queue)
  local items = {}
  while not queue:empty() do items[#items + 1] = queue:get_nowait() end
  return items
end

local CLASSES = {"Queue", "LifoQueue", "PriorityQueue"}

describe("lucio.Queue sizes", function()
  for _, class in ipairs(CLASSES) do
    case("QU1: a " .. class .. " without a size is never full", function()
      for _, queue in ipairs {lucio[class](), lucio[class](0), lucio[class](-1)} do
        for i = 1, 1000 do queue:put_nowait(i) end
        assert.is_false(queue:full())
        assert.are.equal(1000, queue:qsize())
      end
    end)

    case("QU1: put_nowait on a full " .. class .. " raises QueueFull", function(t)
      local queue = lucio[class](2)
      queue:put_nowait(1)
      queue:put_nowait(2)
      local e = t.raises(lucio.QueueFull, queue.put_nowait, queue, 3)
      assert.is_true(lucio.isinstance(e, lucio.Exception))
      assert.are.equal(2, queue:qsize())
    end)

    case("QU1: get_nowait on an empty " .. class .. " raises QueueEmpty", function(t)
      local queue = lucio[class](2)
      local e = t.raises(lucio.QueueEmpty, queue.get_nowait, queue)
      assert.is_true(lucio.isinstance(e, lucio.Exception))
      queue:put_nowait(1)
      queue:get_nowait()
      t.raises(lucio.QueueEmpty, queue.get_nowait, queue)
    end)

    case("QU11: a " .. class .. " tells its size at every moment", function()
      local queue = lucio[class](2)
      assert.are.equal(2, queue.maxsize)
      assert.are.same({0, true, false}, {queue:qsize(), queue:empty(), queue:full()})
      queue:put_nowait(1)
      assert.are.same({1, false, false}, {queue:qsize(), queue:empty(), queue:full()})
      queue:put_nowait(2)
      assert.are.same({2, false, true}, {queue:qsize(), queue:empty(), queue:full()})
      queue:get_nowait()
      assert.are.same({1, false, false}, {queue:qsize(), queue:empty(), queue:full()})
    end)
  end

  case("QU11: maxsize is what the queue was made with", function()
    assert.are.equal(0, lucio.Queue().maxsize)
    assert.are.equal(0, lucio.Queue(0).maxsize)
    assert.are.equal(-3, lucio.Queue(-3).maxsize)
    assert.are.equal(7, lucio.PriorityQueue(7).maxsize)
  end)

  case("QU1: a size that is no number raises TypeError", function(t)
    local e = t.raises(lucio.TypeError, lucio.Queue, "many")
    assert.matches("^bad argument #1 to 'Queue' %(.+, got string%)$", tostring(e))
    t.raises(lucio.TypeError, lucio.Queue, {})
    t.raises(lucio.TypeError, lucio.LifoQueue, true)
    t.raises(lucio.TypeError, lucio.PriorityQueue, 0, "less")
  end)
end)

describe("lucio.Queue order", function()
  case("QU3: a Queue gives its items first in, first out", function()
    local queue = lucio.Queue()
    for i = 1, 3 do queue:put(i) end
    assert.are.equal(1, queue:get())
    queue:put(4)
    assert.are.same({2, 3, 4}, take_all(queue))
  end)

  case("QU3: a LifoQueue gives the newest item first", function()
    local queue = lucio.LifoQueue()
    for i = 1, 3 do queue:put(i) end
    assert.are.equal(3, queue:get())
    queue:put(4)
    assert.are.same({4, 2, 1}, take_all(queue))
  end)

  case("QU3: a PriorityQueue gives the smallest item first", function()
    local queue = lucio.PriorityQueue()
    for _, item in ipairs {5, 1, 4, 1.5, 3} do queue:put(item) end
    assert.are.equal(1, queue:get())
    queue:put(0)
    assert.are.same({0, 1.5, 3, 4, 5}, take_all(queue))
  end)

  case("QU3: a PriorityQueue orders a thousand items", function()
    local queue, expected = lucio.PriorityQueue(), {}
    for i = 1, 1000 do queue:put(i * 617 % 1009) end
    for i = 1, 1000 do expected[i] = i * 617 % 1009 end
    table.sort(expected)
    assert.are.same(expected, take_all(queue))
  end)

  case("QU3: a PriorityQueue compares tables field by field", function()
    local queue, names = lucio.PriorityQueue(), {}
    queue:put({2, "a", name = "2a"})
    queue:put({1, "b", 1, name = "1b1"})
    queue:put({1, "a", name = "1a"})
    queue:put({1, "b", name = "1b"})
    queue:put({1, name = "1"})
    for i = 1, 5 do names[i] = queue:get().name end
    assert.are.same({"1", "1a", "1b", "1b1", "2a"}, names)
  end)

  case("QU3: a PriorityQueue does not look at fields after one that differs", function()
    local queue = lucio.PriorityQueue()
    queue:put({2, function() end})
    queue:put({1, true})
    queue:put({3, {}})
    assert.are.equal(1, queue:get()[1])
    assert.are.equal(2, queue:get()[1])
  end)

  case("QU3: a PriorityQueue uses the items' own __lt", function()
    local job = {__lt = function(a, b) return a.cost < b.cost end}
    local queue = lucio.PriorityQueue()
    for _, cost in ipairs {3, 1, 2} do queue:put(setmetatable({cost = cost}, job)) end
    assert.are.same({1, 2, 3}, {queue:get().cost, queue:get().cost, queue:get().cost})
  end)

  case("QU3: a PriorityQueue uses the function it was given", function()
    local queue = lucio.PriorityQueue(0, function(a, b) return a > b end)
    for _, item in ipairs {2, 5, 1} do queue:put(item) end
    assert.are.same({5, 2, 1}, take_all(queue))
  end)

  case("QU3: equal priorities keep the order of insertion", function()
    local queue, names = lucio.PriorityQueue(0, function(a, b) return a.cost < b.cost end), {}
    for i = 1, 30 do queue:put({cost = i % 3, name = i}) end
    for i = 1, 10 do names[i] = queue:get().name end
    assert.are.same({3, 6, 9, 12, 15, 18, 21, 24, 27, 30}, names)
    queue:put({cost = 1, name = 31})
    for i = 1, 11 do names[i] = queue:get().name end
    assert.are.same({1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31}, names)
  end)

  case("QU3: equal tables keep the order of insertion", function()
    local queue, names = lucio.PriorityQueue(), {}
    for i = 1, 5 do queue:put({1, name = i}) end
    for i = 1, 5 do names[i] = queue:get().name end
    assert.are.same({1, 2, 3, 4, 5}, names)
  end)

  case("QU3: an item that cannot be compared raises from put and is not added", function(t)
    local queue = lucio.PriorityQueue()
    queue:put(1)
    local text = "items of a PriorityQueue cannot be compared: %s with number"
    for _, item in ipairs {"one", {"a list"}, lucio.Lock()} do
      local e = t.raises(lucio.TypeError, queue.put, queue, item)
      local name = type(item) == "userdata" and "lucio.Lock" or type(item)
      assert.are.equal(text:format(name), e.message)
      t.raises(lucio.TypeError, queue.put_nowait, queue, item)
    end
    local tuples = lucio.PriorityQueue()
    tuples:put {1, "text"}
    t.raises(lucio.TypeError, tuples.put, tuples, {1, {}})
    assert.are.equal(1, tuples:qsize())
    assert.are.equal(1, queue:qsize())
    assert.are.equal(1, queue:get())
    queue:task_done()
    queue:join()
  end)

  case("QU3: what the given function raises comes from put unchanged", function(t)
    local failure = {}
    local queue = lucio.PriorityQueue(0, function() error(failure) end)
    queue:put(1)
    t.raises(failure, queue.put, queue, 2)
    assert.are.same({1}, take_all(queue))
  end)

  for _, class in ipairs {"Queue", "LifoQueue"} do
    case("QU3: nil, false and NaN are items of a " .. class, function(t)
      local queue = lucio[class]()
      queue:put(nil)
      assert.are.equal(1, queue:qsize())
      assert.are.same({n = 1}, table.pack(queue:get()))
      queue:put(false)
      assert.is_false(queue:get_nowait())
      queue:put(0 / 0)
      local item = queue:get()
      assert.is_true(item ~= item)
      lucio.create_task(function() t.log("got", queue:get()) end)
      lucio.sleep(0)
      queue:put(nil)
      lucio.sleep(0)
      t.same_lines {"got nil"}
    end)
  end

  case("QU3: a single nil item of a PriorityQueue is kept", function()
    local queue = lucio.PriorityQueue()
    queue:put_nowait(nil)
    assert.are.equal(1, queue:qsize())
    assert.are.same({n = 1}, table.pack(queue:get_nowait()))
  end)
end)

describe("lucio.Queue waking", function()
  case("QU2: put and get that can proceed do not suspend", function(t)
    for _, class in ipairs(CLASSES) do
      local queue = lucio[class](2)
      queue:put(1)
      queue:put(2)
      queue:get()
      queue:get()
    end
    assert.are.equal(0, t.tick())
  end)

  case("QU4: put wakes the oldest getter, which resumes one tick later", function(t)
    local queue = lucio.Queue()
    getter(t, queue, "first")
    getter(t, queue, "second")
    lucio.sleep(0)
    queue:put("a")
    t.log("put", t.tick())
    lucio.sleep(0)
    queue:put("b")
    lucio.sleep(0)
    t.same_lines {"put 1", "first a 2", "second b 3"}
  end)

  case("QU4: get wakes the oldest putter, which resumes one tick later", function(t)
    local queue = lucio.Queue(1)
    queue:put("full")
    putter(t, queue, "a")
    putter(t, queue, "b")
    lucio.sleep(0)
    assert.are.equal("full", queue:get())
    assert.are.equal(0, queue:qsize())
    lucio.sleep(0)
    t.same_lines {"put a 2"}
    assert.are.equal("a", queue:get_nowait())
    lucio.sleep(0)
    t.same_lines {"put a 2", "put b 3"}
    assert.are.equal("b", queue:get())
  end)

  case("QU4: puts of one tick wake as many getters in that tick's order", function(t)
    local queue = lucio.Queue()
    for i = 1, 3 do getter(t, queue, i) end
    lucio.sleep(0)
    for i = 1, 3 do queue:put_nowait("item " .. i) end
    lucio.sleep(0)
    t.same_lines {"1 item 1 2", "2 item 2 2", "3 item 3 2"}
  end)

  case("QU4: producer and consumer of a queue of one take turns", function(t)
    local queue = lucio.Queue(1)
    local producer = lucio.create_task(function()
      for i = 1, 4 do
        queue:put(i)
        t.log("put", i, t.tick())
      end
    end)
    for _ = 1, 4 do t.log("got", queue:get(), t.tick()) end
    producer:await()
    t.same_lines {"put 1 1", "got 1 2", "put 2 3", "got 2 4", "put 3 5", "got 3 6", "put 4 7",
      "got 4 8"}
  end)

  case("QU5: an item stays in the queue until the woken getter runs", function(t)
    local queue = lucio.Queue()
    getter(t, queue, "getter")
    lucio.sleep(0)
    queue:put("a")
    assert.are.equal(1, queue:qsize())
    assert.is_false(queue:empty())
    lucio.sleep(0)
    assert.are.equal(0, queue:qsize())
    t.same_lines {"getter a 2"}
  end)

  case("QU5: a get in between takes the item, the woken getter waits again at the tail", function(t)
    local queue = lucio.Queue()
    getter(t, queue, "first")
    getter(t, queue, "second")
    lucio.sleep(0)
    queue:put("a")
    assert.are.equal("a", queue:get())
    lucio.sleep(0)
    t.same_lines {}
    queue:put("b")
    queue:put("c")
    lucio.sleep(0)
    t.same_lines {"second b 3", "first c 3"}
  end)

  case("QU5: a put in between takes the room, the woken putter waits again at the tail", function(t)
    local queue = lucio.Queue(1)
    queue:put("full")
    putter(t, queue, "a")
    putter(t, queue, "b")
    lucio.sleep(0)
    queue:get()
    queue:put("between")
    lucio.sleep(0)
    t.same_lines {}
    assert.are.equal("between", queue:get())
    lucio.sleep(0)
    assert.are.equal("b", queue:get())
    lucio.sleep(0)
    assert.are.equal("a", queue:get())
    t.same_lines {"put b 3", "put a 4"}
  end)

  case("QU5: the item of a LifoQueue and a PriorityQueue goes to whom it finds", function(t)
    local last, least = lucio.LifoQueue(), lucio.PriorityQueue()
    getter(t, last, "lifo")
    getter(t, least, "priority")
    lucio.sleep(0)
    for i = 1, 3 do
      last:put(i)
      least:put(4 - i)
    end
    lucio.sleep(0)
    t.same_lines {"lifo 3 2", "priority 1 2"}
  end)
end)
