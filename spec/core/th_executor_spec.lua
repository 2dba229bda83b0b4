-- TH1 to TH4, TH6: executors, to_thread, what becomes of jobs. Jobs take real time, also under the
-- virtual clock, so they are short.
local case = require "spec.support.case"
local eventually = require "spec.support.eventually"
local jobs = require "spec.support.jobs"
local limit = require "spec.support.limit"
local own_loop = require "spec.support.own_loop"
local lucio = require "lucio"

local announce_and_hold, await_flag = jobs.announce_and_hold, jobs.await_flag
local flag, hold, no_op = jobs.flag, jobs.hold, jobs.no_op

describe("run_in_executor", function()
  case("TH1: gives a future of what the function returns", function()
    local loop = lucio.get_running_loop()
    local future = loop:run_in_executor(nil, function(a, b) return a + b, "text", nil end, 1, 2)
    assert.is_true(lucio.isfuture(future))
    assert.are.same({3, "text", nil, n = 3}, table.pack(future:await()))
  end)

  case("TH1: raises the job's error to the awaiter", function(t)
    local loop = lucio.get_running_loop()
    local future = loop:run_in_executor(nil, function() error(lucio.ValueError("no", 7)) end)
    local e = t.raises(lucio.ValueError, future.await, future)
    assert.are.same({"no", 7}, {e.message, e.args[2]})
    t.raises("text", lucio.await, loop:run_in_executor(nil, function() error("text") end))
    t.raises("bare", lucio.await, loop:run_in_executor(nil, function() error("bare", 0) end))
  end)

  case("TH1, FU5: a job that raises CancelledError has failed, and is not cancelled", function(t)
    local loop = lucio.get_running_loop()
    local future = loop:run_in_executor(nil, function()
      error(require "lucio".CancelledError("by the job"))
    end)
    local go = lucio.shared.Semaphore(0)
    local other = loop:run_in_executor(nil, function() go:acquire() end)
    local done = lucio.wait({future, other}, {return_when = "FIRST_EXCEPTION"})
    assert.are.same({future, false}, {done[1], future:cancelled()})
    assert.are.equal("by the job", future:exception().message)
    go:release()
    other:await()
    local task = lucio.create_task(lucio.to_thread, error, lucio.CancelledError())
    t.raises(lucio.CancelledError, task.await, task)
    assert.is_true(task:cancelled())
  end)

  case("TH1: set_default_executor takes only executors", function(t)
    local loop = lucio.get_running_loop()
    t.raises(lucio.TypeError, loop.set_default_executor, loop, {})
    t.raises(lucio.TypeError, loop.set_default_executor, loop, nil)
    local pool = lucio.ThreadPoolExecutor{max_workers = 1, name = "own"}
    loop:set_default_executor(pool)
    assert.are.equal("own_0", loop:run_in_executor(nil, function()
      return lucio.worker.name
    end):await())
    assert.are.equal("own_0", lucio.to_thread(function() return lucio.worker.name end))
  end)

  case("takes an executor of the program's", function(t)
    local loop = lucio.get_running_loop()
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1}
    local future = loop:run_in_executor(pool, function() return lucio.worker.index end)
    assert.are.equal(1, future:await())
    t.raises(lucio.TypeError, loop.run_in_executor, loop, {}, no_op)
    t.raises(lucio.TypeError, loop.run_in_executor, loop, nil, nil)
    t.raises(lucio.TypeError, loop.run_in_executor, loop, nil, "no colon")
  end)

  own_loop("works before the loop runs", function(loop)
    local future = loop:run_in_executor(nil, function() return "early" end)
    assert.are.equal("early", loop:run_until_complete(future))
  end)

  own_loop("LP19: raises RuntimeError on a closed loop", function(loop, t)
    loop:close()
    t.raises(lucio.RuntimeError, loop.run_in_executor, loop, nil, no_op)
  end)

  own_loop("TH6: drops jobs that end after the loop closed", function(loop)
    local go = flag()
    loop:run_in_executor(nil, hold, go)
    loop:close()
    go.value = true
  end)

  own_loop("TH6: jobs that are queued when the loop closes are run", function(loop)
    local pool = lucio.ThreadPoolExecutor{max_workers = 1}
    local ran, go, long = lucio.shared.Value("i64"), flag(), ("x"):rep(100000)
    loop:run_in_executor(pool, hold, go)
    for i = 1, 5 do
      loop:run_in_executor(pool, function(...)
        if #(...) == i + 100000 then ran:add(1) end
      end, long .. ("y"):rep(i))
    end
    loop:run_in_executor(pool, hold, go):cancel()
    loop:close()
    collectgarbage()
    go.value = true
    lucio.run(function() pool:shutdown() end)
    assert.are.equal(5, ran.value)
  end)
