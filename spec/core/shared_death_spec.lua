-- Shared things whose users are killed at any moment: what was theirs is as documented, and the
-- others go on. DEATHS says how many processes are killed at random (15), SOAK_SEED which ones.
local case = require "spec.support.case"
local eventually = require "spec.support.eventually"
local jobs = require "spec.support.jobs"
local lucio = require "lucio"
local small = require "spec.support.small"

local shared = lucio.shared
local await_flag, flag, kill = jobs.await_flag, jobs.flag, jobs.kill

local DEATHS = math.tointeger(tonumber(os.getenv "DEATHS")) or small(15, 5)
local SEED = math.tointeger(tonumber(os.getenv "SOAK_SEED")) or os.time()

-- Kills the process whose number is there, and waits for its job's end.
local function kill_job(job, number)
  kill("KILL", number)
  local ok, e = pcall(job.await, job)
  assert.is_false(ok)
  assert.is_true(lucio.isinstance(e, lucio.BrokenProcessPool), tostring(e))
end

-- Nobody uses the queue any more: it has all of its places, and room for nothing else.
local function check_places(t, queue)
  while not queue:empty() do queue:get_nowait() end
  for i = 1, queue.maxsize do queue:put_nowait(i) end
  t.raises(lucio.QueueFull, queue.put_nowait, queue, 0)
  for i = 1, queue.maxsize do assert.are.equal(i, queue:get_nowait()) end
  t.raises(lucio.QueueEmpty, queue.get_nowait, queue)
end

describe("a process that is killed", function()
  case("takes no place of a shared queue with it, which it puts into or gets from", function(t)
    local queue, turns, number = shared.Queue(2), shared.Value("i64"), shared.Value("i64")
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
    local item = {}
    for i = 1, 3000 do item[i] = {i} end -- most of the time it is being copied
    for i = 1, 6 do
      turns.value = 0
      local job = pool:submit(function()
        number.value = lucio.worker.pid
        while true do
          queue:put(item)
          turns:add(1)
          queue:get()
        end
      end)
      eventually(function() return turns.value > i end)
      kill_job(job, number.value)
      check_places(t, queue)
    end
  end)

  case("lets those go on who wait for a place, and for an item", function()
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 2}
    local full, empty = shared.Queue(1), shared.Queue(1)
    local first, second = shared.Value("i64"), shared.Value("i64")
    full:put("first")
    local putter = pool:submit(function()
      first.value = lucio.worker.pid
      full:put("of the dead")
    end)
    local getter = pool:submit(function()
      second.value = lucio.worker.pid
      empty:get()
    end)
    local put = lucio.create_task(function() full:put("second") return "put" end)
    local get = lucio.create_task(function() return empty:get() end)
    eventually(function() return first.value ~= 0 and second.value ~= 0 end)
    lucio.sleep(0)
    kill_job(putter, first.value)
    kill_job(getter, second.value)
    assert.are.equal("first", full:get())
    assert.are.equal("put", put:await())
    assert.are.equal("second", full:get())
    empty:put("item")
    assert.are.equal("item", get:await())
  end)

  case("keeps the permits that it has, and takes none for which it waits", function()
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 2}
    local permits, has = shared.Semaphore(1), flag()
    local first, second = shared.Value("i64"), shared.Value("i64")
    local holder = pool:submit(function()
      permits:acquire()
      first.value = lucio.worker.pid
      has.value = true
      while true do end
    end)
    await_flag(has)
    local waiter = pool:submit(function()
      second.value = lucio.worker.pid
      permits:acquire()
    end)
    local task = lucio.create_task(function() return permits:acquire() end)
    eventually(function() return second.value ~= 0 end)
    kill_job(waiter, second.value)
    kill_job(holder, first.value)
    assert.is_true(permits:locked())
    permits:release() -- by who knows that it is gone
    assert.are.equal(permits, task:await())
    assert.is_true(permits:locked())
  end)

  case("leaves its locks to those who wait, and they hear of it once", function()
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 2}
    local value = shared.Value("i64")
    for _, lock in ipairs{shared.Lock(), shared.RLock(), value:get_lock()} do
      local has, number = flag(), shared.Value("i64")
      local holder = pool:submit(function()
        lock:acquire()
        if not lock:try_acquire() then number.value = -1 end -- an RLock is held twice
        number.value = lucio.worker.pid
        has.value = true
        while true do end
      end)
      await_flag(has)
      local asked = flag()
      local other = pool:submit(function()
        asked.value = true
        local _, died = lock:acquire()
        lock:release()
        return died
      end)
      local task = lucio.create_task(function()
        local _, died = lock:acquire()
        lock:release()
        return died
      end)
      await_flag(asked)
      kill_job(holder, number.value)
      local a, b = other:await(), task:await()
      assert.is_true(a ~= b, "it was not told once")
      assert.is_false(select(2, lock:acquire()))
      lock:release()
    end
  end)
