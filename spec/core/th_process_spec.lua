-- TH1 to TH3, TH6 with worker processes: ProcessPoolExecutor, and what becomes of jobs whose
-- process ends. Jobs take real time, also under the virtual clock, so they are short.
local case = require "spec.support.case"
local child = require "spec.support.child"
local descriptors = require "spec.support.descriptors"
local eventually = require "spec.support.eventually"
local jobs = require "spec.support.jobs"
local own_loop = require "spec.support.own_loop"
local lucio = require "lucio"

local announce_and_hold, await_flag = jobs.announce_and_hold, jobs.await_flag
local exists, flag, kill = jobs.exists, jobs.flag, jobs.kill
local no_op, own_pid, pid = jobs.no_op, jobs.own_pid, jobs.pid

describe("ProcessPoolExecutor", function()
  case("TH1: gives futures of what functions return in another process", function()
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
    local future = pool:submit(function(a, b) return a + b, "text", nil end, 1, 2)
    assert.is_true(lucio.isfuture(future))
    assert.are.same({3, "text", nil, n = 3}, table.pack(future:await()))
    assert.are_not.equal(own_pid(), pool:submit(own_pid):await())
  end)

  case("starts processes when they are needed, keeps and uses them again", function()
    local before = descriptors.count()
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 4, name = "own"}
    assert.is_true(descriptors.count() <= before + 2)
    local first = pool:submit(pid):await()
    for _ = 1, 5 do assert.are.equal(first, pool:submit(pid):await()) end
    pool:submit(function() count = (count or 0) + 1 end):await() -- luacheck: ignore 111 113
    pool:submit(function() count = count + 1 end):await() -- luacheck: ignore 111 113
    assert.are.equal(2, pool:submit(function() return count end):await()) -- luacheck: ignore 113
    assert.are.same({1, "own_0"}, {pool:submit(function()
      return lucio.worker.index, lucio.worker.name
    end):await()})
    assert.are.equal("<ProcessPoolExecutor own max_workers=4>", tostring(pool))
  end)

  case("runs jobs in several processes at once", function()
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 2}
    local one, two = flag(), flag()
    local a = pool:submit(announce_and_hold, one, two)
    local b = pool:submit(announce_and_hold, two, one)
    assert.are.same({"held", "held", n = 2}, lucio.gather(a, b))
  end)

  case("TH1: is what run_in_executor takes, but no default executor", function(t)
    local loop = lucio.get_running_loop()
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
    assert.are.equal(7, loop:run_in_executor(pool, function(x) return x end, 7):await())
    t.raises(lucio.TypeError, loop.set_default_executor, loop, pool)
  end)

  case("TH1: raises the job's error with the worker's traceback joined", function(t)
    local Own = lucio.exception("Own", lucio.ValueError)
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1, name = "w"}
    local function job() error(Own("no", 7)) end
    local e = t.raises(Own, lucio.await, pool:submit(job))
    assert.are.same({"no", 7}, {e.message, e.args[2]})
    assert.matches("in upvalue 'job'?", (e.traceback:gsub("in function <.->", "in upvalue 'job'")))
    assert.matches("%(in worker 'w_0'%)", e.traceback)
    assert.matches("th_process_spec", e.traceback)
    t.raises("text", lucio.await, pool:submit(function() error("text") end))
    t.raises(lucio.SystemExit, lucio.await, pool:submit(function() lucio.exit(3) end))
  end)

  case("passes everything that crosses, as it is", function()
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
    local bytes = {}
    for i = 0, 255 do bytes[i + 1] = string.char(i) end
    bytes = table.concat(bytes)
    local circle = {math.mininteger, 0.1, bytes, true}
    circle.self = circle
    local deep = {}
    for _ = 1, 20000 do deep = {deep} end
    local got, same, got_deep, fn = pool:submit(function(c, d)
      return c, c, d, function(x) return x + #c end
    end, circle, deep):await()
    assert.is_true(got == same and got.self == got)
    assert.are.same({math.mininteger, 0.1, bytes, true}, {table.unpack(got)})
    local depth = 0
    while got_deep do got_deep, depth = got_deep[1], depth + 1 end
    assert.are.equal(20001, depth)
    assert.are.equal(5, fn(1))
  end)

  case("refuses what cannot cross, at the submitter or at the awaiter", function(t)
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
    t.raises(lucio.TypeError, pool.submit, pool, function(x) return x end, io.stdout)
    t.raises(lucio.TypeError, lucio.await, pool:submit(function() return io.stdout end))
    t.raises(lucio.TypeError, pool.submit, pool, 7)
    assert.are.equal(1, pool:submit(function() return 1 end):await())
  end)

  case("passes large strings both ways while the loop goes on", function()
    local started, go, ended = flag(), flag(), flag()
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1, initializer = function()
      started.value = true
      while not go.value do end -- luacheck: ignore 542
    end}
    local text = ("0123456789abcdef"):rep(1000000)
    local future = pool:submit(function(s, list)
      ended.value = true
      return s .. "!", list
    end, text, {text, "x"})
    -- the process reads none of it yet, nor does it fit into what lies between
    for _ = 1, 20 do lucio.sleep(0) end
    await_flag(started)
    assert.is_false(future:done())
    go.value = true
    await_flag(ended)
    for _ = 1, 20 do lucio.sleep(0) end
    local back, list = future:await()
    assert.is_true(back == text .. "!")
    assert.is_true(list[1] == text and list[2] == "x")
  end)

  case("calls the initializer in each process", function(t)
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1, initializer = function()
      ready = "yes" -- luacheck: ignore 111
    end}
    local function get() return ready end -- luacheck: ignore 113
    assert.are.equal("yes", pool:submit(get):await())
    local bad <close> = lucio.ProcessPoolExecutor{max_workers = 1, initializer = function()
      error("no start")
    end}
    local e = t.raises(lucio.RuntimeError, lucio.await, bad:submit(no_op))
    assert.matches("initializer", e.message)
    assert.matches("no start", tostring(e.cause))
  end)

  case("finds modules where its submitter does, also for 'module:function'", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write("return {twice = function(x) return 2 * x end}")
    file:close()
    local before = package.path
    package.path = path:match("^(.*)/") .. "/?"
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
    package.path = before
    local name = path:match("[^/]+$")
    assert.are.equal(14, pool:submit(name .. ":twice", 7):await())
    os.remove(path)
  end)

  case("gives map's results in order, in chunks too", function(t)
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 2}
    local list, got = {}, {}
    for i = 1, 50 do list[i] = i end
    for i, x in pool:map(function(x) return 3 * x end, list, {chunksize = 7}) do got[i] = x end
    for i = 1, 50 do assert.are.equal(3 * i, got[i]) end
    t.raises(lucio.TimeoutError, function()
      local hold = flag()
      for _ in pool:map(function(f)
        while not f.value and not lucio.worker.cancelled() do end -- luacheck: ignore 542
      end, {hold}, {timeout = 0.05}) do end -- luacheck: ignore 542
    end)
  end)

  case("refuses options that are wrong", function(t)
    t.raises(lucio.ValueError, lucio.ProcessPoolExecutor, {max_workers = 0})
    t.raises(lucio.ValueError, lucio.ProcessPoolExecutor, {max_workers = 1001})
    t.raises(lucio.TypeError, lucio.ProcessPoolExecutor, {initializer = 3})
    t.raises(lucio.TypeError, lucio.ProcessPoolExecutor, {name = 3})
    t.raises(lucio.TypeError, lucio.ProcessPoolExecutor, {unknown = 3})
    t.raises(lucio.TypeError, lucio.ProcessPoolExecutor, {job_timeout = "x"})
    t.raises(lucio.ValueError, lucio.ProcessPoolExecutor, {max_tasks_per_child = -1})
    assert.is_truthy(lucio.ProcessPoolExecutor(3))
    assert.is_truthy(lucio.ProcessPoolExecutor())
    collectgarbage()
  end)
