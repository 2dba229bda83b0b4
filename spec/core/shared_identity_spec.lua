-- What is shared and stands in one call, result, report or item more than once is one object there.
local case = require "spec.support.case"
local lucio = require "lucio"

local shared = lucio.shared

local function both(name, fn)
  for _, kind in ipairs{"ThreadPoolExecutor", "ProcessPoolExecutor"} do
    case(name .. ", " .. kind, function()
      local pool <close> = lucio[kind]{max_workers = 1}
      fn(pool)
    end)
  end
end

-- One of each kind, by name.
local function one_of_each()
  local value = shared.Value("i64", 1)
  return {value = value, array = shared.Array("f64", 3), bytes = shared.bytes("text"),
    lock = shared.Lock(), rlock = shared.RLock(), of_value = value:get_lock(),
    semaphore = shared.Semaphore(2), queue = shared.Queue(2)}
end

-- A table that holds each of them twice, in turn with another one.
local function twice(things)
  local list = {}
  for name, thing in pairs(things) do list[name] = {thing, {again = thing}, [thing] = name} end
  return list
end

-- Which of them are not one object, of those that were twice in a table.
local function torn(list)
  local names = {}
  for name, pair in pairs(list) do
    if not rawequal(pair[1], pair[2].again) or pair[pair[1]] ~= name then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return table.concat(names, " ")
end

describe("a shared thing that is passed twice", function()
  both("is one object in a job: arguments, tables and their keys", function(pool)
    local things = one_of_each()
    assert.are.equal("", pool:submit(torn, twice(things)):await())
    for name, thing in pairs(things) do
      assert.are.same({name, true, true, false}, pool:submit(function(what, a, b, t, other)
        return {what, rawequal(a, b), rawequal(a, t.x), rawequal(a, other)}
      end, name, thing, thing, {thing, x = thing}, shared.Value("u8")):await())
    end
  end)

  both("is one object in a job: upvalue and argument", function(pool)
    local value, list = shared.Value("i64"), {}
    list[1] = value
    local function job(argument, other)
      list[1]:add(1)
      return rawequal(value, argument), rawequal(value, other()), rawequal(value, list[1]),
        argument.value
    end
    assert.are.same({true, true, true, 1}, {pool:submit(job, value, function()
      return value
    end):await()})
  end)

  both("is one object in what comes back: results, errors, reports", function(pool)
    local job = pool:submit(function(list, torn_of)
      local l = require "lucio"
      local made = l.shared.Value("bool", true)
      l.worker.report{list.queue[1], list.queue[2], made, made}
      return list, made, {made}, torn_of(list)
    end, twice(one_of_each()), torn)
    for _, report in lucio.reports(job) do
      assert.is_true(rawequal(report[1], report[2].again))
      assert.is_true(rawequal(report[3], report[4]))
      assert.is_false(rawequal(report[1], report[3]))
    end
    local list, made, again, inside = job:await()
    assert.are.same({"", ""}, {inside, torn(list)})
    assert.is_true(rawequal(made, again[1]))
    local ok, e = pcall(lucio.await, pool:submit(function(value)
      local failure = require "lucio".ValueError("with fields")
      failure.value, failure.list = value, {value}
      error(failure)
    end, shared.Value("i64", 3)))
    assert.is_false(ok)
    assert.is_true(rawequal(e.value, e.list[1]))
    assert.are.equal(3, e.value.value)
  end)

  both("is one object in an item of a shared queue", function(pool)
    local requests, answers = shared.Queue(), shared.Queue()
    local job = pool:submit(function(torn_of)
      local list = requests:get()
      answers:put(list)
      return torn_of(list)
    end, torn)
    requests:put(twice(one_of_each()))
    assert.are.equal("", torn(answers:get()))
    assert.are.equal("", job:await())
  end)

  both("is one object for the calls of a chunk of map", function(pool)
    local value, seen = shared.Value("i64", 1), {}
    for i, first in pool:map(function(v)
      Kept = Kept or v -- luacheck: ignore 111 113
      return rawequal(Kept, v) -- luacheck: ignore 113
    end, {value, value, value}, {chunksize = 3}) do seen[i] = first end
    assert.are.same({true, true, true}, seen)
  end)

  both("is another object than its lock, and both are for the same memory", function(pool)
    local value = shared.Value("i64")
    local lock = value:get_lock()
    local job = pool:submit(function(v, l, list)
      local _ <close> = l:acquire()
      v:get_lock():acquire()
      v:add(1)
      v:get_lock():release()
      return rawequal(v, l), rawequal(v, list[1]), rawequal(l, list[2])
    end, value, lock, {value, lock})
    assert.are.same({false, true, true}, {job:await()})
    assert.is_true((lock:try_acquire()))
    lock:release()
    assert.are.equal(1, value.value)
  end)

  case("is one object for a coroutine that a job sends to the loop, and so is the loop", function()
    local loop, value = lucio.get_running_loop(), shared.Value("i64")
    local result = lucio.to_thread(function(a, b, v)
      local compare = lucio.async(function(l1, l2, v1, v2)
        return rawequal(l1, l2) and rawequal(l1, lucio.get_running_loop()), rawequal(v1, v2)
      end)
      local same_loop, same_value =
        lucio.run_coroutine_threadsafe(compare(a, b, v, v), a):result()
      return {rawequal(a, b), same_loop, same_value}
    end, loop, loop, value)
    assert.are.same({true, true, true}, result)
  end)

  case("takes its descriptors once in an item", function()
    local queue, value, list = shared.Queue(), shared.Value("i64", 4), {}
    for i = 1, 1000 do list[i] = i % 2 == 0 and value or value:get_lock() end
    queue:put(list)
    local got = queue:get()
    assert.are.equal(1000, #got)
    assert.are.equal(4, got[1000].value)
    assert.is_true(rawequal(got[2], got[1000]))
  end)
end)
