-- Reports of jobs, from threads and from processes: lucio.worker.report, lucio.reports.
local case = require "spec.support.case"
local jobs = require "spec.support.jobs"
local lucio = require "lucio"

local shared = lucio.shared

local function both(name, fn)
  for _, kind in ipairs{"ThreadPoolExecutor", "ProcessPoolExecutor"} do
    case(name .. ", from a " .. kind, function(t) fn(t, lucio[kind]) end)
  end
end

describe("reports", function()
  both("come in their order before the result, while the job runs", function(_, Executor)
    local pool <close> = Executor{max_workers = 1}
    local go = shared.Semaphore(0)
    local job = pool:submit(function()
      local l = require "lucio"
      for i = 1, 3 do
        l.worker.report{done = i}
        go:acquire()
      end
      l.worker.report(nil)
      return "result"
    end)
    local seen = {}
    for i, report in lucio.reports(job) do
      assert.is_true(i == 4 or not job:done())
      seen[#seen + 1] = i .. ":" .. (report and report.done or "nil")
      go:release()
    end
    assert.are.same({"1:1", "2:2", "3:3", "4:nil"}, seen)
    assert.are.equal("result", job:await())
    for _ in lucio.reports(job) do error("no more") end
  end)

  both("come all before an error, too, and end with it", function(t, Executor)
    local pool <close> = Executor{max_workers = 1}
    local job = pool:submit(function()
      for i = 1, 50 do lucio.worker.report(i) end
      error(lucio.ValueError("after 50"))
    end)
    local last
    for i, report in lucio.reports(job) do
      assert.are.equal(i, report)
      last = i
    end
    assert.are.equal(50, last)
    t.raises(lucio.ValueError, job.await, job)
  end)

  both("carry what jobs carry", function(_, Executor)
    local pool <close> = Executor{max_workers = 1}
    local long = ("long"):rep(300000)
    local job = pool:submit(function(text)
      local value = lucio.shared.Value("i64", 7)
      local list = {text}
      list.self = list
      lucio.worker.report(list)
      lucio.worker.report(value)
      lucio.worker.report(lucio.LookupError("none"))
    end, long)
    local got = {}
    for _, report in lucio.reports(job) do got[#got + 1] = report end
    assert.is_true(got[1][1] == long and got[1].self == got[1])
    assert.are.equal(7, got[2].value)
    assert.is_true(lucio.isinstance(got[3], lucio.LookupError))
  end)

  both("are dropped when nobody asks, and end with a cancelled job", function(t, Executor)
    local pool <close> = Executor{max_workers = 1}
    local function work()
      for i = 1, 200 do lucio.worker.report(i) end
      return "done"
    end
    assert.are.equal("done", pool:submit(work):await())
    local job = pool:submit(work)
    local task = lucio.create_task(function()
      for _ in lucio.reports(job) do job:cancel() end
      return "ended"
    end)
    assert.are.equal("ended", task:await())
    local bad = pool:submit(function() lucio.worker.report(coroutine.create(print)) end)
    t.raises("bad argument #1 to 'report' (coroutine cannot be passed to a worker)", bad.await, bad)
    assert.are.equal("done", pool:submit(work):await())
    t.raises(lucio.TypeError, lucio.reports, 1)
  end)

  both("hold up the job when the loop does not take them", function(_, Executor)
    local pool <close> = Executor{max_workers = 1}
    local sent = shared.Value("i64", 0)
    local job = pool:submit(function(count, text)
      for _ = 1, 40 do
        lucio.worker.report(text)
        count:add(1)
      end
      return "all"
    end, sent, ("x"):rep(1 << 20))
    local next_report, queue, first = lucio.reports(job)
    -- the loop does not run meanwhile; the job comes as far as it can
    local limit = os.time() + 60
    while sent.value < 3 and os.time() < limit do end -- luacheck: ignore 542
    local before = sent.value
    assert(os.execute("sleep 0.05"))
    assert.is_true(before >= 3 and sent.value < 30)
    local n = 0
    for _, report in next_report, queue, first do n = n + #report end
    assert.are.equal(40 << 20, n)
    assert.are.equal("all", job:await())
  end)

  both("that hold up the job let it go when it is cancelled", function(t, Executor)
    local pool <close> = Executor{max_workers = 1}
    local sent = shared.Value("i64", 0)
    local job = pool:submit(function(count, text)
      while not lucio.worker.cancelled() do
        lucio.worker.report(text)
        count:add(1)
      end
    end, sent, ("x"):rep(1 << 20))
    local limit = os.time() + 60
    while sent.value < 3 and os.time() < limit do end -- luacheck: ignore 542
    job:cancel()
    t.raises(lucio.CancelledError, job.await, job)
    assert.are.equal(1, pool:submit(function() return 1 end):await())
  end)

  both("are of their job alone, from several workers at once", function(_, Executor)
    local pool <close> = Executor{max_workers = 2}
    local function work(name)
      for i = 1, 50 do lucio.worker.report{name, i} end
      return name
    end
    local tasks = {}
    for i = 1, 4 do
      local job = pool:submit(work, i)
      tasks[i] = lucio.create_task(function()
        local last = 0
        for n, report in lucio.reports(job) do
          assert.are.same({i, n}, report)
          last = n
        end
        return last
      end)
    end
    for _, task in ipairs(tasks) do assert.are.equal(50, task:await()) end
  end)
end)

describe("reports of a process that is killed", function()
  case("come as far as they were sent, then the loss", function(t)
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
    local job = pool:submit(function()
      for i = 1, 20 do lucio.worker.report(i) end
      os.execute("kill -9 $PPID")
      while true do end
    end)
    local last
    for i, report in lucio.reports(job) do
      assert.are.equal(i, report)
      last = i
    end
    assert.are.equal(20, last)
    t.raises(lucio.BrokenProcessPool, job.await, job)
    assert.are.equal(1, pool:submit(function() return 1 end):await())
  end)

  case("in the midst of one are whole", function(t)
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
    local text = ("x"):rep(5 << 20)
    for round = 1, 5 do
      local number = shared.Value("i64", 0)
      local job = pool:submit(function(value)
        value.value = lucio.worker.pid
        while true do lucio.worker.report(text) end
      end, number)
      local count = 0
      for _, report in lucio.reports(job) do
        assert.are.equal(#text, #report)
        count = count + 1
        if count == round then jobs.kill(9, number.value) end
      end
      assert.is_true(count >= round)
      t.raises(lucio.BrokenProcessPool, job.await, job)
    end
    assert.are.equal(1, pool:submit(function() return 1 end):await())
  end)
end)
