-- Jobs of threads that do not return by themselves.
local case = require "spec.support.case"
local eventually = require "spec.support.eventually"
local lucio = require "lucio"

local shared = lucio.shared

-- (It allocates since ThreadSanitizer lets no signal through otherwise.)
local function spin() while true do local _ = {} end end

-- What a brief job returns, where the limit holds for it as well: a machine with a lot to do may
-- stop a thread for longer, even before the first line of the job.
local function result_of(pool, job)
  local ok, value
  eventually(function()
    ok, value = pcall(lucio.await, pool:submit(job))
    return ok or not lucio.isinstance(value, lucio.TimeoutError)
  end)
  return value
end

describe("job_timeout", function()
  case("ends a job with TimeoutError, and says where it was", function(t)
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1, job_timeout = 0.05}
    local line = debug.getinfo(spin, "S").linedefined
    eventually(function()
      local job = pool:submit(function() spin() end)
      local e = t.raises(lucio.TimeoutError, job.await, job)
      assert.are.equal("the job took too long and was stopped", e.message)
      return e.traceback:find(("th_stop_spec.lua:%d: in upvalue 'spin'"):format(line), 1, true)
    end)
    assert.are.equal(7, result_of(pool, function() return 7 end))
  end)

  case("ends what catches the error, closes what is to be closed", function(t)
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1, job_timeout = 0.05}
    local closed = shared.Value("i64")
    local job = pool:submit(function()
      local _ <close> = setmetatable({}, {__close = function() closed:add(1) end})
      while true do pcall(spin) end
    end)
    t.raises(lucio.TimeoutError, job.await, job)
    eventually(function()
      local other = pool:submit(function()
        local _ <close> = setmetatable({}, {__close = function() closed:add(10) end})
        spin()
      end)
      t.raises(lucio.TimeoutError, other.await, other)
      return closed.value >= 10
    end)
  end)

  case("ends coroutines, loops and waits of a job", function(t)
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1, job_timeout = 0.05}
    local lock, queue, permits = shared.Lock(), shared.Queue(), shared.Semaphore(0)
    lock:acquire()
    local function ends(fn)
      local job = pool:submit(fn)
      t.raises(lucio.TimeoutError, job.await, job)
    end
    ends(function() coroutine.wrap(spin)() end)
    ends(function()
      local inner = require "lucio"
      inner.run(function() permits:acquire() end)
    end)
    ends(function() lock:acquire() end)
    ends(function() queue:get() end)
    ends(function() permits:acquire() end)
    lock:release()
    assert.are.equal("fine", result_of(pool, function() return "fine" end))
  end)
end)

describe("cancel_timeout", function()
  case("ends a cancelled job that goes on", function(t)
    local ended = shared.Semaphore(0)
    local pool = lucio.ThreadPoolExecutor{max_workers = 1, cancel_timeout = 0.02}
    local started = shared.Semaphore(0)
    local job = pool:submit(function()
      local _ <close> = setmetatable({}, {__close = function() ended:release() end})
      started:release()
      spin()
    end)
    started:acquire()
    job:cancel()
    t.raises(lucio.CancelledError, job.await, job)
    ended:acquire()
    pool:shutdown()
  end)
end)

describe("shutdown", function()
  case("with a timeout ends what runs then", function(t)
    local pool = lucio.ThreadPoolExecutor{max_workers = 1}
    local first, second = pool:submit(spin), pool:submit(spin)
    pool:shutdown{timeout = 0.02}
    local e = t.raises(lucio.CancelledError, first.await, first)
    assert.are.equal("the executor was shut down", tostring(e))
    t.raises(lucio.CancelledError, second.await, second)
    t.raises(lucio.ValueError, pool.shutdown, pool, {timeout = -1})
  end)

  case("with a timeout lets what is faster end by itself", function()
    local pool = lucio.ThreadPoolExecutor{max_workers = 1}
    local job = pool:submit(function() return "done" end)
    pool:shutdown{timeout = 1000}
    assert.are.equal("done", job:await())
  end)
end)