end)

describe("a worker process that ends", function()
  case("by os.exit fails its job, and is replaced", function(t)
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
    local before = pool:submit(pid):await()
    local e = t.raises(lucio.BrokenProcessPool, lucio.await, pool:submit(function() os.exit(3) end))
    assert.are.same({before, 3}, {e.pid, e.exitcode})
    assert.is_true(lucio.isinstance(e, lucio.RuntimeError))
    assert.are.equal(("worker process %d exited with status 3 while it ran the job"):format(before),
      e.message)
    local after = pool:submit(pid):await()
    assert.are_not.equal(before, after)
    assert.is_false(exists(before))
  end)

  case("by a signal fails its job alone: others go on", function(t)
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 2}
    local started, go = flag(), flag()
    local other = pool:submit(announce_and_hold, started, go)
    await_flag(started)
    local e = t.raises(lucio.BrokenProcessPool, lucio.await, pool:submit(function()
      os.execute("kill -9 $PPID")
      while true do end
    end))
    assert.are.equal(-9, e.exitcode)
    local more = {}
    for i = 1, 5 do more[i] = pool:submit(function(x) return x end, i) end
    assert.are.same({1, 2, 3, 4, 5, n = 5}, lucio.gather(table.unpack(more)))
    go.value = true
    assert.are.equal("held", other:await())
  end)

  case("while it is idle costs no job", function()
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
    for _ = 1, 10 do
      local number = pool:submit(pid):await()
      kill(9, number)
      assert.are_not.equal(number, pool:submit(pid):await())
    end
  end)

  case("in its initializer fails the jobs, with how it ended", function(t)
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 2, initializer = function()
      os.exit(5)
    end}
    local e = t.raises(lucio.BrokenProcessPool, lucio.await, pool:submit(no_op))
    assert.are.equal(5, e.exitcode)
    assert.matches("before it took the job", e.message)
  end)

  case("leaves nothing behind: no process, no descriptor", function()
    local before = descriptors.count()
    local numbers = {}
    do
      local pool <close> = lucio.ProcessPoolExecutor{max_workers = 2}
      for i = 1, 6 do
        numbers[i] = pool:submit(pid):await()
        pcall(lucio.await, pool:submit(function() os.exit(true) end))
      end
      numbers[7] = pool:submit(pid):await()
    end
    for _, number in ipairs(numbers) do assert.is_false(exists(number)) end
    collectgarbage()
    local _ <close> = lucio.ProcessPoolExecutor{max_workers = 1} -- frees the pools that ended
    eventually(function() return descriptors.count() <= before + 2 end)
  end)

  case("after so many jobs is replaced by max_tasks_per_child", function()
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1, max_tasks_per_child = 2}
    local numbers = {}
    for i = 1, 6 do numbers[i] = pool:submit(pid):await() end
    assert.is_true(numbers[1] == numbers[2] and numbers[3] == numbers[4])
    assert.is_true(numbers[2] ~= numbers[3] and numbers[4] ~= numbers[5])
  end)