end)

describe("to_thread", function()
  case("returns what the function returns, while other tasks run", function(t)
    local go = flag()
    lucio.create_task(function()
      t.log("other")
      go.value = true
    end)
    t.log(lucio.to_thread(hold, go))
    t.same_lines {"other", "held"}
  end)

  case("TH2: gives the function a copy of the context", function()
    local var, other = lucio.ContextVar("var", "default"), lucio.ContextVar("other")
    var:set("mine")
    local seen = table.pack(lucio.to_thread(function()
      local before = var:get()
      var:set("theirs")
      return before, var:get(), var.name, pcall(other.get, other)
    end))
    assert.are.same({"mine", "theirs", "var", false}, {table.unpack(seen, 1, 4)})
    assert.are.equal("mine", var:get())
    assert.are.equal("mine", lucio.to_thread(function() return var:get() end))
  end)

  case("TH2: run_in_executor carries no context", function()
    local var = lucio.ContextVar("var", {"default"})
    var:set("mine")
    local future = lucio.get_running_loop():run_in_executor(nil, function() return var:get() end)
    assert.are.same({"default"}, future:await())
  end)

  case("TH2: leaves out variables that cannot cross", function()
    local var, good = lucio.ContextVar("var", "default"), lucio.ContextVar("good")
    var:set(coroutine.create(no_op))
    good:set(nil)
    assert.are.same({"default", n = 2},
      table.pack(lucio.to_thread(function() return var:get(), good:get() end)))
  end)

  case("a job's commands have no signal blocked, and give what Lua's give", function()
    local function run()
      local list = io.popen "grep SigBlk /proc/self/status; exit 3"
      local mask = list:read("a"):match("%x%x+")
      local writer = io.popen("read word; test $word = hello && kill -9 $$", "w")
      writer:write("hello\n")
      return {mask = tonumber(mask, 16), read = {list:close()}, written = {writer:close()},
        done = {os.execute "exit 4"}, shell = os.execute(), mode = {pcall(io.popen, "true", "rw")},
        -- a shell that could not hear of its child's end would wait for ever
        waited = {os.execute "sleep 0 & wait"}}
    end
    local got = lucio.wait_for(lucio.create_task(lucio.to_thread, run), limit)
    assert.are.equal(0, got.mask)
    assert.are.same({nil, "exit", 3}, got.read)
    assert.are.same({nil, "signal", 9}, got.written)
    assert.are.same({nil, "exit", 4}, got.done)
    assert.is_true(got.shell)
    assert.are.same({true, "exit", 0}, got.waited)
    assert.matches("bad argument #2 to '.*' %(invalid mode%)", got.mode[2])
  end)

  case("runs a loop of its own in the worker", function()
    assert.are.equal("inner", lucio.to_thread(function()
      return lucio.run(function()
        return lucio.gather(function() return lucio.sleep(0.01, "inner") end)[1]
      end)
    end))
  end)

  case("is named in the tree of tasks", function()
    local go = flag()
    lucio.create_task(function() lucio.to_thread(hold, go) end)
    lucio.sleep(0)
    local text
    lucio.print_tasks(function(tree) text = tree end)
    assert.truthy(text:find("to_thread", 1, true))
    go.value = true
  end)

  case("needs a function, and a task to suspend", function(t)
    t.raises(lucio.TypeError, lucio.to_thread)
    t.raises(lucio.TypeError, lucio.to_thread, 42)
    t.raises(lucio.TypeError, lucio.to_thread, ":")
  end)

  case("calls a function by its module's name", function(t)
    assert.are.equal(3, lucio.to_thread("math:tointeger", 3.0))
    t.raises(lucio.TypeError, lucio.to_thread, "math:nothing")
    local _, e = pcall(lucio.to_thread, "no.such.module:f")
    assert.truthy(tostring(e):find("module 'no.such.module' not found", 1, true))
  end)

  case("shows the worker's stack and the awaiter's in one traceback", function()
    local function fail() error(lucio.ValueError("no")) end
    local task = lucio.create_task(function() lucio.to_thread(fail) end)
    local _, e = pcall(task.await, task)
    assert.truthy(e.traceback:find("in upvalue 'fail'", 1, true) or
      e.traceback:find("th_executor_spec.lua:%d+: in function"))
    assert.truthy(e.traceback:find("(in worker 'ThreadPoolExecutor-", 1, true))
    assert.truthy(e.traceback:find("(in task 'Task-", 1, true))
  end)

  case("raises SystemExit where the job calls os.exit", function(t)
    local e = t.raises(lucio.SystemExit, lucio.to_thread, function() os.exit(3) end)
    assert.are.equal(3, e.code)
  end)
end)

