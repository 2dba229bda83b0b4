-- What a job does with the loop of its submitter: coroutines and callbacks there.
local case = require "spec.support.case"
local eventually = require "spec.support.eventually"
local lucio = require "lucio"

describe("run_coroutine_threadsafe", function()
  case("TH5: gives a blocking future of a task in the loop", function()
    local loop = lucio.get_running_loop()
    local function add(a, b)
      local l = require "lucio"
      l.sleep(0.5)
      return a + b, l.get_running_loop() ~= nil, l.worker
    end
    local results = lucio.to_thread(function(main)
      local l = require "lucio"
      local future = l.run_coroutine_threadsafe(l.async(add)(1, 2), main)
      local r = table.pack(future:result())
      assert(future:done() and not future:cancelled() and not future:cancel())
      assert(future:result() == 3)
      return r
    end, loop)
    assert.are.same({3, true, n = 3}, results)
  end)

  case("TH5: errors travel, with both tracebacks", function(t)
    local loop = lucio.get_running_loop()
    local Own = lucio.exception("Own")
    local function fail()
      error(Own("in the loop"))
    end
    local e = t.raises(Own, lucio.to_thread, function()
      local l = require "lucio"
      l.run_coroutine_threadsafe(fail, loop):result()
    end)
    assert.are.equal("in the loop", e.message)
    assert.is_truthy(e.traceback:find("th_loop_spec.lua:28", 1, true), e.traceback)
    assert.is_truthy(e.traceback:find("th_loop_spec.lua:33", 1, true), e.traceback)
  end)

  case("TH5: a timeout of result() does not cancel; cancel reaches the task", function()
    local loop = lucio.get_running_loop()
    local go, cancelled = lucio.shared.Semaphore(0), lucio.shared.Semaphore(0)
    local function wait()
      go:acquire()
      return "went"
    end
    local started = lucio.shared.Semaphore(0)
    local function sleep()
      started:release()
      local _, e = pcall(require "lucio".sleep, 1e6)
      cancelled:release()
      error(e, 0)
    end
    lucio.to_thread(function()
      local l = require "lucio"
      local future = l.run_coroutine_threadsafe(wait, loop)
      local ok, e = pcall(future.result, future, 0.001)
      assert(not ok and e.name == "TimeoutError")
      go:release()
      assert(future:result(1000) == "went")
      local other = l.run_coroutine_threadsafe(sleep, loop)
      started:acquire()
      assert(other:cancel())
      ok, e = pcall(other.result, other)
      assert(not ok and e.name == "CancelledError" and other:cancelled())
      assert(tostring(other) == "<ConcurrentFuture cancelled>")
    end)
    cancelled:acquire()
  end)

  case("TH5: a cancelled one is so at once; what its task fails with is reported", function()
    local loop = lucio.get_running_loop()
    local reported = lucio.Queue()
    loop:set_exception_handler(function(_, context) reported:put(context.exception.message) end)
    local started, go = lucio.shared.Semaphore(0), lucio.shared.Semaphore(0)
    local function stubborn()
      started:release()
      pcall(require "lucio".sleep, 1e6)
      go:acquire()
      error(require "lucio".ValueError("cleaning up failed"))
    end
    lucio.to_thread(function()
      local l = require "lucio"
      local future = l.run_coroutine_threadsafe(stubborn, loop)
      started:acquire()
      assert(future:cancel() and future:cancelled() and future:done() and future:cancel())
      local ok, e = pcall(future.result, future)
      assert(not ok and e.name == "CancelledError")
    end)
    go:release()
    eventually(function()
      collectgarbage()
      return not reported:empty()
    end)
    assert.are.equal("cleaning up failed", reported:get())
  end)

  case("TH5: refuses what is no coroutine, and what cannot cross", function(t)
    local loop = lucio.get_running_loop()
    lucio.to_thread(function()
      local l = require "lucio"
      local function fails(name, text, ...)
        local ok, e = pcall(l.run_coroutine_threadsafe, ...)
        assert(not ok and e.name == name and e.message:find(text, 1, true), e and e.message)
      end
      fails("TypeError", "#1 to 'run_coroutine_threadsafe' (coroutine or function", 1, loop)
      fails("TypeError", "#2 to 'run_coroutine_threadsafe' (loop expected, got nil)", print)
      local bad = l.async(print)(coroutine.create(print))
      fails("TypeError", "coroutine cannot be passed", bad, loop)
    end)
    t.raises(lucio.TypeError, lucio.run_coroutine_threadsafe, {}, loop)
  end)

  case("waits in a task of a loop that the job runs", function()
    local loop = lucio.get_running_loop()
    local function answer(x) return x * 2 end
    local r = lucio.to_thread(function()
      local l = require "lucio"
      return l.run(function()
        local a = l.run_coroutine_threadsafe(l.async(answer)(4), loop)
        local b = l.run_coroutine_threadsafe(l.async(answer)(5), loop)
        local function wait() require "lucio".Future():await() end
        local slow = l.run_coroutine_threadsafe(wait, loop)
        local ok, e = pcall(slow.result, slow, 0.01)
        assert(not ok and e.name == "TimeoutError" and not slow:done())
        slow:cancel()
        assert(not pcall(slow.result, slow))
        return table.concat({a:result(), b:result(1000)}, " ")
      end)
    end)
    assert.are.equal("8 10", r)
  end)

  it("of a loop that closes is cancelled", function()
    local outcomes = lucio.shared.Queue()
    do
      local runner <close> = lucio.Runner()
      local gone = lucio.shared.Semaphore(0)
      local pool = lucio.ThreadPoolExecutor{max_workers = 1}
      runner:run(function()
        local loop = lucio.get_running_loop()
        pool:submit(function()
          local l = require "lucio"
          local function wait() require "lucio".Future():await() end
          local future = l.run_coroutine_threadsafe(wait, loop)
          gone:release()
          local ok, e = pcall(future.result, future)
          outcomes:put(not ok and e.name)
          while not loop:is_closed() do os.execute("sleep 0.01") end
          ok, e = pcall(l.run_coroutine_threadsafe, print, loop)
          outcomes:put(not ok and e.message)
          ok, e = pcall(loop.call_soon_threadsafe, loop, print)
          outcomes:put(not ok and e.message)
        end)
        gone:acquire()
        lucio.sleep(0)
      end)
    end
    assert.are.equal("CancelledError", outcomes:get())
    assert.are.equal("Event loop is closed", outcomes:get())
    assert.are.equal("Event loop is closed", outcomes:get())
  end)

  case("wakes who waits for it in a loop of the job", function()
    local loop = lucio.get_running_loop()
    local flags = {asked = lucio.Event(), go = lucio.Event()}
    package.loaded["th_loop.flags"] = flags -- for what comes back from the job
    local task = lucio.create_task(lucio.to_thread, function(main)
      local l = require "lucio"
      local function wait_here()
        local here = require "th_loop.flags"
        here.asked:set()
        here.go:wait()
      end
      return l.run(function()
        local future = l.run_coroutine_threadsafe(wait_here, main)
        l.wait_for(function() return future:result() end, 60)
        return "woken"
      end)
    end, loop)
    lucio.wait_for(function() flags.asked:wait() end, 60)
    lucio.sleep(0.01)
    flags.go:set()
    assert.are.equal("woken", lucio.wait_for(task, 60))
    package.loaded["th_loop.flags"] = nil
  end)

  case("can be left by a job that is stopped while it waits for it", function(t)
    local loop = lucio.get_running_loop()
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1, cancel_timeout = 0.01}
    local begun = lucio.Event()
    package.loaded["th_loop.flags"] = begun
    local job = pool:submit(function(main)
      local l = require "lucio"
      l.run_coroutine_threadsafe(function()
        require("th_loop.flags"):set()
        require("lucio").Future():await()
      end, main):result()
    end, loop)
    lucio.wait_for(function() begun:wait() end, 60)
    package.loaded["th_loop.flags"] = nil
    job:cancel()
    t.raises(lucio.CancelledError, job.await, job)
    -- its thread has time for others; the coroutine goes on
    assert.are.equal("next", lucio.wait_for(pool:submit(function() return "next" end), 60))
    for _, task in ipairs(lucio.all_tasks()) do
      if task ~= lucio.current_task() then task:cancel() end
    end
  end)

  case("on a loop of the same thread makes a task", function()
    local loop = lucio.get_running_loop()
    assert.are.equal(3, lucio.run_coroutine_threadsafe(lucio.async(math.max)(1, 3), loop):await())
  end)
end)

describe("call_soon_threadsafe", function()
  case("calls a function in the loop, in the order of the calls", function(t)
    local loop = lucio.get_running_loop()
    local seen = lucio.thread_local()
    local done = lucio.shared.Semaphore(0)
    local function note(x, last)
      seen[#seen + 1] = x
      if last then done:release() end
    end
    lucio.to_thread(function()
      for i = 1, 100 do loop:call_soon_threadsafe(note, i, i == 100) end
      assert(tostring(loop) == "<LoopLink>" and not loop:is_closed())
    end)
    done:acquire()
    assert.are.equal(100, #seen)
    for i = 1, 100 do assert.are.equal(i, seen[i]) end
    loop:call_soon_threadsafe(t.log, "own")
    lucio.sleep(0)
    t.same_lines{"own"}
  end)

  case("reports an error of the function to the exception handler", function(t)
    local loop = lucio.get_running_loop()
    lucio.to_thread(function() loop:call_soon_threadsafe(error, "wrong") end)
    while #t.reports == 0 do lucio.sleep(0) end
    assert.are.equal("wrong", t.reports[1].exception.value)
  end)
end)
