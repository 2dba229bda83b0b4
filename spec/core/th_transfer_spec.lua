-- What crosses to a worker and back, and what is refused (API.md, "Executors and shared memory").
local case = require "spec.support.case"
local limit = require "spec.support.limit"
local lucio = require "lucio"
local small = require "spec.support.small"

local function same(...) return ... end

-- Whether the value comes back equal, and not as the same object.
local function crosses(value)
  local back = lucio.to_thread(same, value)
  assert.are.same(value, back)
  assert.are.equal(math.type(value), math.type(back))
end

describe("values", function()
  case("nil, booleans, numbers and strings cross exactly", function()
    for _, value in ipairs {true, false, 0, -1, math.maxinteger, math.mininteger, 0.1, -0.0, 1e308,
      math.huge, 1.0, "", "text", "\0binary\255", ("long"):rep(50000)} do crosses(value) end
    assert.are.same({nil, 1, nil, n = 3}, table.pack(lucio.to_thread(same, nil, 1, nil)))
    local nan = lucio.to_thread(same, 0 / 0)
    assert.is_true(nan ~= nan)
    assert.are.equal("-inf", tostring(1 / lucio.to_thread(same, -0.0)))
  end)

  case("tables cross with all of their fields", function()
    crosses {}
    crosses {1, 2, 3, {4, {5}}}
    crosses {x = 1, [2.5] = "y", [true] = {z = false}, [-1] = 0, [100] = 1}
    crosses {1, nil, 3, n = 3}
  end)

  case("what is shared stays shared, and cycles close", function()
    local part = {}
    local whole = {part, part, [part] = "key"}
    whole.self = whole
    local back, again = lucio.to_thread(same, whole, part)
    assert.are.equal(back[1], back[2])
    assert.are.equal(back, back.self)
    assert.are.equal("key", back[back[1]])
    assert.are.equal(back[1], again)
    assert.are_not.equal(whole, back)
  end)

  case("no depth is too deep", function()
    local list, n = nil, small(100000, 20000)
    for i = 1, n do list = {i, list} end
    local back, count = lucio.to_thread(same, list), 0
    while back do back, count = back[2], count + 1 end
    assert.are.equal(n, count)
  end)

  case("many and long strings cross", function()
    local list = {}
    for i = 1, 20 do list[i] = string.char(64 + i):rep(70000) end
    crosses(list)
  end)
end)

describe("functions", function()
  case("cross with the upvalues that are plain data", function()
    local n, t = 5, {x = 1}
    assert.are.equal(7, lucio.to_thread(function(m) return n + m + t.x end, 1))
  end)

  case("call themselves and each other", function()
    local even, odd
    function even(n) if n == 0 then return true end return odd(n - 1) end
    function odd(n) if n == 0 then return false end return even(n - 1) end
    assert.is_true(lucio.to_thread(even, 10))
  end)

  case("share the upvalues that they share here", function()
    local count = 0
    local function add() count = count + 1 end
    assert.are.equal(2, lucio.to_thread(function()
      add()
      add()
      return count
    end))
    assert.are.equal(0, count)
  end)

  case("are new ones for each job when they have upvalues", function()
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1}
    local count = 0
    local function job() count = count + 1 return count end
    assert.are.equal(1, pool:submit(job):await())
    assert.are.equal(1, pool:submit(job):await())
  end)

  case("come back as results", function()
    local add = lucio.to_thread(function(n) return function(m) return n + m end end, 3)
    assert.are.equal(7, add(4))
  end)

  case("see the worker's globals as _ENV", function()
    _G.only_here = "here"
    assert.is_nil(lucio.to_thread(function() return _G.only_here, only_here end)) -- luacheck: ignore
    _G.only_here = nil
  end)

  case("modules and their C functions cross by name", function()
    local insert, floor = table.insert, math.floor
    local modules = {string, math, lucio}
    assert.are.same({{1, 4}, 2, true}, lucio.to_thread(function(list)
      local t = {1}
      insert(t, 4)
      return {t, floor(2.5), list[1] == string and list[2] == math and list[3].run == lucio.run}
    end, modules))
    assert.are.equal(math.floor, lucio.to_thread(same, math.floor))
  end)

  case("shared memory crosses as itself, also inside of tables", function()
    local value, array = lucio.shared.Value("f64", 1.5), lucio.shared.Array("i64", {1, 2, 3})
    lucio.to_thread(function(t)
      value.value = value.value * 2
      t.array[2] = 20
    end, {array = array})
    assert.are.equal(3.0, value.value)
    assert.are.equal(20, array[2])
  end)