describe("cancelling", function()
  case("TH3: a queued job never runs", function(t)
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1}
    local go, ran = flag(), flag()
    local first = pool:submit(hold, go)
    local second = pool:submit(function() ran.value = true end)
    second:cancel()
    t.raises(lucio.CancelledError, second.await, second)
    -- the pool hears of it by a callback, as in asyncio
    for _ = 1, 2 do lucio.sleep(0) end
    go.value = true
    assert.are.equal("held", first:await())
    pool:submit(no_op):await()
    assert.is_false(ran.value)
  end)

  case("TH3: a running job runs on, its outcome dropped", function(t)
    local started, go, ended = flag(), flag(), flag()
    local task = lucio.create_task(lucio.to_thread, function()
      announce_and_hold(started, go)
      ended.value = lucio.worker.cancelled()
      error("nobody sees this")
    end)
    await_flag(started)
    task:cancel()
    t.raises(lucio.CancelledError, task.await, task)
    lucio.sleep(0)
    go.value = true
    await_flag(ended)
  end)

  case("TH3: a future completed by others ends the job too", function()
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1}
    local future = pool:submit(no_op)
    future:set_result("mine")
    assert.are.equal("mine", future:await())
  end)
end)

describe("shutdown_default_executor", function()
  case("TH4: waits for the jobs", function()
    local loop = lucio.get_running_loop()
    local future = loop:run_in_executor(nil, function() return "done" end)
    loop:shutdown_default_executor()
    assert.are.equal("done", future:result())
  end)

  case("TH4: makes later uses raise RuntimeError", function(t)
    local loop = lucio.get_running_loop()
    loop:shutdown_default_executor()
    loop:shutdown_default_executor()
    t.raises(lucio.RuntimeError, loop.run_in_executor, loop, nil, no_op)
    t.raises(lucio.RuntimeError, lucio.to_thread, no_op)
  end)
end)

