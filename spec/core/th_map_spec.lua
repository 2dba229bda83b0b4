-- map of executors: the order of results, errors, what is left. Jobs take real time, also under the
-- virtual clock, so they are short.
local case = require "spec.support.case"
local jobs = require "spec.support.jobs"
local own_loop = require "spec.support.own_loop"
local lucio = require "lucio"

local flag, hold, no_op = jobs.flag, jobs.hold, jobs.no_op

describe("map", function()
  local function square(x) return x * x end

  case("gives results in the order of the list", function()
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 3}
    for _, chunksize in ipairs {1, 2, 7, 100} do
      local list, results = {}, {}
      for i = 1, 20 do list[i] = i end
      for i, x in pool:map(square, list, {chunksize = chunksize}) do results[i] = x end
      assert.are.equal(20, #results)
      assert.are.equal(400, results[20])
    end
    for _ in pool:map(square, {}) do error("there is nothing") end
  end)

  case("gives nil as a result", function()
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1}
    local count = 0
    for i, x in pool:map(function(x) if x then return nil end end, {1, 2, 3}) do
      assert.is_nil(x)
      count = i
    end
    assert.are.equal(3, count)
  end)

  case("raises the first error in the order of the list", function(t)
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 2}
    local seen = {}
    t.raises(lucio.ValueError, function()
      for _, x in pool:map(function(x)
        if x == 3 then error(lucio.ValueError("three")) end
        return x
      end, {1, 2, 3, 4}) do seen[#seen + 1] = x end
    end)
    assert.are.same({1, 2}, seen)
  end)

  case("cancels what is left when the loop is left", function()
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1}
    local ran = lucio.shared.Value("i64")
    local go = flag()
    local function job(i)
      ran:add(1)
      if i > 1 then hold(go) end
    end
    for i in pool:map(job, {1, 2, 3, 4}) do
      if i == 1 then break end
    end
    lucio.sleep(0)
    go.value = true
    pool:submit(no_op):await()
    assert.is_true(ran.value <= 2)
  end)

  own_loop("needs the loop that it was called in", function(loop, t)
    local results
    loop:run_until_complete(lucio.async(function()
      local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1}
      results = pool:map(square, {1, 2})
    end)())
    loop:close()
    t.raises(lucio.RuntimeError, results)
  end)

  case("raises TimeoutError at its time limit", function(t)
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1}
    local go = flag()
    local results = pool:map(hold, {go}, {timeout = 0.01})
    t.raises(lucio.TimeoutError, results)
    go.value = true
    t.raises(lucio.ValueError, pool.map, pool, square, {}, {chunksize = 0})
    t.raises(lucio.TypeError, pool.map, pool, square, 1)
  end)

  case("names the item that cannot cross, and leaves no job behind", function()
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1}
    local ran = lucio.shared.Value("i64")
    local go = flag()
    pool:submit(hold, go)
    local function count() ran:add(1) end
    for chunksize = 1, 3 do
      local ok, e = pcall(pool.map, pool, count, {1, 2, {x = {print, print()}, y = io.stdout}},
        {chunksize = chunksize})
      assert.is_false(ok)
      assert.are.equal("bad argument #2 to 'map' (item 3 field 'y': FILE* cannot be passed to a " ..
        "worker)", e.message)
    end
    lucio.sleep(0)
    lucio.sleep(0)
    go.value = true
    pool:submit(no_op):await()
    assert.are.equal(0, ran.value)
  end)

  case("AG4: gives its results to one task at a time", function(t)
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1}
    for _, options in ipairs {{}, {timeout = 1000}} do
      local go = lucio.shared.Semaphore(0)
      local results = pool:map(function(x) go:acquire() return x end, {"a", "b"}, options)
      local first = lucio.create_task(results)
      lucio.sleep(0)
      t.raises(lucio.RuntimeError, results)
      go:release(2)
      assert.are.same({1, "a"}, {first:await()})
      assert.are.same({2, "b"}, {results()})
      assert.is_nil((results()))
    end
  end)
end)
