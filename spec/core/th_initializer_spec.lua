-- Initializers of executors that do not return: what ends them, and what the jobs get.
local case = require "spec.support.case"
local child = require "spec.support.child"
local jobs = require "spec.support.jobs"
local lucio = require "lucio"

local flag, await_flag = jobs.flag, jobs.await_flag

-- An initializer that sets the flag and never returns.
local function stuck(started)
  return function()
    started.value = true
    while true do local _ = {} end
  end
end

local function both(name, fn)
  for _, kind in ipairs{"ThreadPoolExecutor", "ProcessPoolExecutor"} do
    case(name .. ", of a " .. kind, function(t) fn(t, lucio[kind]) end)
  end
end

describe("an initializer that never returns", function()
  case("is stopped after job_timeout: the jobs of its thread fail, and say why", function(t)
    local pool <close> = lucio.ThreadPoolExecutor{
      max_workers = 1, job_timeout = 0.05, initializer = stuck(flag()),
    }
    for _ = 1, 2 do
      local e = t.raises(lucio.RuntimeError, lucio.await, pool:submit(jobs.no_op))
      assert.are.equal("the initializer of the worker failed", e.message)
      assert.is_true(lucio.isinstance(e.cause, lucio.TimeoutError))
      assert.are.equal("the initializer took too long and was stopped", e.cause.message)
      assert.matches("th_initializer_spec.lua:1%d:", e.cause.traceback)
    end
  end)

  case("is killed after job_timeout: the job of its process fails", function(t)
    local pool <close> = lucio.ProcessPoolExecutor{
      max_workers = 1, job_timeout = 0.3, initializer = stuck(flag()),
    }
    local e = t.raises(lucio.TimeoutError, lucio.await, pool:submit(jobs.no_op))
    assert.are.equal(("the initializer took too long: worker process %d was killed"):format(e.pid),
      e.message)
    assert.is_false(jobs.exists(e.pid))
  end)

  both("ends at the deadline of shutdown{timeout =}", function(t, Executor)
    local started = flag()
    local pool = Executor{max_workers = 1, initializer = stuck(started)}
    local job, queued = pool:submit(jobs.no_op), pool:submit(jobs.no_op)
    await_flag(started)
    pool:shutdown{timeout = 0.02}
    t.raises(lucio.RuntimeError, job.await, job)
    assert.is_false((pcall(queued.await, queued)))
  end)

  both("ends in a while after shutdown when nobody waits for it", function(t, Executor)
    local started = flag()
    local pool = Executor{max_workers = 1, initializer = stuck(started)}
    local job, queued = pool:submit(jobs.no_op), pool:submit(jobs.no_op)
    await_flag(started)
    job:cancel()
    queued:cancel()
    t.raises(lucio.CancelledError, job.await, job)
    pool:shutdown()
  end)

  case("ends with its process by kill_workers", function(t)
    local started = flag()
    local pool = lucio.ProcessPoolExecutor{max_workers = 1, initializer = stuck(started)}
    local job = pool:submit(jobs.no_op)
    await_flag(started)
    pool:kill_workers()
    local e = t.raises(lucio.BrokenProcessPool, job.await, job)
    assert.are.equal(
      ("worker process %d was killed while it ran the initializer"):format(e.pid), e.message)
    pool:shutdown()
  end)

  case("ends with its process when its job was cancelled cancel_timeout seconds ago", function(t)
    local started, calm = flag(), flag()
    local pool <close> = lucio.ProcessPoolExecutor{
      max_workers = 1, cancel_timeout = 0,
      initializer = function()
        started.value = true
        while not calm.value do local _ = {} end
      end,
    }
    local job = pool:submit(jobs.pid)
    await_flag(started)
    job:cancel()
    t.raises(lucio.CancelledError, job.await, job)
    local other = pool:submit(jobs.pid)
    calm.value = true
    assert.is_true(math.type(other:await()) == "integer")
  end)

  for _, kind in ipairs{"ThreadPoolExecutor", "ProcessPoolExecutor"} do
    it("does not keep the host from closing, of a " .. kind, function()
      local r = child.run(([[
        local lucio = require "lucio"
        local started = lucio.shared.Value("bool", false)
        pool = lucio.%s{max_workers = 2, initializer = function()
          started.value = true
          while true do local _ = {} end
        end}
        lucio.run(function()
          pool:submit(print, "never")
          while not started.value do lucio.sleep(0.001) end
        end)
        print("end")]]):format(kind), {timeout = 120})
      assert.are.same({"end\n", "", 0}, {r.stdout, r.stderr, r.status})
    end)
  end
end)

describe("an initializer that takes its time", function()
  both("is waited for when the executor is shut down and its job is wanted", function(_, Executor)
    local started, go = flag(), flag()
    local pool = Executor{max_workers = 1, initializer = function()
      started.value = true
      local limit = os.time() + 60
      while not go.value and os.time() < limit do local _ = {} end
    end}
    local job = pool:submit(function() return "done" end)
    await_flag(started)
    pool:shutdown{wait = false}
    go.value = true
    assert.are.equal("done", job:await())
    pool:shutdown()
  end)
end)
