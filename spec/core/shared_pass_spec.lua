-- Shared things that go through a shared queue: between tasks, threads and processes.
local case = require "spec.support.case"
local descriptors = require "spec.support.descriptors"
local eventually = require "spec.support.eventually"
local jobs = require "spec.support.jobs"
local lucio = require "lucio"

local shared = lucio.shared

local function both(name, fn)
  for _, kind in ipairs{"ThreadPoolExecutor", "ProcessPoolExecutor"} do
    case(name .. ", " .. kind, function(t) fn(t, lucio[kind]) end)
  end
end

describe("shared things through a shared queue", function()
  case("are the same memory, locks, permits and queues as before", function()
    local queue = shared.Queue()
    local value, array = shared.Value("i64", 1), shared.Array("f64", {1, 2})
    local bytes = shared.bytes("ab")
    local permits, other = shared.Semaphore(1), shared.Queue(3)
    queue:put{value, array, bytes, permits, other, text = "with text", again = value}
    local got = queue:get()
    got[1]:add(41)
    got[2][2] = 7
    got[3]:write(1, "xy")
    got[4]:acquire()
    got[5]:put("item")
    assert.are.same({42, 7, "xy", true, "item"},
      {value.value, array[2], bytes:sub(1), permits:locked(), other:get()})
    assert.are.equal(42, got.again.value)
    assert.are.equal("with text", got.text)
    assert.are.equal(3, got[5].maxsize)
  end)

  case("are locks that exclude each other, and who holds one has it by every way", function(t)
    local queue, value = shared.Queue(), shared.Value("i64")
    local lock, rlock = shared.Lock(), value:get_lock()
    queue:put{lock, rlock}
    local got = queue:get()
    lock:acquire()
    assert.is_false((got[1]:try_acquire()))
    t.raises(lucio.RuntimeError, got[1].acquire, got[1])
    got[1]:release()
    assert.is_true((got[1]:try_acquire()))
    lock:release()
    rlock:acquire()
    assert.is_true((got[2]:try_acquire()))
    got[2]:release()
    assert.is_false(lucio.to_thread(function(l) return (l:try_acquire()) end, rlock))
    rlock:release()
    assert.is_true(lucio.to_thread(function(l)
      local _ <close> = l:acquire()
      return true
    end, got[2]))
  end)

  both("go to a job and come back from it", function(_, Executor)
    local pool <close> = Executor{max_workers = 2}
    local requests, answers = shared.Queue(), shared.Queue()
    local function serve()
      for _, request in requests:items() do
        request.total:add(request.n)
        answers:put{n = request.n, made = lucio.shared.Value("i64", request.n * 10)}
      end
    end
    local workers = {pool:submit(serve), pool:submit(serve)}
    local total = shared.Value("i64")
    for n = 1, 50 do requests:put{n = n, total = total} end
    requests:shutdown()
    lucio.gather(table.unpack(workers))
    local sum = 0
    while not answers:empty() do
      local answer = answers:get()
      assert.are.equal(answer.n * 10, answer.made.value)
      sum = sum + answer.n
    end
    assert.are.same({1275, 1275}, {sum, total.value})
  end)

  both("may be a queue for the answer", function(_, Executor)
    local pool <close> = Executor{max_workers = 1}
    local requests = shared.Queue()
    local worker = pool:submit(function()
      for _, request in requests:items() do request.reply:put(request.n + 1) end
    end)
    for n = 1, 20 do
      local reply = shared.Queue(1)
      requests:put{n = n, reply = reply}
      assert.are.equal(n + 1, reply:get())
    end
    requests:shutdown()
    worker:await()
  end)

  case("keep their order among items without any", function()
    local queue = shared.Queue()
    for i = 1, 60 do queue:put(i % 3 == 0 and shared.Value("i64", i) or i) end
    for i = 1, 60 do
      local item = queue:get()
      assert.are.equal(i, i % 3 == 0 and item.value or item)
    end
  end)

  case("leave nothing behind, taken, dropped or forgotten", function()
    local before = descriptors.count()
    do
      local queue, kept = shared.Queue(), shared.Queue()
      for i = 1, 20 do queue:put{shared.Value("i64", i), shared.Queue()} end
      for _ = 1, 10 do queue:get() end
      queue:shutdown(true)
      kept:put(shared.Value("i64"))
      kept:put(kept)
    end
    collectgarbage()
    collectgarbage()
    eventually(function() return descriptors.count() <= before end)
  end)

  case("are limited in number: QueueFull, and the queue goes on", function(t)
    local queue = shared.Queue()
    local value = shared.Value("i64", 5)
    local count = 0
    local full
    for _ = 1, 100000 do
      local ok, e = pcall(queue.put, queue, value)
      if not ok then
        full = e
        break
      end
      count = count + 1
    end
    assert.is_true(lucio.isinstance(full, lucio.QueueFull))
    assert.are.equal("the queue has no room for more shared things", full.message)
    queue:put("text")
    for _ = 1, count do assert.are.equal(5, queue:get().value) end
    assert.are.equal("text", queue:get())
    queue:put(value)
    assert.are.equal(5, queue:get().value)
    local many = {}
    for i = 1, 254 do many[i] = shared.Value("u8") end
    t.raises(lucio.ValueError, queue.put, queue, many)
    assert.is_true(queue:empty())
  end)

  case("are no loops", function(t)
    local queue = shared.Queue()
    t.raises("bad argument #1 to 'put' (a loop goes to a job as an argument, not through a queue)",
      queue.put, queue, lucio.get_running_loop())
  end)

  case("survive who put them, and a process that dies over the queue", function()
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 2}
    local queue, started = shared.Queue(), jobs.flag()
    pcall(lucio.await, pool:submit(function()
      queue:put(lucio.shared.Value("i64", 77))
      os.exit(1)
    end))
    assert.are.equal(77, queue:get().value)
    for _ = 1, 10 do
      started.value = false
      local number = shared.Value("i64")
      local job = pool:submit(function()
        number.value = lucio.worker.pid
        local value = lucio.shared.Value("i64", 3)
        for i = 1, math.huge do
          queue:put{value}
          if i > 20 then started.value = true end
          queue:get()
        end
      end)
      jobs.await_flag(started)
      jobs.kill(9, number.value)
      pcall(job.await, job)
      while not queue:empty() do assert.are.equal(3, queue:get()[1].value) end
      queue:put(shared.Value("i64", 9))
      assert.are.equal(9, queue:get().value)
    end
  end)
end)