describe("ThreadPoolExecutor", function()
  case("starts a thread for each job that finds none, up to max_workers", function()
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 2}
    local started, go = lucio.shared.Value("i64"), flag()
    local function job()
      started:add(1)
      hold(go)
      return lucio.worker.index
    end
    local futures = {pool:submit(job), pool:submit(job), pool:submit(job)}
    eventually(function() return started.value >= 2 end)
    assert.are.equal(2, started.value)
    go.value = true
    local seen = lucio.gather(table.unpack(futures))
    assert.are.equal(3, seen[1] + seen[2])
  end)

  case("keeps the state of a thread for its next job", function()
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1}
    local function count()
      Counter = (Counter or 0) + 1 -- luacheck: ignore 111 113
      return Counter -- luacheck: ignore 113
    end
    pool:submit(count):await()
    assert.are.equal(2, pool:submit(count):await())
    assert.is_nil(_G.Counter)
  end)

  case("runs the initializer in each thread", function()
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1, initializer = function()
      Prepared = "yes" -- luacheck: ignore 111
    end}
    assert.are.equal("yes", pool:submit(function() return _G.Prepared end):await())
  end)

  case("fails each job when the initializer fails", function(t)
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1, initializer = function()
      error(lucio.ValueError("not today"))
    end}
    local future = pool:submit(no_op)
    local e = t.raises(lucio.RuntimeError, future.await, future)
    assert.are.equal("not today", e.cause.message)
  end)

  case("takes an initializer by its module's name", function()
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1, initializer = "math:random"}
    assert.are.equal(1, pool:submit(math.abs, -1):await())
  end)

  case("a script's call of a finalizer leaves a pool alone, not a shared value", function(t)
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1}
    getmetatable(pool).__gc(pool)
    assert.are.equal(7, pool:submit(math.abs, -7):await())
    local value = lucio.shared.Value("i64")
    local add = value.add
    getmetatable(value).__gc(value)
    t.raises(lucio.RuntimeError, add, value)
    t.raises(lucio.TypeError, lucio.to_thread, no_op, value)
  end)

  case("refuses jobs after shutdown", function(t)
    local pool = lucio.ThreadPoolExecutor()
    pool:shutdown()
    pool:shutdown()
    t.raises("cannot schedule new futures after shutdown", pool.submit, pool, no_op)
    t.raises(lucio.RuntimeError, pool.map, pool, no_op, {})
  end)

  case("shutdown waits for the jobs that are queued", function()
    local pool, sum = lucio.ThreadPoolExecutor{max_workers = 2}, lucio.shared.Value("i64")
    local futures = {}
    for i = 1, 20 do futures[i] = pool:submit(function() sum:add(i) end) end
    pool:shutdown()
    assert.are.equal(210, sum.value)
    for _, future in ipairs(futures) do assert.is_true(future:done()) end
  end)

  case("shutdown{cancel_futures = true} cancels what no thread has", function()
    local pool = lucio.ThreadPoolExecutor{max_workers = 1}
    local started, go = flag(), flag()
    local first, second = pool:submit(announce_and_hold, started, go), pool:submit(no_op)
    await_flag(started)
    pool:shutdown{wait = false, cancel_futures = true}
    assert.is_true(second:cancelled())
    go.value = true
    assert.are.equal("held", first:await())
  end)

  case("a cancelled shutdown leaves the threads to end by themselves", function(t)
    local pool = lucio.ThreadPoolExecutor{max_workers = 1}
    local go = flag()
    local job = pool:submit(hold, go)
    local task = lucio.create_task(pool.shutdown, pool)
    lucio.sleep(0)
    task:cancel()
    t.raises(lucio.CancelledError, task.await, task)
    go.value = true
    assert.are.equal("held", job:await())
  end)

  case("checks its options", function(t)
    t.raises(lucio.ValueError, lucio.ThreadPoolExecutor, {max_workers = 0})
    t.raises(lucio.TypeError, lucio.ThreadPoolExecutor, {max_workers = "2"})
    t.raises(lucio.TypeError, lucio.ThreadPoolExecutor, {initializer = 1})
    t.raises(lucio.TypeError, lucio.ThreadPoolExecutor, {name = 1})
    t.raises(lucio.TypeError, lucio.ThreadPoolExecutor, {other = 1})
    local pool = lucio.ThreadPoolExecutor(3)
    assert.truthy(tostring(pool):find("max_workers=3", 1, true))
    t.raises(lucio.TypeError, pool.submit, pool)
    t.raises(lucio.TypeError, pool.submit, nil, no_op)
    t.raises(lucio.TypeError, pool.shutdown, pool, {other = true})
  end)

  case("a dropped one still does its jobs", function()
    local future = lucio.ThreadPoolExecutor{max_workers = 1}:submit(function() return "done" end)
    collectgarbage()
    collectgarbage()
    assert.are.equal("done", future:await())
  end)
