-- table.sort in tasks: the same comparisons as Lua's own, with comparators that may wait.
local alike = require "spec.support.alike"
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"
local small = require "spec.support.small"

-- The largest has its pivot chosen by chance.
local SIZES = small({0, 1, 2, 3, 4, 5, 12, 33, 120}, {0, 1, 2, 3, 5, 12})

local function random_list(size, most)
  local list = {}
  for i = 1, size do list[i] = math.random(most) end
  return list
end

local function copy(list)
  return table.move(list, 1, #list, 1, {})
end

-- An object whose items are in `store`; every access is logged and may wait.
local function proxy(store, pause, log)
  return setmetatable({}, {
    __index = function(_, i)
      log("get", i)
      pause()
      return store[i]
    end,
    __newindex = function(_, i, value)
      log("set", i, value)
      pause()
      store[i] = value
    end,
    __len = function()
      log("length")
      pause()
      return #store
    end,
  })
end

-- Items that log and may wait when they are compared.
local function item_maker(pause, log)
  local mt = {}
  function mt.__lt(a, b)
    log(a.value, "<", b.value)
    pause()
    return a.value < b.value
  end
  return function(value) return setmetatable({value = value}, mt) end
end

local function values(list)
  local found = {}
  for i, item in ipairs(list) do found[i] = item.value end
  return found
end

-- Comparators by name; some are no valid order. Each gets a random number generator of its own.
local ORDERS = {
  less = function() return function(a, b) return a < b end end,
  greater = function() return function(a, b) return a > b end end,
  ["by last digit"] = function() return function(a, b) return a % 10 < b % 10 end end,
  ["none at all"] = function() return function() return false end end,
  ["less or equal"] = function() return function(a, b) return a <= b end end,
  always = function() return function() return true end end,
  ["by chance"] = function()
    local n = 12345
    return function()
      n = (n * 1103515245 + 12345) % 2147483648
      return n // 65536 % 2 == 0
    end
  end,
  ["nil and numbers"] = function() return function(a, b) return a < b and 0 or nil end end,
  ["an error in the end"] = function()
    local n = 0
    return function(a, b)
      n = n + 1
      if n == 20 then error("comparison 20") end
      return a < b
    end
  end,
}

describe("table.sort in a task", function()
  for name, order in pairs(ORDERS) do
    case("compares and moves as Lua's own does: " .. name, function()
      for _, size in ipairs(SIZES) do
        for _, most in ipairs {3, 1000000} do
          local list = random_list(size, most)
          alike(function(pause, log)
            local sorted, less = copy(list), order()
            local ok, e = pcall(table.sort, sorted, function(a, b)
              log(a, b)
              pause()
              return less(a, b)
            end)
            return ok, e, table.concat(sorted, " ")
          end)
        end
      end
    end)
  end

  case("sorts what is sorted, reversed or full of equals as Lua's own does", function()
    for _, size in ipairs(SIZES) do
      for _, value in ipairs {
        function(i) return i end, function(i) return -i end, function() return 7 end,
        function(i) return i % 4 end,
      } do
        alike(function(pause, log)
          local list = {}
          for i = 1, size do list[i] = value(i) end
          table.sort(list, function(a, b)
            log(a, b)
            pause()
            return a < b
          end)
          return table.concat(list, " ")
        end)
      end
    end
  end)

  case("sorts without a comparator: numbers, strings, neither", function()
    alike(function() local t = {3, 1, 2.5, -1} table.sort(t) return t end)
    alike(function() local t = {"b", "a", "c", ""} table.sort(t) return t end)
    alike(function() local t = {3, "a", 2} return pcall(table.sort, t) end)
    alike(function() local t = {1, 2, {}} return pcall(table.sort, t) end)
    alike(function() local t = {{}, {}} return pcall(table.sort, t) end)
    alike(function() local t = {true, false, true} return pcall(table.sort, t) end)
    alike(function() return pcall(table.sort, {3, nil, 2, 1}) end)
  end)

  case("waits in __lt of the items", function()
    for _, size in ipairs(SIZES) do
      local numbers = random_list(size, 50)
      local results = alike(function(pause, log)
        local list, item = {}, item_maker(pause, log)
        for i, number in ipairs(numbers) do list[i] = item(number) end
        table.sort(list)
        return values(list)
      end)
      table.sort(numbers)
      assert.are.same(numbers, results[2])
    end
  end)

  case("waits in __lt of one of two operands", function()
    alike(function(pause, log)
      local mt = {__lt = function(a, b)
        log(type(a), type(b))
        pause()
        return type(a) == "number"
      end}
      local list = {setmetatable({}, mt), 1, 3, 2}
      table.sort(list)
      return type(list[4]), list[1], list[2], list[3]
    end)
    alike(function() return pcall(table.sort, {setmetatable({}, {__lt = 1}), 2}) end)
  end)

  case("waits in __index, __newindex and __len of the list", function()
    for _, size in ipairs(SIZES) do
      if size < 100 then
        local numbers = random_list(size, 50)
        alike(function(pause, log)
          local store = copy(numbers)
          table.sort(proxy(store, pause, log))
          table.sort(proxy(store, pause, log), function(a, b)
            log(a, b)
            pause()
            return a > b
          end)
          return store
        end)
      end
    end
  end)

  case("goes through chains of __index and __newindex tables", function()
    alike(function(pause, log)
      local store = {3, 1, 2, 5, 4}
      local inner = proxy(store, pause, log)
      local outer = setmetatable({}, {__index = inner, __newindex = inner, __len = function()
        return 5
      end})
      table.sort(outer)
      return store, next(outer)
    end)
    alike(function()
      local class = {4, 3, 2, 1}
      local list = setmetatable({[5] = 0}, {__index = class, __len = function() return 5 end})
      table.sort(list, function(a, b) return a < b end)
      return class, rawlen(list), list[1], list[5]
    end)
  end)

  case("raises what Lua's own raises", function()
    local big = {__len = function() return math.maxinteger end, __index = function() return 1 end}
    for _, arguments in ipairs {
      {}, {1}, {"text"}, {nil, print}, {{1, 2}, 1}, {{1, 2}, "x"}, {{1}, "x"}, {{1, 2}, {}},
      {setmetatable({}, big)}, {setmetatable({}, {__len = function() return "x" end})},
      {setmetatable({}, {__len = function() return {} end})},
      {setmetatable({}, {__len = function() error("no length") end})},
      {setmetatable({}, {__len = function() return 3 end, __index = 1})},
      {setmetatable({}, {__len = function() return 3 end, __index = function() end})},
      {{1, 2, 3}, function() error("text", 2) end},
        {{1, 2, 3}, function(a) return a.field.field end},
    } do
      local results = alike(function() table.sort(table.unpack(arguments, 1, 2)) end)
      if arguments[1] == nil then
        assert.matches("bad argument #1 to 'sort' %(table expected", results[2])
      end
    end
    alike(function()
      local t = {}
      for i = 1, 50 do t[i] = i end
      table.sort(t, function() return true end)
    end)
  end)

  case("lets other tasks run while a comparator waits", function(t)
    local task = lucio.create_task(function()
      for i = 1, 3 do
        t.log("other", i)
        lucio.sleep(0)
      end
    end)
    local list = {2, 1}
    table.sort(list, function(a, b)
      t.log("compare", a, b)
      lucio.sleep(0)
      lucio.sleep(0)
      t.log("compared")
      return a < b
    end)
    task:await()
    assert.are.same({1, 2}, list)
    t.same_lines {"compare 1 2", "other 1", "other 2", "compared", "other 3"}
  end)

  case("may run in several tasks at once", function()
    local tasks, lists = {}, {}
    for i = 1, 10 do
      local list = random_list(20 + i, 1000)
      lists[i] = {list, copy(list)}
      tasks[i] = lucio.create_task(table.sort, list, function(a, b)
        for _ = 1, (a + b) % 3 do lucio.sleep(0) end
        return a < b
      end)
    end
    lucio.gather(tasks)
    for _, pair in ipairs(lists) do
      table.sort(pair[2])
      assert.are.same(pair[2], pair[1])
    end
  end)

  case("may run in a comparator, in coroutines, in protected calls, deep", function()
    local function nested(depth)
      local list = random_list(4, 100)
      local less = function(a, b)
        lucio.sleep(0)
        if depth > 0 then
          assert(pcall(coroutine.wrap(nested), depth - 1))
        end
        return a < b
      end
      table.sort(list, less)
      for i = 2, #list do assert.is_true(list[i - 1] <= list[i]) end
    end
    nested(3)
  end)

  case("stays in order when list or comparator change meanwhile", function(t)
    local list = random_list(30, 100)
    local n = 0
    local ok = pcall(table.sort, list, function(a, b)
      n = n + 1
      lucio.sleep(0)
      if n == 10 then
        for i = 1, #list do list[i] = nil end
        setmetatable(list, {__index = function() lucio.sleep(0) return 1 end})
      end
      return a < b
    end)
    assert.is_boolean(ok)
    list = random_list(30, 100)
    local sorter = lucio.create_task(table.sort, list, function(a, b)
      lucio.sleep(0)
      return (a or 0) < (b or 0)
    end)
    for _ = 1, 50 do
      list[math.random(40)] = math.random(100)
      list[math.random(30)] = nil
      collectgarbage "step"
      lucio.sleep(0)
    end
    pcall(sorter.await, sorter)
    t.log(sorter:done())
    t.same_lines {"true"}
  end)

  case("is left by a cancellation that is raised in the comparator", function(t)
    local list = {3, 2, 1}
    local task = lucio.create_task(function()
      local ok, e = pcall(table.sort, list, function(a, b)
        t.log("comparing")
        lucio.sleep(10)
        return a < b
      end)
      t.log(ok, lucio.isinstance(e, lucio.CancelledError))
      error(e, 0)
    end)
    lucio.sleep(0)
    task:cancel()
    t.raises(lucio.CancelledError, task.await, task)
    assert.is_true(task:cancelled())
    t.same_lines {"comparing", "false true"}
    assert.are.same({3, 2, 1}, list)
  end)

  case("is left by an error after a wait, and sorts again", function(t)
    for _ = 1, 3 do
      local list, fault = {3, 1, 2}, {}
      t.raises(fault, table.sort, list, function()
        lucio.sleep(0)
        error(fault)
      end)
      table.sort(list, function(a, b)
        lucio.sleep(0)
        return a < b
      end)
      assert.are.same({1, 2, 3}, list)
    end
  end)

  case("is left when its coroutine is closed in an await of the comparator", function(t)
    local co = coroutine.create(function()
      local _ <close> = setmetatable({}, {__close = function() t.log("closed") end})
      table.sort({2, 1}, function() lucio.Future():await() end)
    end)
    lucio.create_task(function()
      coroutine.resume(co)
      t.log("resumed")
    end)
    lucio.sleep(0)
    assert.is_true(coroutine.close(co))
    lucio.sleep(0)
    lucio.sleep(0)
    t.same_lines {"closed", "resumed"}
  end)

  case("lets a comparator yield values from a coroutine", function()
    local list, seen = {3, 1, 2}, {}
    local comparisons = coroutine.wrap(function()
      table.sort(list, function(a, b)
        assert.is_true(coroutine.isyieldable())
        coroutine.yield(a .. "<" .. b)
        lucio.sleep(0)
        return a < b
      end)
    end)
    for text in comparisons do seen[#seen + 1] = text end
    assert.are.same({1, 2, 3}, list)
    assert.are.same({"2<3", "1<2"}, {seen[1], seen[2]})
  end)

  case("TA10: a yield of the comparator at the level of the task raises", function(t)
    t.raises(lucio.RuntimeError, table.sort, {2, 1}, coroutine.yield)
  end)

  case("cannot wait outside of tasks", function(t)
    local e = alike.outside(function()
      return t.raises(lucio.RuntimeError, table.sort, {2, 1}, function() lucio.sleep(0) end)
    end)
    assert.matches("no running task", tostring(e))
  end)

  case("is not blamed when a C function around it is in the way", function(t)
    local queue = lucio.PriorityQueue(0, function(a, b)
      table.sort({2, 1}, function() lucio.sleep(0) end)
      return a < b
    end)
    queue:put_nowait(1)
    local e = t.raises(lucio.RuntimeError, function() queue:put_nowait(2) end)
    assert.matches("sleep: cannot suspend the task across the C function 'put_nowait'", tostring(e))
  end)

  case("sorts objects of several classes, and proxies of objects", function()
    for _, size in ipairs {2, 3, 40, 120} do
      local numbers = random_list(size, 60)
      alike(function(pause, log)
        local makers, list = {item_maker(pause, log), item_maker(pause, log)}, {}
        for i, number in ipairs(numbers) do list[i] = makers[i % 2 + 1](number) end
        local store = copy(list)
        table.sort(list)
        if size < 100 then table.sort(proxy(store, pause, function() end)) end
        return values(list), values(store)
      end)
    end
  end)

  case("raises that an order is none at its caller's line", function()
    alike(function(pause)
      local mt = {__lt = function()
        pause()
        return true
      end}
      local list = {}
      for i = 1, 50 do list[i] = setmetatable({}, mt) end
      return pcall(function() table.sort(list) end)
    end)
  end)

  for _, other in ipairs {1, "x", {}, false} do
    case("raises Lua's own error where an item was replaced by a " .. type(other), function()
      alike(function(pause)
        local list, count = {}, 0
        local mt = {__lt = function(a, b)
          count = count + 1
          if count == 7 then list[2], list[3], list[4] = other, other, other end
          pause()
          return a.n < b.n
        end}
        for i = 1, 9 do list[i] = setmetatable({n = i * 5 % 9}, mt) end
        return pcall(function() table.sort(list) end)
      end)
    end)
  end

  case("keeps the traceback of such an error", function()
    local list = {}
    local mt = {__lt = function()
      list[1], list[2], list[3] = 1, false, 1
      return false
    end}
    for i = 1, 3 do list[i] = setmetatable({}, mt) end
    local task = lucio.create_task(function() table.sort(list) end)
    local ok, e = pcall(task.await, task)
    assert.is_false(ok)
    assert.matches("^attempt to compare", e)
    assert.matches("in function 'table.sort'.*in task 'Task%-%d+'", task:exception().traceback)
  end)

  case("keeps its name in tracebacks and errors", function()
    local trace
    table.sort({2, 1}, function(a, b)
      lucio.sleep(0)
      trace = debug.traceback()
      return a < b
    end)
    assert.matches("in function 'table.sort'", trace)
    assert.not_matches("%?:", trace)
    assert.are.equal("bad argument #1 to 'table.sort' (table expected, got no value)",
      select(2, pcall(table.sort)))
    assert.are.equal("C", debug.getinfo(table.sort, "S").what)
  end)
end)