end)

describe("a job that goes on too long", function()
  case("is killed after job_timeout: TimeoutError", function(t)
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1, job_timeout = 0.2}
    local future = pool:submit(function() while true do end end)
    local e = t.raises(lucio.TimeoutError, lucio.await, future)
    assert.is_false(exists(e.pid))
    eventually(function() return pcall(lucio.await, pool:submit(no_op)) end)
  end)

  case("is not killed by job_timeout while it has no job", function()
    -- a job has to end within the time, which a machine with a lot to do may not let it
    local limit, pids = 0.25, nil
    local function ask(pool) pids[#pids + 1] = pool:submit(own_pid):await() end
    repeat
      limit, pids = limit * 2, {}
      local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1, job_timeout = limit}
      if lucio.pcall(ask, pool) then
        os.execute("sleep " .. limit * 1.2)
        lucio.pcall(ask, pool)
      end
    until #pids == 2 or limit > 60
    assert.are.same({pids[1], pids[1]}, pids)
  end)

  case("TH3: its cancel is prompt; the job can see it", function(t)
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
    local started, seen = flag(), flag()
    local future = pool:submit(function(a, b)
      a.value = true
      while not lucio.worker.cancelled() do end -- luacheck: ignore 542
      b.value = true
    end, started, seen)
    await_flag(started)
    future:cancel()
    t.raises(lucio.CancelledError, lucio.await, future)
    await_flag(seen)
    assert.is_false(pool:submit(function() return lucio.worker.cancelled() end):await())
  end)

  case("is killed when it was cancelled cancel_timeout seconds ago", function()
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1, cancel_timeout = 0}
    local number = pool:submit(pid):await()
    local started = flag()
    local future = pool:submit(announce_and_hold, started, flag())
    await_flag(started)
    future:cancel()
    pcall(lucio.await, future)
    assert.are_not.equal(number, pool:submit(pid):await())
    assert.is_false(exists(number))
  end)

  case("TH3: a cancelled job that no process has never runs", function(t)
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
    local started, go, ran = flag(), flag(), flag()
    local first = pool:submit(announce_and_hold, started, go)
    await_flag(started)
    local second = pool:submit(function(f) f.value = true end, ran)
    second:cancel()
    t.raises(lucio.CancelledError, lucio.await, second)
    -- the pool hears of it by a callback, as in asyncio
    for _ = 1, 2 do lucio.sleep(0) end
    go.value = true
    first:await()
    pool:submit(no_op):await()
    assert.is_false(ran.value)
  end)

  case("is killed by kill_workers, and what is queued is cancelled", function(t)
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
    local started = flag()
    local running = pool:submit(announce_and_hold, started, flag())
    await_flag(started)
    local queued = pool:submit(no_op)
    pool:kill_workers()
    local e = t.raises(lucio.BrokenProcessPool, lucio.await, running)
    assert.are.equal(-9, e.exitcode)
    t.raises(lucio.CancelledError, lucio.await, queued)
    t.raises(lucio.RuntimeError, pool.submit, pool, no_op)
  end)

  case("is ended by terminate_workers", function(t)
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
    local started = flag()
    local running = pool:submit(announce_and_hold, started, flag())
    await_flag(started)
    pool:terminate_workers()
    local e = t.raises(lucio.BrokenProcessPool, lucio.await, running)
    assert.are.equal(-15, e.exitcode)
  end)

  case("is killed at the deadline of shutdown{timeout =}", function(t)
    local pool = lucio.ProcessPoolExecutor{max_workers = 2}
    local started = flag()
    local running = pool:submit(announce_and_hold, started, flag())
    await_flag(started)
    pool:shutdown{timeout = 0.05}
    t.raises(lucio.BrokenProcessPool, lucio.await, running)
    t.raises(lucio.TypeError, pool.shutdown, pool, {timeout = "1"})
  end)
