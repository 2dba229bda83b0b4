-- Worker processes and the command: how they end with it, what Ctrl-C does, what of the command's
-- options holds in them. On the real clock.
local assert = require "luassert"
local command = require "spec.cli.command"
local limit = require "spec.support.limit"
local process = require "spec.support.process"

local PRELUDE = [[
local lucio = require "lucio"
io.stdout:setvbuf("line")
local function hold(started, go)
  started.value = true
  local limit = os.time() + 60
  while not go.value do
    if os.time() >= limit then print("survived") break end
  end
  return "held"
end
local function flag() return lucio.shared.Value("bool", false) end
local function await_flag(value) while not value.value do lucio.sleep(0.001) end end
-- for the whole process group, as the terminal does it
local function interrupt() io.popen("kill -INT 0"):close() end
]]

-- Runs it as the leader of a process group.
local function run_leader(text)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "w"))
  file:write(PRELUDE, text)
  file:close()
  local r = process.run({"setsid", "-w", command.path, path}, {
    env = {LUCIO_CLOCK = "", LUCIO_DEBUG = ""}})
  os.remove(path)
  return r
end

local function is_worker(pid)
  local file = io.open("/proc/" .. pid .. "/stat")
  if not file then return false end
  local text = file:read("a")
  file:close()
  return text and text:match("%(lucio%-worker%) [^Z]") ~= nil
end

-- The processes whose numbers were printed end soon.
local function assert_gone(text)
  local count = 0
  assert.is_nil(text:find("survived"))
  for pid in text:gmatch("worker (%d+)") do
    count = count + 1
    for _ = 1, 50 * limit do
      if not is_worker(pid) then break end
      os.execute("sleep 0.02")
    end
    assert.is_false(is_worker(pid))
  end
  assert.is_true(count > 0)
end