end)

describe(("%d processes killed at random with seed %d"):format(DEATHS, SEED), function()
  -- Each does its part until it is told to stop, and counts its turns.
  local parts = {}

  -- Two numbers that are the same, unless who changed them died.
  local function guard(things, lock, a, b, twice)
    local _, died = lock:acquire()
    if twice then lock:acquire() end
    if a.value ~= b.value then
      if not died then things.faults:add(1) end
      b.value = a.value
    end
    a:add(1)
    b:add(1)
    if twice then lock:release() end
    lock:release()
  end

  function parts.locks(things, work)
    while not things.stop.value do
      guard(things, things.lock, things.a, things.b)
      guard(things, things.rlock, things.c, things.d, true)
      guard(things, things.e:get_lock(), things.e, things.f)
      work()
    end
  end

  function parts.put(things, work)
    local n = 0
    while not things.stop.value do
      n = n + 1
      local item = {n, text = ("x"):rep(n % 3000)}
      for i = 2, n % 300 do item[i] = n + i end
      things.queue:put(item)
      work()
    end
  end

  function parts.get(things, work)
    while true do
      local item = things.queue:get()
      if item == "stop" then return end
      local n = item[1]
      local good = #item.text == n % 3000
      for i = 2, n % 300 do good = good and item[i] == n + i end
      if not good then things.faults:add(1) end
      work()
    end
  end

  local order = {"locks", "locks", "put", "put", "get", "get"}

  case("hold nobody up and leave nothing half done", function(t)
    math.randomseed(SEED)
    local things = {stop = flag(), faults = shared.Value("i64"), queue = shared.Queue(2),
      lock = shared.Lock(), rlock = shared.RLock()}
    for name in ("abcdef"):gmatch(".") do things[name] = shared.Value("i64") end
    local turns, pids = shared.Array("i64", #order), shared.Array("i64", #order)
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = #order}
    local running = {}

    local function start(i)
      local part = parts[order[i]]
      running[i] = pool:submit(function()
        pids[i] = lucio.worker.pid
        part(things, function() turns:add(i) end)
      end)
    end

    -- Everybody has done something since now.
    local function all_go_on(steps)
      local before = {}
      for i = 1, #order do before[i] = turns[i] end
      for i = 1, #order do
        eventually(function() return turns[i] > before[i] + steps end, order[i] .. " stands still")
      end
    end

    for i = 1, #order do start(i) end
    for _ = 1, DEATHS do
      all_go_on(math.random(0, 3))
      local i = math.random(#order)
      if math.random(3) == 1 then
        local stop_and_kill = "kill -STOP %d; sleep 0.0%d; kill -KILL %d"
        os.execute(stop_and_kill:format(pids[i], math.random(9), pids[i]))
      else
        kill("KILL", pids[i])
      end
      pcall(running[i].await, running[i])
      start(i)
    end
    all_go_on(0)

    things.stop.value = true
    local ended = lucio.create_task(function()
      for i = 1, 4 do running[i]:await() end
    end)
    eventually(function() return ended:done() end, "they do not end")
    for _ = 5, 6 do things.queue:put("stop") end
    for i = 5, 6 do running[i]:await() end
    assert.are.equal(0, things.faults.value)
    check_places(t, things.queue)
    for _, lock in ipairs{things.lock, things.rlock, things.e:get_lock()} do
      assert.is_true((lock:try_acquire()))
      lock:release()
    end
  end)
end)