end)

describe("the end of a process pool", function()
  case("waits for all jobs", function(t)
    local total, futures = lucio.shared.Value("i64", 0), {}
    local pool
    do
      local closing <close> = lucio.ProcessPoolExecutor{max_workers = 2}
      pool = closing
      for i = 1, 20 do futures[i] = pool:submit(function() total:add(1) end) end
    end
    assert.are.equal(20, total.value)
    t.raises(lucio.RuntimeError, pool.submit, pool, no_op)
    for _, future in ipairs(futures) do assert.is_true(future:done()) end
    pool:shutdown()
  end)

  case("cancels what no process has with cancel_futures", function()
    local pool = lucio.ProcessPoolExecutor{max_workers = 1}
    local started, go = flag(), flag()
    local first = pool:submit(announce_and_hold, started, go)
    await_flag(started)
    local rest = {}
    for i = 1, 5 do rest[i] = pool:submit(no_op) end
    pool:shutdown{wait = false, cancel_futures = true}
    go.value = true
    assert.are.equal("held", first:await())
    for _, future in ipairs(rest) do assert.is_true(future:cancelled()) end
    pool:shutdown()
  end)

  case("comes by the collector, too", function()
    local number = lucio.ProcessPoolExecutor{max_workers = 1}:submit(pid):await()
    eventually(function()
      collectgarbage()
      return not exists(number)
    end)
  end)

  it("TH6: comes with the host, whose loop has closed long before", function()
    local r = child.run([[
      local lucio = require "lucio"
      local pool = lucio.ProcessPoolExecutor{max_workers = 1}
      local total = lucio.shared.Value("i64", 0)
      local pid = lucio.run(function()
        pool:submit(function() total:add(1) end):await()
        return 1
      end)
      lucio.run(function()
        pool:submit(function() total:add(1) end)
        print(pool:submit(function() return total.value end):await())
        started, ended = lucio.shared.Value("bool", false), lucio.shared.Value("bool", false)
        pool:submit(function(s, e)
          s.value = true
          while not e.value do end
          print "last"
        end, started, ended)
        while not started.value do lucio.sleep(0.001) end
      end)
      print "end"
      io.stdout:flush()
      ended.value = true]], {clock = "real"})
    assert.are.equal("2\nend\nlast\n", r.stdout)
    assert.are.equal(0, r.status)
  end)
end)