end)

describe("errors", function()
  local Own = lucio.exception("Own", lucio.ValueError)
  local Deeper = lucio.exception("Deeper", Own)

  case("cross with class, arguments, fields and cause", function()
    local e = Deeper("message", 2, {3})
    e.cause = lucio.TypeError("cause")
    e.extra = "field"
    local back = lucio.to_thread(same, e)
    assert.is_true(lucio.isinstance(back, Deeper) and lucio.isinstance(back, Own))
    assert.are.same({"message", 2, 3, "cause", "TypeError", "field"},
      {tostring(back), back.args[2], back.args[3][1], back.cause.message, back.cause.name,
        back.extra})
  end)

  case("classes of a script are known again", function()
    local class = lucio.to_thread(function(class)
      assert(class.parent == Own and Own.parent == lucio.ValueError)
      return class
    end, Deeper)
    assert.are.equal(Deeper, class)
    local Twin = lucio.exception("Own", lucio.ValueError)
    local a, b = lucio.to_thread(function() return Own("a"), Twin("b") end)
    assert.is_true(lucio.isinstance(a, Own) and lucio.isinstance(b, Twin))
    assert.is_false(lucio.isinstance(a, Twin) or lucio.isinstance(b, Own))
  end)

  case("a class made in the worker is a class here", function()
    local ok, e = pcall(lucio.to_thread, function()
      error(lucio.exception("There", lucio.LookupError)("lost"))
    end)
    assert.is_false(ok)
    assert.are.same({"There", true}, {e.name, lucio.isinstance(e, lucio.LookupError)})
  end)

  case("groups cross with their members", function()
    local group = lucio.ExceptionGroup("both", {Own("a"), lucio.ExceptionGroup("in", {Own("b")})})
    local back = lucio.to_thread(same, group)
    assert.are.equal("both (2 sub-exceptions)", tostring(back))
    assert.are.equal("b", back.exceptions[2].exceptions[1].message)
    assert.is_not_nil(back:split(Own))
  end)

  case("a value that is no error object is raised as it is", function(t)
    local ok, e = pcall(lucio.to_thread, function() error({code = 7}) end)
    assert.are.same({false, {code = 7}}, {ok, e})
    t.raises("nil", lucio.to_thread, function() error(nil) end) -- as in a task (LG9)
    t.raises(lucio.CancelledError, lucio.to_thread, function() error(lucio.CancelledError()) end)
  end)

  case("what an error cannot take along becomes text", function()
    local _, e = pcall(lucio.to_thread, function()
      error(lucio.ValueError("no", coroutine.create(print)))
    end)
    assert.are.equal("no", e.message)
    assert.truthy(tostring(e.args[2]):find("^thread"))
  end)
end)

describe("what cannot cross", function()
  local function refused(text, fn, ...)
    local ok, e = pcall(lucio.to_thread, fn, ...)
    assert.is_false(ok)
    assert.are.same({"TypeError", text}, {e.name, e.message})
  end

  case("is named with its place", function()
    local co = coroutine.create(print)
    refused("bad argument #2 to 'to_thread' (coroutine cannot be passed to a worker)", same, co)
    refused("bad argument #3 to 'to_thread' (field 'x' item 2: coroutine cannot be passed to a " ..
      "worker)", same, {}, {x = {1, co}})
    refused("bad argument #1 to 'to_thread' (upvalue 'co': coroutine cannot be passed to a worker)",
      function() return co end)
    refused("bad argument #2 to 'to_thread' (table with a metatable cannot be passed to a worker)",
      same, setmetatable({}, {}))
    refused("bad argument #2 to 'to_thread' (FILE* cannot be passed to a worker)", same, io.stdout)
    refused("bad argument #2 to 'to_thread' (C function that no loaded module has cannot be " ..
      "passed to a worker)", same, string.gmatch("", ""))
    refused("bad argument #1 to 'to_thread' (async function cannot be passed to a worker)",
      lucio.async(same))
  end)

  case("is found in functions of functions", function()
    local task = lucio.current_task()
    local function inner() return task end
    refused("bad argument #1 to 'to_thread' (upvalue 'inner' upvalue 'task': lucio.task " ..
      "cannot be passed to a worker)", function() return inner() end)
  end)

  case("are classes that a script has spoilt", function(t)
    local Lost, Round = lucio.exception("Lost"), lucio.exception("Round")
    Lost.parent, Round.parent = nil, Round
    t.raises(lucio.TypeError, lucio.to_thread, same, Lost)
    t.raises(lucio.TypeError, lucio.to_thread, same, Round)
    local Named = lucio.exception("Named")
    Named.name = {}
    assert.are.equal(Named, (lucio.to_thread(same, Named)))
    assert.is_false((pcall(lucio.to_thread, function()
      local Own = lucio.exception("Own")
      Own.parent = nil
      error(Own("x"))
    end)))
  end)

  case("is refused as a result", function()
    refused("result #2 of the job (field 'x': coroutine cannot leave a worker)", function()
      return 1, {x = coroutine.create(print)}
    end)
  end)
end)

