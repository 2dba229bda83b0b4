-- lucio.shared: values and arrays in memory that threads share.
local case = require "spec.support.case"
local lucio = require "lucio"

local shared = lucio.shared

describe("Value", function()
  case("holds one of its type", function(t)
    assert.are.equal(0, shared.Value("i64").value)
    assert.are.equal(math.mininteger, shared.Value("i", math.mininteger).value)
    assert.are.equal(2.0, shared.Value("d", 2).value)
    assert.are.equal("float", math.type(shared.Value("f64", 2).value))
    assert.is_true(shared.Value("bool", true).value)
    assert.are.equal(255, shared.Value("u8", 255).value)
    t.raises(lucio.ValueError, shared.Value, "u8", 256)
    t.raises(lucio.TypeError, shared.Value, "i64", "1")
    t.raises(lucio.TypeError, shared.Value, "bool", 1)
    t.raises(lucio.ValueError, shared.Value, "text")
    t.raises(lucio.ValueError, shared.Value)
  end)

  case("is set by its field", function(t)
    local value = shared.Value("i64", 1)
    value.value = 7
    assert.are.equal("<Value i64 7>", tostring(value))
    t.raises(lucio.TypeError, function() value.other = 1 end)
    t.raises(lucio.TypeError, function() value.value = "x" end)
    assert.is_nil(value.other)
  end)

  case("adds and exchanges in one piece", function(t)
    local value = shared.Value("i64", 1)
    assert.are.same({3, 4}, {value:add(2), value:add()})
    assert.is_true(value:compare_exchange(4, 10))
    assert.is_false(value:compare_exchange(4, 11))
    assert.are.equal(10, value.value)
    assert.are.equal(1.5, shared.Value("f64", 1):add(0.5))
    assert.is_true(shared.Value("bool"):compare_exchange(false, true))
    t.raises(lucio.TypeError, value.add, value, "x")
    local flag = shared.Value("bool")
    t.raises(lucio.TypeError, flag.add, flag, 1)
  end)

  case("loses no addition of four threads", function()
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 4}
    local sum, locked = shared.Value("i64"), shared.Value("i64")
    local function work()
      for _ = 1, 2000 do
        sum:add(1)
        local _ <close> = locked:get_lock():acquire()
        locked.value = locked.value + 1
      end
    end
    lucio.gather(pool:submit(work), pool:submit(work), pool:submit(work), pool:submit(work))
    assert.are.same({8000, 8000}, {sum.value, locked.value})
  end)
end)

describe("the lock", function()
  case("is taken again by the thread that has it", function(t)
    local lock = shared.Value("i64"):get_lock()
    assert.are.equal(lock, lock:acquire())
    lock:acquire()
    lock:release()
    lock:release()
    t.raises(lucio.RuntimeError, lock.release, lock)
  end)

  case("is taken over from a thread that ended with it, which is told", function()
    local value = shared.Value("i64")
    do
      local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1}
      pool:submit(function() value:get_lock():acquire() end):await()
    end
    local lock = value:get_lock()
    assert.are.same({lock, true}, {lock:acquire()})
    lock:release()
    assert.are.same({true, false}, {lock:try_acquire()})
    lock:release()
  end)

  case("is awaited by a task, and the loop goes on", function()
    local value, started, finish = shared.Value("i64"), shared.Semaphore(0), shared.Semaphore(0)
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1}
    local job = pool:submit(function()
      local _ <close> = value:get_lock():acquire()
      started:release()
      finish:acquire()
      value.value = 1
    end)
    started:acquire()
    local seen = {}
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = lucio.create_task(function()
        local _ <close> = value:get_lock():acquire()
        seen[#seen + 1] = i
        lucio.sleep(0)
      end)
    end
    for _ = 1, 5 do lucio.sleep(0) end
    assert.are.same({}, seen)
    finish:release()
    lucio.gather(table.unpack(tasks))
    job:await()
    assert.are.same({1, 2, 3}, seen)
    assert.are.equal(1, value.value)
  end)

  case("keeps tasks of one loop apart", function(t)
    local lock, rlock = shared.Lock(), shared.RLock()
    lock:acquire()
    rlock:acquire()
    rlock:acquire()
    local other = lucio.create_task(function()
      assert.is_false((rlock:try_acquire()))
      t.raises("the caller does not hold the lock", rlock.release, rlock)
      t.log("waits")
      lock:acquire()
      t.log("has it")
      lock:release()
    end)
    lucio.sleep(0)
    lucio.sleep(0)
    t.log("gives")
    lock:release()
    lucio.sleep(0)
    other:await()
    rlock:release()
    rlock:release()
    t.raises("the caller does not hold the lock", rlock.release, rlock)
    t.same_lines{"waits", "gives", "has it"}
  end)

  case("can be waited for with a limit; others have their turn", function(t)
    local lock, started, finish = shared.Lock(), shared.Semaphore(0), shared.Semaphore(0)
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1}
    local job = pool:submit(function()
      local _ <close> = lock:acquire()
      started:release()
      finish:acquire()
    end)
    started:acquire()
    local second = lucio.create_task(function()
      lucio.sleep(0)
      lock:acquire()
      lock:release()
      return "second"
    end)
    t.raises(lucio.TimeoutError, lucio.wait_for, function() lock:acquire() end, 0.01)
    finish:release()
    assert.are.equal("second", second:await())
    job:await()
  end)

  case("is not lost when the object goes while it is held", function()
    shared.Value("i64"):get_lock():acquire()
    collectgarbage()
    collectgarbage()
    local lock = shared.Lock()
    lock:acquire()
    lock:release()
  end)