end)

describe("long results", function()
  local SIZE = 1 << 20

  -- A job whose result has long strings, one of them twice.
  local function long(size)
    local text = ("0123456789abcdef"):rep(size // 16)
    return text, {text, "short", ("x"):rep(size + 1), y = ("y"):rep(size // 10)}
  end

  local function check(text, list)
    assert.is_true(text == ("0123456789abcdef"):rep(SIZE // 16) and text == list[1])
    assert.is_true(list[3] == ("x"):rep(SIZE + 1) and list.y == ("y"):rep(SIZE // 10))
  end

  -- Holds the thread of the loop until the flag is set and the worker has had time to give up.
  local function hold_loop(value)
    hold(value)
    local last = os.clock() + 0.02
    while os.clock() < last do end -- luacheck: ignore 542
  end

  -- A job that sets the flag at its end.
  local function announce_long(job, done, size)
    local text, list = job(size)
    done.value = true
    return text, list
  end

  case("cross whole", function()
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 2}
    local futures = {}
    for i = 1, 8 do futures[i] = pool:submit(long, SIZE) end
    for i = 1, 8 do check(futures[i]:await()) end
    for _, text in pool:map(long, {SIZE, SIZE, SIZE}, {chunksize = 2}) do
      assert.are.equal(SIZE, #text)
    end
  end)

  case("cross whole when the loop is late", function()
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1}
    local done = flag()
    local future = pool:submit(announce_long, long, done, SIZE)
    local after = pool:submit(no_op)
    hold_loop(done)
    check(future:await())
    after:await()
  end)

  case("are thrown away when nobody wants them", function()
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1}
    local done = flag()
    local future = pool:submit(announce_long, long, done, SIZE)
    future:cancel()
    pool:submit(announce_long, long, done, SIZE)
    await_flag(done)
    pool:submit(no_op):await()
  end)

  for _, late in ipairs{false, true} do
    own_loop("are thrown away by a loop that closes" .. (late and " late" or ""), function(loop)
      local pool = lucio.ThreadPoolExecutor{max_workers = 1}
      local done = flag()
      loop:run_in_executor(pool, announce_long, long, done, SIZE)
      hold(done)
      if late then hold_loop(done) end
      loop:close()
      lucio.run(function() pool:shutdown() end)
    end)
  end
end)

describe("cpu_count", function()
  it("is at least one", function()
    assert.is_true(lucio.cpu_count() >= 1)
  end)
end)

describe("many jobs", function()
  case("with errors and cancels all end in one outcome", function()
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 4}
    local N = 2000
    local ran, outcomes, futures = lucio.shared.Value("i64"), {}, {}
    local function job(i)
      ran:add(1)
      if i % 7 == 0 then error(lucio.ValueError("seven", i)) end
      return i, ("x"):rep(i % 50)
    end
    for i = 1, N do
      local future = pool:submit(job, i)
      futures[i] = future
      future:add_done_callback(function() outcomes[i] = (outcomes[i] or 0) + 1 end)
      if i % 5 == 0 then futures[math.random(i)]:cancel() end
      if i % 100 == 0 then lucio.sleep(0) end
    end
    local done, failed, cancelled = 0, 0, 0
    for i, future in ipairs(futures) do
      local ok, a, b = pcall(future.await, future)
      if ok then
        assert.are.same({i, i % 50}, {a, #b})
        done = done + 1
      elseif future:cancelled() then
        cancelled = cancelled + 1
      else
        assert.are.equal(i, a.args[2])
        failed = failed + 1
      end
    end
    lucio.sleep(0)
    assert.are.equal(N, done + failed + cancelled)
    assert.is_true(cancelled > 0 and failed > 0 and ran.value >= done + failed)
    for i = 1, N do assert.are.equal(1, outcomes[i]) end
  end)
end)
