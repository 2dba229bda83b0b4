-- Long strings to worker processes and back: they are sent from where they are.
local case = require "spec.support.case"
local jobs = require "spec.support.jobs"
local limit = require "spec.support.limit"
local lucio = require "lucio"
local small = require "spec.support.small"

local shared = lucio.shared

local MEGABYTE = 1 << 20

local function text_of(i, size)
  return ("%5d"):format(i):rep(size // 5)
end

-- An executor of one process, whose initializer waits for the flag: until then jobs are sent in
-- part.
local function held_pool(started, go, pid)
  return lucio.ProcessPoolExecutor{max_workers = 1, initializer = function()
    pid.value = require "lucio".worker.pid
    started.value = true
    local last = os.time() + limit
    while not go.value and os.time() < last do end -- luacheck: ignore 542
  end}
end

-- Job: adds the size of the text if it is the one that it should be.
local function check(text, start, total)
  if text == start:rep(#text // #start) then total:add(#text) end
end

-- Strings of other texts, where others may have been.
local function use_memory(size)
  collectgarbage()
  collectgarbage()
  local list = {}
  for i = 1, 8 do list[i] = ("other"):rep(size // 5 + i) end
  return #list
end

describe("long strings to and from a process", function()
  case("cross as they are, though their owner lets them go at once", function()
    local pool <close> = lucio.ProcessPoolExecutor{max_workers = 2}
    local futures = {}
    for i = 1, small(40, 12) do
      local long = text_of(i, ({70000, 200000, 1000000, 2 * MEGABYTE})[i % 4 + 1])
      futures[i] = pool:submit(function(text, t)
        return #long == #text, {t[1], back = text .. "x"}, t.key[text], long:sub(-5)
      end, long, {long, key = {[long] = "key"}})
      if i % 5 == 0 then futures[i]:cancel() end
    end
    collectgarbage()
    for i, future in ipairs(futures) do
      if i % 5 == 0 then
        assert.is_false((pcall(future.await, future)))
      else
        local same, list, key, last = future:await()
        assert.are.same({true, "key", ("%5d"):format(i)}, {same, key, last})
        assert.is_true(list[1] == text_of(i, #list[1]))
        assert.is_true(list.back == list[1] .. "x")
      end
      futures[i] = nil
    end
  end)

  it("arrive as they were when their loop closes while they are sent", function()
    local started, go, pid = jobs.flag(), jobs.flag(), shared.Value("i64")
    local total = shared.Value("i64")
    local pool = held_pool(started, go, pid)
    do
      local runner <close> = lucio.Runner()
      runner:run(function()
        pool:submit(check, text_of(1, 3 * MEGABYTE), "    1", total)
        jobs.await_flag(started)
      end)
    end
    use_memory(3 * MEGABYTE)
    go.value = true
    lucio.run(function()
      pool:submit(check, text_of(2, MEGABYTE), "    2", total):await()
      pool:shutdown()
    end)
    assert.are.equal(3 * MEGABYTE // 5 * 5 + MEGABYTE // 5 * 5, total.value)
  end)

  case("are sent again to the next process when one is killed in the middle", function()
    local started, go, pid = jobs.flag(), jobs.flag(), shared.Value("i64")
    local total = shared.Value("i64")
    local pool <close> = held_pool(started, go, pid)
    local future = pool:submit(check, text_of(1, 3 * MEGABYTE), "    1", total)
    jobs.await_flag(started)
    started.value = false
    jobs.kill(9, pid.value)
    use_memory(3 * MEGABYTE)
    jobs.await_flag(started)
    go.value = true
    future:await()
    assert.are.equal(3 * MEGABYTE // 5 * 5, total.value)
  end)

  case("are let go when their job is cancelled while they are sent", function()
    local started, go, pid = jobs.flag(), jobs.flag(), shared.Value("i64")
    local total = shared.Value("i64")
    local pool <close> = held_pool(started, go, pid)
    local future = pool:submit(check, text_of(1, 3 * MEGABYTE), "    1", total)
    jobs.await_flag(started)
    future:cancel()
    assert.is_false((pcall(future.await, future)))
    future = nil -- luacheck: ignore 311
    use_memory(3 * MEGABYTE)
    go.value = true
    local other = text_of(2, MEGABYTE)
    pool:submit(check, other, "    2", total):await()
    assert.are.equal(#other, total.value % (3 * MEGABYTE // 5 * 5))
  end)
end)
