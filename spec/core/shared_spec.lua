-- lucio.shared: values and arrays in memory that threads share.
local case = require "spec.support.case"
local lucio = require "lucio"

local shared = lucio.shared

describe("Value", function()
  case("holds one of its type", function(t)
    assert.are.equal(0, shared.Value("i64").value)
    assert.are.equal(math.mininteger, shared.Value("i", math.mininteger).value)
    assert.are.equal(2.0, shared.Value("d", 2).value)
    assert.are.equal("float", math.type(shared.Value("f64", 2).value))
    assert.is_true(shared.Value("bool", true).value)
    assert.are.equal(255, shared.Value("u8", 255).value)
    t.raises(lucio.ValueError, shared.Value, "u8", 256)
    t.raises(lucio.TypeError, shared.Value, "i64", "1")
    t.raises(lucio.TypeError, shared.Value, "bool", 1)
    t.raises(lucio.ValueError, shared.Value, "text")
    t.raises(lucio.ValueError, shared.Value)
  end)

  case("is set by its field", function(t)
    local value = shared.Value("i64", 1)
    value.value = 7
    assert.are.equal("<Value i64 7>", tostring(value))
    t.raises(lucio.TypeError, function() value.other = 1 end)
    t.raises(lucio.TypeError, function() value.value = "x" end)
    assert.is_nil(value.other)
  end)

  case("adds and exchanges in one piece", function(t)
    local value = shared.Value("i64", 1)
    assert.are.same({3, 4}, {value:add(2), value:add()})
    assert.is_true(value:compare_exchange(4, 10))
    assert.is_false(value:compare_exchange(4, 11))
    assert.are.equal(10, value.value)
    assert.are.equal(1.5, shared.Value("f64", 1):add(0.5))
    assert.is_true(shared.Value("bool"):compare_exchange(false, true))
    t.raises(lucio.TypeError, value.add, value, "x")
    local flag = shared.Value("bool")
    t.raises(lucio.TypeError, flag.add, flag, 1)
  end)

  case("loses no addition of four threads", function()
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 4}
    local sum, locked = shared.Value("i64"), shared.Value("i64")
    local function work()
      for _ = 1, 2000 do
        sum:add(1)
        local _ <close> = locked:get_lock():acquire()
        locked.value = locked.value + 1
      end
    end
    lucio.gather(pool:submit(work), pool:submit(work), pool:submit(work), pool:submit(work))
    assert.are.same({8000, 8000}, {sum.value, locked.value})
  end)
end)

describe("the lock", function()
  case("is taken again by the thread that has it", function(t)
    local lock = shared.Value("i64"):get_lock()
    assert.are.equal(lock, lock:acquire())
    lock:acquire()
    lock:release()
    lock:release()
    t.raises(lucio.RuntimeError, lock.release, lock)
  end)

  case("is taken over from a thread that ended with it", function()
    local value = shared.Value("i64")
    do
      local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1}
      pool:submit(function() value:get_lock():acquire() end):await()
    end
    local _ <close> = value:get_lock():acquire()
  end)
end)

describe("Lock and RLock", function()
  case("keep threads apart, and cross as themselves", function(t)
    local lock, sum = shared.Lock(), shared.Array("i64", 1)
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 3}
    local function work(same)
      for _ = 1, 1000 do
        local _ <close> = lock:acquire()
        sum[1] = sum[1] + 1
      end
      return same:try_acquire() and same:release()
    end
    lucio.gather(pool:submit(work, lock), pool:submit(work, lock), pool:submit(work, lock))
    assert.are.equal(3000, sum[1])
    lock:acquire()
    assert.is_false(pool:submit(function() return lock:try_acquire() end):await())
    t.raises("this thread holds the lock already", lock.acquire, lock)
    assert.is_false(lock:try_acquire())
    lock:release()
    t.raises(lucio.RuntimeError, lock.release, lock)
    t.raises(lucio.TypeError, shared.Lock, 1)
  end)

  case("RLock is taken again by the thread that has it", function()
    local lock = shared.RLock()
    local _ <close> = lock:acquire()
    assert.is_true(lock:try_acquire())
    lock:release()
    assert.is_false(lucio.to_thread(function() return lock:try_acquire() end))
  end)
end)

describe("Array", function()
  case("has a length and elements from 1 on", function(t)
    local array = shared.Array("f64", {1, 2.5})
    assert.are.same({2, 1.0, 2.5}, {#array, array[1], array[2]})
    assert.is_nil(array[0])
    assert.is_nil(array[3])
    array[2] = 4
    local seen = {}
    for i, x in ipairs(array) do seen[i] = x end
    assert.are.same({1.0, 4.0}, seen)
    t.raises(lucio.LookupError, function() array[3] = 1 end)
    t.raises(lucio.TypeError, function() array[1] = "x" end)
    t.raises(lucio.TypeError, array.add, array, 1)
    assert.are.equal(1000, #shared.Array("u8", 1000))
    assert.are.equal("<Array u8 of 0>", tostring(shared.Array("u8", 0)))
    t.raises(lucio.ValueError, shared.Array, "u8", -1)
    t.raises(lucio.TypeError, shared.Array, "u8")
    t.raises(lucio.TypeError, shared.Array, "bool", {1})
  end)
end)