describe("thread_local", function()
  case("is another table in each thread, kept between its jobs", function()
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1}
    local data = lucio.thread_local()
    data.x = "main"
    local function job()
      local before = data.x
      data.x = "worker"
      return before, data.x
    end
    assert.are.same({nil, "worker", n = 2}, table.pack(pool:submit(job):await()))
    assert.are.same({"worker", "worker", n = 2}, table.pack(pool:submit(job):await()))
    assert.are.equal("main", data.x)
  end)
end)

describe("long strings", function()
  case("cross as they are, though their owner lets them go at once", function()
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 2}
    local futures = {}
    for i = 1, 40 do
      local long = ("%5d"):format(i):rep(30000)
      futures[i] = pool:submit(function(text, t)
        return #long, text:sub(1, 5), t[1] == text, t.key[text], long:sub(-5)
      end, long, {long, key = {[long] = "key"}})
      if i % 4 == 0 then futures[i]:cancel() end
    end
    collectgarbage()
    for i, future in ipairs(futures) do
      local text = ("%5d"):format(i)
      if i % 4 == 0 then
        assert.is_false((pcall(future.await, future)))
      else
        assert.are.same({150000, text, true, "key", text}, {future:await()})
      end
    end
  end)

  case("come back as they are, though their worker goes on with other jobs", function()
    local pool <close> = lucio.ThreadPoolExecutor{max_workers = 2}
    local function make(i)
      local kb = ({64, 100, 200, 64, 600, 70})[i % 6 + 1]
      local text = ("%5d"):format(i):rep(kb * 1024 // 5 + 1)
      collectgarbage("step")
      return text, {text, [text] = i}, text:sub(1, 1000)
    end
    local futures = {}
    for i = 1, small(60, 20) do
      futures[i] = pool:submit(make, i)
      if i % 7 == 0 then futures[i]:cancel() end
    end
    for i, future in ipairs(futures) do
      if i % 7 == 0 then
        assert.is_false((pcall(future.await, future)))
      else
        local text, list, start = future:await()
        local expected = ("%5d"):format(i):rep(#text // 5)
        assert.is_true(text == expected and list[1] == text and list[text] == i)
        assert.are.equal(expected:sub(1, 1000), start)
      end
      futures[i] = nil
    end
  end)

  case("come back from workers that end while the loop is busy", function()
    local count = lucio.shared.Value("i64")
    local function make(i)
      count:add(1)
      return ("%5d"):format(i):rep(20000)
    end
    local pool, futures = lucio.ThreadPoolExecutor{max_workers = 2}, {}
    for i = 1, 20 do futures[i] = pool:submit(make, i) end
    pool:shutdown{wait = false}
    local last = os.time() + limit
    while count.value < 20 and os.time() < last do end -- luacheck: ignore 542
    for i, future in ipairs(futures) do assert.is_true(future:await() == make(i)) end
  end)

  it("are not lost when the loop has closed before it has read them", function()
    for _ = 1, 20 do
      local pool = lucio.ThreadPoolExecutor{max_workers = 2}
      for round = 1, 2 do
        local runner <close> = lucio.Runner()
        local left = runner:run(function()
          local future
          for i = 1, 12 do
            future = pool:submit(string.rep, "x", 65536 + i)
          end
          return round == 2 and future:await()
        end)
        assert.is_true(not left or #left == 65536 + 12)
      end
    end
    collectgarbage()
  end)

  it("are copied when the loop closes", function()
    for _ = 1, 20 do
      local runner <close> = lucio.Runner()
      local pool = lucio.ThreadPoolExecutor{max_workers = 2}
      runner:run(function()
        for i = 1, 6 do pool:submit(string.len, ("%5d"):format(i):rep(200000)) end
      end)
      runner:close()
      collectgarbage()
    end
  end)
end)