describe("worker processes", function()
  case("have no descriptor of ours, and our children have none of theirs", function()
    local function count()
      local pipe <close> = assert(io.popen("ls /proc/self/fd | wc -l"))
      return pipe:read("n")
    end
    local before = count()
    local file <close> = assert(io.open("/dev/null"))
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
    -- the three, and the socket; the files of a shell that counts come and go
    local list = pool:submit(function()
      local name = os.tmpname()
      os.execute("ls /proc/$PPID/fd | wc -l >" .. name)
      local found <close> = assert(io.open(name))
      os.remove(name)
      return found:read("n")
    end):await()
    assert.are.equal(4, list)
    assert.are.equal(before + 1, count()) -- the file
    assert.is_truthy(file)
  end)

  case("share memory: four add to a Value under its lock", function()
    local total = lucio.shared.Value("i64", 0)
    local lock = total:get_lock()
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 4}
    local futures = {}
    for i = 1, 4 do
      futures[i] = pool:submit(function(value, l)
        for _ = 1, 500 do
          local _ <close> = l:acquire()
          value.value = value.value + 1
        end
      end, total, lock)
    end
    lucio.gather(table.unpack(futures))
    assert.are.equal(2000, total.value)
  end)

  case("bring shared memory back, and hold many", function()
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
    local value = pool:submit(function() return lucio.shared.Value("i64", 41) end):await()
    pool:submit(function(v) v:add(1) end, value):await()
    assert.are.equal(42, value.value)
    local many = {}
    for i = 1, 300 do many[i] = lucio.shared.Value("i64", i) end
    assert.are.equal(300 * 301 // 2, pool:submit(function(list)
      local sum = 0
      for _, v in ipairs(list) do sum = sum + v.value end
      return sum
    end, many):await())
  end)

  case("that die with a lock leave it to others", function()
    local lock = lucio.shared.Lock()
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
    pcall(lucio.await, pool:submit(function()
      lock:acquire()
      os.execute("kill -9 $PPID")
      while true do end
    end))
    local taken = pool:submit(function() return lock:try_acquire() and true end):await()
    assert.is_true(taken)
  end)

  case("each have a thread-local table, which stays", function()
    local own = lucio.thread_local()
    own.n = 10
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
    local function add()
      own.n = (own.n or 0) + 1
      return own.n
    end
    assert.are.same({1, 2}, {pool:submit(add):await(), (pool:submit(add):await())})
    assert.are.equal(10, own.n)
  end)

  case("know classes of errors that went there and back", function(t)
    local Own = lucio.exception("Own")
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
    local class = pool:submit(function(c) return c end, Own):await()
    assert.are.equal(Own, class)
    local Theirs = pool:submit(function() return lucio.exception("Theirs") end):await()
    t.raises(Theirs, lucio.await, pool:submit(function(c) error(c("x")) end, Theirs))
  end)

  case("may run a loop of their own, and pools of their own", function()
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
    assert.are.equal(6, pool:submit(function()
      return lucio.run(function()
        local inner <close> = lucio.ProcessPoolExecutor{max_workers = 1}
        local threads <close> = lucio.ThreadPoolExecutor{max_workers = 1}
        local two = function() return 2 end
        return inner:submit(two):await() + threads:submit(two):await() + lucio.to_thread(two)
      end)
    end):await())
  end)

  own_loop("TH6: do jobs that are queued when the loop closes", function(loop)
    local pool = lucio.ProcessPoolExecutor{max_workers = 1}
    local ran = lucio.shared.Value("i64")
    for i = 1, 3 do loop:run_in_executor(pool, function() return ran:add(i) end) end
    loop:close()
    lucio.run(function() pool:shutdown() end)
    assert.are.equal(6, ran.value)
  end)

  case("say in a job that there is no way to the loop", function(t)
    local loop = lucio.get_running_loop()
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
    for _, job in ipairs {
      function() loop:call_soon_threadsafe(print) end,
      function() require "lucio".run_coroutine_threadsafe(print, loop) end,
    } do
      local e = t.raises(lucio.RuntimeError, lucio.await, pool:submit(job))
      assert.are.equal("the loop is another process's", e.message)
    end
  end)
end)