end)

describe("Lock and RLock", function()
  case("keep threads apart, and cross as themselves", function(t)
    local lock, sum = shared.Lock(), shared.Array("i64", 1)
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 3}
    local function work(same)
      for _ = 1, 1000 do
        local _ <close> = lock:acquire()
        sum[1] = sum[1] + 1
      end
      return same:try_acquire() and same:release()
    end
    lucio.gather(pool:submit(work, lock), pool:submit(work, lock), pool:submit(work, lock))
    assert.are.equal(3000, sum[1])
    lock:acquire()
    assert.is_false(pool:submit(function() return lock:try_acquire() end):await())
    t.raises("the caller holds the lock already", lock.acquire, lock)
    assert.is_false(lock:try_acquire())
    lock:release()
    t.raises(lucio.RuntimeError, lock.release, lock)
    t.raises(lucio.TypeError, shared.Lock, 1)
  end)

  case("RLock is taken again by the thread that has it", function()
    local lock = shared.RLock()
    local _ <close> = lock:acquire()
    assert.is_true(lock:try_acquire())
    lock:release()
    assert.is_false(lucio.to_thread(function() return lock:try_acquire() end))
  end)
end)

describe("bytes", function()
  case("are read and written like a string's", function(t)
    local bytes = shared.bytes(5)
    assert.are.same({5, 0, "\0\0\0\0\0"}, {#bytes, bytes[1], bytes:sub()})
    bytes[1] = 65
    assert.are.equal(4, bytes:write(2, "bc"))
    assert.are.equal("Abc", bytes:sub(1, 3))
    assert.are.equal("bc", bytes:sub(2, -3))
    assert.are.equal("", bytes:sub(4, 3))
    assert.are.same({2, 3}, {bytes:find("bc")})
    assert.is_nil(bytes:find("bc", 3))
    assert.is_nil(bytes[6])
    bytes:fill(120, 4)
    assert.are.equal("Abcxx", bytes:sub(-5))
    assert.are.equal(6, bytes:write(-1, "!"))
    assert.are.equal("text", shared.bytes("text"):sub())
    assert.are.equal("<bytes of 0>", tostring(shared.bytes(0)))
    t.raises(lucio.LookupError, bytes.write, bytes, 5, "ab")
    t.raises(lucio.LookupError, bytes.write, bytes, 0, "")
    t.raises(lucio.LookupError, function() bytes[6] = 1 end)
    t.raises(lucio.ValueError, function() bytes[1] = 256 end)
    t.raises(lucio.TypeError, function() bytes.x = 1 end)
    t.raises(lucio.TypeError, bytes.find, bytes, 1)
    t.raises(lucio.ValueError, shared.bytes, -1)
    t.raises(lucio.TypeError, shared.bytes)
  end)

  case("are the same in every thread", function()
    local bytes = shared.bytes(8)
    lucio.to_thread(function()
      local _ <close> = bytes:get_lock():acquire()
      bytes:write(1, "from job")
    end)
    assert.are.equal("from job", bytes:sub())
  end)
end)

describe("Semaphore", function()
  case("lets so many threads through at once", function(t)
    local permits, inside, most = shared.Semaphore(2), shared.Value("i64"), shared.Value("i64")
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 4}
    local function work()
      for _ = 1, 200 do
        local _ <close> = permits:acquire()
        local now = inside:add(1)
        if now > most.value then most.value = now end
        inside:add(-1)
      end
    end
    lucio.gather(pool:submit(work), pool:submit(work), pool:submit(work), pool:submit(work))
    assert.is_true(most.value <= 2)
    assert.is_false(permits:locked())
    assert.is_true(permits:try_acquire() and permits:try_acquire())
    assert.is_false(permits:try_acquire())
    assert.is_true(permits:locked())
    t.raises(lucio.ValueError, permits.release, permits, 0)
    t.raises(lucio.ValueError, shared.Semaphore, -1)
  end)

  case("is awaited by a task", function(t)
    local permits = shared.Semaphore(0)
    local task = lucio.create_task(function() return permits:acquire() end)
    lucio.sleep(0)
    lucio.to_thread(function() permits:release() end)
    assert.are.equal(permits, task:await())
    t.raises(lucio.TimeoutError, lucio.wait_for, function() permits:acquire() end, 0.001)
    permits:release(3)
    assert.is_true(permits:try_acquire() and permits:try_acquire() and permits:try_acquire())
  end)
end)

describe("Queue", function()
  case("brings values from thread to thread in their order", function()
    local tasks, results = shared.Queue(3), shared.Queue()
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 2}
    local function work()
      for _, item in tasks:items() do results:put{item[1], item[1] ^ 2, text = item.text} end
      return "done"
    end
    local a, b = pool:submit(work), pool:submit(work)
    for i = 1, 100 do tasks:put{i, text = ("x"):rep(i)} end
    tasks:shutdown()
    assert.are.same({"done", "done"}, {a:await(), b:await()})
    local seen = {}
    assert.are.equal(100, results:qsize())
    for _ = 1, 100 do
      local item = results:get()
      assert.are.equal(item[1] ^ 2, item[2])
      assert.are.equal(item[1], #item.text)
      seen[item[1]] = true
    end
    assert.are.equal(100, #seen)
    assert.is_true(results:empty())
  end)

  case("is full at maxsize, and a put waits", function(t)
    local queue = shared.Queue(2)
    assert.are.equal(2, queue.maxsize)
    queue:put(1)
    queue:put(nil)
    assert.is_true(queue:full())
    t.raises(lucio.QueueFull, queue.put_nowait, queue, 3)
    local put = lucio.create_task(function() queue:put(3) t.log("put") end)
    lucio.sleep(0)
    t.log("get")
    assert.are.equal(1, queue:get())
    put:await()
    assert.is_nil(queue:get())
    assert.are.equal(3, queue:get_nowait())
    t.raises(lucio.QueueEmpty, queue.get_nowait, queue)
    t.same_lines{"get", "put"}
    assert.are.equal("<shared Queue maxsize=2 qsize=0>", tostring(queue))
  end)

  case("gives no item and no place to a wait that is cancelled", function(t)
    local queue = shared.Queue(1)
    t.raises(lucio.TimeoutError, lucio.wait_for, function() queue:get() end, 0.001)
    queue:put("first")
    t.raises(lucio.TimeoutError, lucio.wait_for, function() queue:put("second") end, 0.001)
    assert.are.equal("first", queue:get())
    queue:put("third")
    assert.are.equal("third", queue:get())
  end)

  case("copies an item when put is called, though it waits for its place", function(t)
    local queue = shared.Queue(1)
    queue:put("first")
    local item = {1, ("x"):rep(100000), shared.Value("i64", 7)}
    local put = lucio.create_task(function() queue:put(item) end)
    lucio.sleep(0)
    item[1] = 2
    t.raises(lucio.TypeError, queue.put, queue, {coroutine.create(print)})
    assert.are.equal("first", queue:get())
    put:await()
    local got = queue:get()
    assert.are.same({1, 100000, 7}, {got[1], #got[2], got[3].value})
  end)

  case("ends the puts that wait, with what they have, when it is shut down", function(t)
    local queue, n = shared.Queue(1), 3
    queue:put("first")
    local puts = {}
    for i = 1, n do
      puts[i] = lucio.create_task(function() queue:put{shared.Value("i64", i)} end)
    end
    local job = lucio.create_task(lucio.to_thread, function() queue:put("from a thread") end)
    lucio.sleep(0)
    queue:shutdown()
    for i = 1, n do t.raises(lucio.QueueShutDown, puts[i].await, puts[i]) end
    t.raises(lucio.QueueShutDown, job.await, job)
    assert.are.equal("first", queue:get())
    t.raises(lucio.QueueShutDown, queue.get, queue)
  end)

  case("shuts down: the rest is there for getters, then QueueShutDown", function(t)
    local queue = shared.Queue()
    queue:put("rest")
    local waiting = shared.Queue()
    local getter = lucio.create_task(function() return waiting:get() end)
    lucio.sleep(0)
    queue:shutdown()
    waiting:shutdown()
    t.raises(lucio.QueueShutDown, queue.put, queue, 1)
    t.raises(lucio.QueueShutDown, queue.put_nowait, queue, 1)
    assert.are.equal("rest", queue:get())
    t.raises(lucio.QueueShutDown, queue.get, queue)
    t.raises(lucio.QueueShutDown, queue.get_nowait, queue)
    t.raises(lucio.QueueShutDown, getter.await, getter)
    local dropped = shared.Queue()
    dropped:put(1)
    dropped:shutdown(true)
    t.raises(lucio.QueueShutDown, dropped.get, dropped)
  end)

  case("takes long strings, again and again", function()
    local queue = shared.Queue(2)
    local text = ("0123456789abcdef"):rep(100000)
    local job = lucio.create_task(lucio.to_thread, function()
      for i = 1, 30 do queue:put(text .. i) end
    end)
    for i = 1, 30 do assert.is_true(queue:get() == text .. i) end
    job:await()
  end)

  case("refuses what cannot cross, and keeps the place", function(t)
    local queue = shared.Queue(1)
    t.raises("bad argument #1 to 'put' (field 'x': coroutine cannot be passed to a worker)",
             queue.put, queue, {x = coroutine.create(print)})
    t.raises(lucio.TypeError, queue.put, queue, lucio.get_running_loop())
    queue:put(1)
    assert.are.equal(1, queue:get())
  end)
end)

describe("Array", function()
  case("adds to and exchanges an element in one piece", function(t)
    local array = shared.Array("i64", {1, 2})
    assert.are.same({7, 3}, {array:add(1, 6), array:add(2)})
    assert.is_true(array:compare_exchange(2, 3, 9))
    assert.is_false(array:compare_exchange(2, 3, 9))
    assert.are.equal(9, array[2])
    assert.are.equal(4, shared.Array("u8", {250}):add(1, 10))
    assert.are.equal(2.5, shared.Array("f64", 2):add(2, 2.5))
    t.raises(lucio.LookupError, array.add, array, 0)
    t.raises(lucio.LookupError, array.compare_exchange, array, 3, 1, 1)
    t.raises("bad argument #2 to 'add' (integer expected, got string)", array.add, array, 1, "x")
  end)

  case("has a length and elements from 1 on", function(t)
    local array = shared.Array("f64", {1, 2.5})
    assert.are.same({2, 1.0, 2.5}, {#array, array[1], array[2]})
    assert.is_nil(array[0])
    assert.is_nil(array[3])
    array[2] = 4
    local seen = {}
    for i, x in ipairs(array) do seen[i] = x end
    assert.are.same({1.0, 4.0}, seen)
    t.raises(lucio.LookupError, function() array[3] = 1 end)
    t.raises(lucio.TypeError, function() array[1] = "x" end)
    t.raises(lucio.LookupError, array.add, array, 3, 1)
    assert.are.equal(1000, #shared.Array("u8", 1000))
    assert.are.equal("<Array u8 of 0>", tostring(shared.Array("u8", 0)))
    t.raises(lucio.ValueError, shared.Array, "u8", -1)
    t.raises(lucio.TypeError, shared.Array, "u8")
    t.raises(lucio.TypeError, shared.Array, "bool", {1})
  end)
end)