describe("worker processes", function()
  it("end with a command that is killed, in the midst of a job or idle", function()
    local r = run_leader [[
      local pool = lucio.ProcessPoolExecutor{max_workers = 2}
      local started = flag()
      pool:submit(function(...)
        print("worker " .. lucio.worker.pid)
        select(1, ...)(select(2, ...))
      end, hold, started, flag())
      await_flag(started)
      print("worker " .. pool:submit(function() return lucio.worker.pid end):await())
      io.popen("kill -9 $PPID"):close()]]
    assert.are.equal(137, r.status)
    assert_gone(r.stdout)
  end)

  it("end with a command that is killed, whatever shared things they hold or wait for", function()
    local r = run_leader [[
      local shared = lucio.shared
      local pool = lucio.ProcessPoolExecutor{max_workers = 6}
      local ready, count = shared.Value("i64"), 0
      local lock, free, permits = shared.Lock(), shared.RLock(), shared.Semaphore(0)
      local full, empty = shared.Queue(1), shared.Queue()
      full:put(0)
      local function start(fn)
        count = count + 1
        pool:submit(function()
          print("worker " .. lucio.worker.pid)
          fn(function() ready:add(1) end)
          print("survived")
        end)
      end
      local has = flag()
      start(function(tell)
        lock:acquire()
        has.value = true
        tell()
        while true do end
      end)
      await_flag(has)
      start(function(tell) tell() lock:acquire() end)
      start(function(tell) tell() permits:acquire() end)
      start(function(tell) tell() full:put(1) end)
      start(function(tell) tell() empty:get() end)
      start(function(tell)
        local lucio = require "lucio"
        lucio.run(function()
          local own <close> = lucio.ProcessPoolExecutor{max_workers = 1}
          own:submit(function()
            print("worker " .. lucio.worker.pid)
            tell()
            while true do free:acquire() free:release() end
          end):await()
        end)
      end)
      lucio.create_task(lock.acquire, lock)
      while ready.value < count do lucio.sleep(0.001) end
      io.popen("kill -9 $PPID"):close()]]
    assert.are.equal(137, r.status)
    assert_gone(r.stdout)
    assert.are.equal(7, select(2, r.stdout:gsub("worker", "")))
    assert.is_nil(table.concat(process.lines("ls /dev/shm"), " "):find("lucio", 1, true))
  end)

  it("take no notice of Ctrl-C that the script handles", function()
    local r = run_leader [[
      lucio.get_running_loop():add_signal_handler("SIGINT", print, "Ctrl-C")
      local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
      local started, go = flag(), flag()
      local job = pool:submit(hold, started, go)
      await_flag(started)
      interrupt()
      lucio.sleep(0)
      go.value = true
      print(job:await())
      print(pool:submit(function()
        return lucio.run(function()
          io.popen("kill -INT 0"):close()
          return "run"
        end)
      end):await())]]
    assert.are.equal(0, r.status)
    assert.matches("^Ctrl%-C\nheld\n", r.stdout)
    assert.matches("\nrun\n", r.stdout)
  end)

  it("are killed when Ctrl-C ends the block that they work for", function()
    local r = run_leader [[
      local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
      local started = flag()
      print("worker " .. pool:submit(function() return lucio.worker.pid end):await())
      local job = pool:submit(hold, started, flag())
      await_flag(started)
      interrupt()
      job:await()]]
    assert.are.equal(130, r.status)
    assert_gone(r.stdout)
  end)

  it("are killed when Ctrl-C ends the program", function()
    local r = run_leader [[
      pool = lucio.ProcessPoolExecutor{max_workers = 1}
      local started = flag()
      print("worker " .. pool:submit(function() return lucio.worker.pid end):await())
      pool:submit(hold, started, flag())
      pool:submit(print, "survived")
      await_flag(started)
      interrupt()
      lucio.sleep(60)]]
    assert.are.equal(130, r.status)
    assert_gone(r.stdout)
  end)

  it("are killed by Ctrl-C in an initializer that never returns; threads are stopped", function()
    local r = run_leader [[
      local started = flag()
      local function stuck()
        if lucio.worker.pid then print("worker " .. lucio.worker.pid) end
        started.value = true
        while true do local _ = {} end
      end
      local processes <close> = lucio.ProcessPoolExecutor{max_workers = 1, initializer = stuck}
      local job = processes:submit(print, "never")
      await_flag(started)
      started.value = false
      local threads <close> = lucio.ThreadPoolExecutor{max_workers = 1, initializer = stuck}
      threads:submit(print, "never")
      await_flag(started)
      interrupt()
      job:await()]]
    assert.are.equal(130, r.status)
    assert.is_nil(r.stdout:find("never"))
    assert_gone(r.stdout)
  end)

  it("leave Ctrl-C to the children of jobs", function()
    local r = run_leader [[
      local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
      print(pool:submit(function()
        local _, how, number = os.execute("kill -INT $$")
        return how, number
      end):await())]]
    assert.are.equal("signal\t2\n", r.stdout)
  end)

  it("have the script's permissions", function()
    local r = command.run{"--allow-read=/usr", script = [[
      local lucio = require "lucio"
      local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
      print(pcall(lucio.await, pool:submit(function() return io.open("/etc/passwd") end)))
      print(pcall(lucio.await, pool:submit(function() return os.execute("true") end)))
      print(pool:submit(function() return io.open("/usr/nowhere") end):await())]], "SCRIPT"}
    assert.matches("^false\treading '/etc/passwd'[^\n]*\nfalse\trunning 'sh'[^\n]*\nnil\t", r.out)
    assert.are.equal(0, r.status)
  end)

  it("have the script's warnings, debug mode and clock", function()
    local r = command.run{"-W", "--debug", "--virtual-clock", script = [[
      local lucio = require "lucio"
      local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
      print(pool:submit(function()
        warn("careful")
        return lucio.run(function()
          lucio.sleep(1e6)
          return lucio.get_running_loop():get_debug()
        end)
      end):await())]], "SCRIPT"}
    assert.are.equal("true\n", r.out)
    assert.matches("Lua warning: careful", r.err, 1, true)
  end)

  it("are looked for where LUCIO_WORKER says", function()
    local script = [[
      local lucio = require "lucio"
      print(pcall(lucio.ProcessPoolExecutor))]]
    local r = command.run{script = script, env = {LUCIO_WORKER = "/nowhere"}}
    assert.matches("^false\tthe program lucio%-worker is not there", r.out)
    r = command.run{script = script, "-E", "SCRIPT", env = {LUCIO_WORKER = "/nowhere"}}
    assert.matches("^true\t", r.out)
  end)

  it("that cannot be started fail the jobs", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write("#!/nowhere\n")
    file:close()
    assert(os.execute("chmod +x " .. path))
    local r = command.run{env = {LUCIO_WORKER = path}, script = [[
      local lucio = require "lucio"
      local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
      local ok, e = pcall(lucio.await, pool:submit(print))
      print(ok, e.name, e)]]}
    assert.matches("^false\tFileNotFoundError\t[^\n]*cannot start a worker process", r.out)
    file = assert(io.open(path, "w"))
    file:write("#!/bin/sh\nexit 4\n")
    file:close()
    r = command.run{env = {LUCIO_WORKER = path}, script = [[
      local lucio = require "lucio"
      local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
      local ok, e = pcall(lucio.await, pool:submit(print))
      print(ok, e.name, e.exitcode)]]}
    assert.are.equal("false\tBrokenProcessPool\t4\n", r.out)
    os.remove(path)
  end)

  it("print whole lines, before their results are there", function()
    local r = command.run{script = [[
      local lucio = require "lucio"
      local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}
      for i = 1, 3 do
        pool:submit(function(n) print("job", n) io.write("rest\n") end, i):await()
        io.write("done\n")
        io.flush()
      end]]}
    assert.are.equal("job\t1\nrest\ndone\njob\t2\nrest\ndone\njob\t3\nrest\ndone\n", r.out)
  end)

  it("are no program to be started by hand", function()
    local worker = command.path:match("^(.*)/") .. "/lucio-worker"
    local r = process.run({worker}, {})
    assert.are.equal(1, r.status)
    assert.are.equal("lucio-worker: it is lucio that starts this program\n", r.stderr)
  end)
end)
