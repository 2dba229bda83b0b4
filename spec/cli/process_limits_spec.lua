-- A process pool where descriptors run out, in this process or in a worker: jobs wait, or fail and
-- say why, nothing is lost for good, and the pool goes on when there are some again.
local assert = require "luassert"
local command = require "spec.cli.command"

local PRELUDE = [[
local lucio = require "lucio"
local shared = lucio.shared
local function count() return #lucio.fs.listdir("/proc/self/fd") end
-- Whether there are so many descriptors or fewer, in the end: some are closed by threads.
local function settles(most)
  for _ = 1, 5000 do
    collectgarbage()
    if count() <= most then return true end
    lucio.sleep(0.01)
  end
end
-- Takes all descriptors but so many; returns what gives them back.
local function take(left)
  local files = {}
  while true do
    local file = io.open("/dev/null")
    if not file then break end
    files[#files + 1] = file
  end
  for _ = 1, left or 0 do table.remove(files):close() end
  return function() for _, file in ipairs(files) do file:close() end end
end
]]

local function run(script)
  local r = command.run{prefix = "ulimit -n 60", script = PRELUDE .. script}
  assert.are.same({"", 0}, {r.err, r.status})
  return r.out
end

describe("a process pool without descriptors", function()
  it("cannot be made, and can when there are some", function()
    assert.are.equal("false\tEMFILE\nfalse\tEMFILE\ntrue\ttrue\n", run [[
      for n = 0, 1 do
        local free = take(n)
        local ok, e = pcall(lucio.ProcessPoolExecutor, {max_workers = 1})
        print(ok, e.code)
        free()
      end
      local before = count()
      do
        local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
        pool:submit(function() end):await()
      end
      collectgarbage()
      local _ <close> = lucio.ProcessPoolExecutor{max_workers = 1} -- frees the first
      print(true, settles(before + 2))]])
  end)

  it("fails the jobs that no process can be started for, and goes on", function()
    local refused = "false\tEMFILE\tcannot start a worker process: Too many open files\n"
    assert.are.equal(refused:rep(3) .. "fine\ttrue\n", run [[
      local pool <close> = lucio.ProcessPoolExecutor{max_workers = 2}
      local before = count()
      for n = 0, 2 do
        local free = take(n)
        local ok, e = pcall(lucio.await, pool:submit(function() end))
        free()
        print(ok, e.code, e.message)
      end
      print(pool:submit(function() return "fine" end):await(), settles(before + 2))]])
  end)

  it("lets jobs wait for the processes that are there, or until there are descriptors", function()
    assert.are.equal("second\t1\nthird\t2\nfirst\t1\n", run [[
      local pool <close> = lucio.ProcessPoolExecutor{max_workers = 2}
      local go, started = shared.Semaphore(0), shared.Semaphore(0)
      local function index(name) return name, lucio.worker.index end
      pool:submit(index):await()
      local free = take()
      print(pool:submit(index, "second"):await())
      free()
      local first = pool:submit(function()
        started:release()
        go:acquire()
        return "first", lucio.worker.index
      end)
      started:acquire()
      free = take()
      local third = pool:submit(index, "third")
      lucio.sleep(0.01)
      assert(not third:done())
      free()
      print(third:await())
      go:release()
      print(first:await())]])
  end)

  it("fails a job whose result or report has shared things that cannot be received", function()
    assert.are.equal("false\tEMFILE\tToo many open files\nfalse\tEMFILE\tToo many open files\n7\n",
      run [[
      local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
      pool:submit(function() end):await()
      local free = take()
      local ok, e = pcall(lucio.await, pool:submit(function() return lucio.shared.Value("i64") end))
      print(ok, e.code, (e.message:match("Too many open files")))
      local job = pool:submit(function()
        lucio.worker.report(lucio.shared.Value("i64"))
        lucio.worker.report(lucio.shared.Value("i64"))
        return 1
      end)
      for _ in lucio.reports(job) do error("a report came") end
      ok, e = pcall(job.await, job)
      print(ok, e.code, (e.message:match("Too many open files")))
      free()
      print(pool:submit(function() return lucio.shared.Value("i64", 7) end):await().value)]])
  end)

  it("fails a job that its process has no descriptors for", function()
    local refused = "false\tOSError\tthe job cannot be taken: Too many open files\n"
    assert.are.equal("true\n" .. refused .. "20\n", run [[
      local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
      print((pool:submit(os.execute, "prlimit --nofile=15: --pid $PPID"):await()))
      local many = {}
      for i = 1, 20 do many[i] = shared.Value("i64", i) end
      local function last(list) return list[#list].value end
      local ok, e = pcall(lucio.await, pool:submit(last, many))
      print(ok, e.name, e.message)
      pool:submit(os.execute, "prlimit --nofile=60: --pid $PPID"):await()
      print(pool:submit(last, many):await())]])
  end)
end)
