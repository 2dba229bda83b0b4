-- Bad input: each raises the specified error, and the host goes on.
local case = require "spec.support.case"
local child = require "spec.support.child"
local lucio = require "lucio"

local NAN = 0 / 0

local function no_op() end

local function has(text, part)
  assert.is_truthy(text:find(part, 1, true), string.format("%q lacks %q", text, part))
end

local function pending()
  return lucio.Future()
end

describe("a bad argument", function()
  local loop_call = function(name)
    return function(...)
      local loop = lucio.get_running_loop()
      return loop[name](loop, ...)
    end
  end

  local function method(make, name)
    return function(...)
      local object = make()
      return object[name](object, ...)
    end
  end

  -- function, position, what came, arguments; where it is fixed also what is expected
  local calls = {
    {"wait_for", 1, "nil", {nil, 1, n = 2}, expected = "awaitable"},
    {"wait_for", 1, "number", {42, 1}, expected = "awaitable"},
    {"wait_for", 2, "string", {no_op, "1"}, expected = "number"},
    {"await", 1, "number", {42}, expected = "awaitable"},
    {"await", 1, "table", {{}}, expected = "awaitable"},
    {"create_task", 1, "boolean", {true}},
    {"gather", 1, "string", {"text"}, expected = "awaitable"},
    {"gather", 2, "number", {no_op, 42}, expected = "awaitable"},
    {"shield", 1, "nil", {nil, n = 1}, expected = "awaitable"},
    {"wait", 1, "number", {42}},
    {"as_completed", 1, "string", {"text"}},
    {"sleep", 1, "string", {"soon"}, expected = "number"},
    {"timeout", 1, "string", {"soon"}, expected = "number"},
    {"timeout_at", 1, "table", {{}}, expected = "number"},
    {"async", 1, "nil", {nil, n = 1}, expected = "function"},
    {"Queue", 1, "string", {"10"}},
    {"Semaphore", 1, "table", {{}}},
    {"Barrier", 1, "string", {"two"}},
    {"call_soon", 1, "number", {42}, fn = loop_call "call_soon"},
    {"call_soon_threadsafe", 1, "nil", {nil, n = 1}, fn = loop_call "call_soon_threadsafe"},
    {"BaseExceptionGroup", 2, "nil", {"text"}, expected = "list of errors"},
    {"call_later", 1, "string", {"soon", no_op}, fn = loop_call "call_later", expected = "number"},
    {"call_later", 2, "nil", {1, nil, n = 2}, fn = loop_call "call_later"},
    {"call_at", 2, "boolean", {1, true}, fn = loop_call "call_at"},
    {"create_task", 1, "number", {42}, fn = loop_call "create_task"},
    {"set_exception_handler", 1, "number", {42}, fn = loop_call "set_exception_handler"},
    {"set_task_factory", 1, "string", {"text"}, fn = loop_call "set_task_factory"},
    {"add_done_callback", 1, "number", {42}, fn = method(pending, "add_done_callback")},
    {"set_exception", 1, "number", {42}, fn = method(pending, "set_exception")},
  }

  for _, call in ipairs(calls) do
    local name, position, came, args = table.unpack(call)
    case(string.format("#%d of %s is named, with what was expected and came: %s", position, name,
      came), function(t)
        local before = lucio.stats().tasks
        local fn = call.fn or lucio[name]
        local e = t.raises(lucio.TypeError, fn, table.unpack(args, 1, args.n or #args))
        local text = tostring(e)
        has(text, string.format("bad argument #%d to '%s' (", position, name))
        has(text, "(" .. (call.expected or ""))
        has(text, string.format(" expected, got %s)", came))
        assert.are.equal(before, lucio.stats().tasks)
        assert.are.equal(0, t.tick())
      end)
  end

  case("as the object of a method is a TypeError", function(t)
    local objects = {
      {lucio.Future(), "done"}, {lucio.current_task(), "cancel"}, {lucio.Lock(), "release"},
      {lucio.Queue(), "qsize"}, {lucio.Event(), "set"}, {lucio.get_running_loop(), "stop"},
      {lucio.get_running_loop():call_soon(no_op), "cancel"},
    }
    for _, entry in ipairs(objects) do
      local fn = entry[1][entry[2]]
      t.raises(lucio.TypeError, fn)
      t.raises(lucio.TypeError, fn, 42)
      t.raises(lucio.TypeError, fn, {})
      t.raises(lucio.TypeError, fn, io.stdout)
    end
  end)

  it("of run is a TypeError", function()
    for _, value in ipairs {42, "text", {}, true} do
      local ok, e = pcall(lucio.run, value)
      assert.is_false(ok)
      assert.is_true(lucio.isinstance(e, lucio.TypeError), tostring(e))
      has(tostring(e), "bad argument #1 to 'run' (")
    end
    assert.are.equal("fine", lucio.run(function() return "fine" end))
  end)
end)

-- A class and its metatable are tables that a script can get at, and so are their functions.
describe("a metamethod of an error class", function()
  local values = {5, true, "text", {}, print, io.stdout, coroutine.create(no_op), lucio.Lock()}
  local group = lucio.ExceptionGroup("group", {lucio.ValueError("a")})

  it("is refused by what is no class, group or error", function()
    local calls = {
      __call = getmetatable(lucio.ValueError).__call,
      split = group.split, subgroup = group.subgroup, derive = group.derive,
    }
    for name, fn in pairs(calls) do
      for _, value in ipairs(values) do
        local ok, e = pcall(fn, value, {}, 1)
        assert.is_false(ok)
        assert.is_true(lucio.isinstance(e, lucio.TypeError), tostring(e))
        has(tostring(e), "calling '" .. name .. "' on bad self (")
      end
    end
    for _, value in ipairs(values) do
      if type(value) ~= "table" then
        assert.is_false((pcall(lucio.ExceptionGroup.__newindex, value, "key", 1)))
      end
    end
  end)

  it("makes a text of whatever it is given", function()
    for _, value in ipairs(values) do
      assert.are.equal("", lucio.ValueError.__tostring(value))
      assert.are.equal("", lucio.ExceptionGroup.__tostring(value))
      assert.are.equal("string", type(getmetatable(lucio.ValueError).__tostring(value)))
    end
  end)
end)

describe("a NaN", function()
  local places = {
    sleep = function() lucio.sleep(NAN) end,
    call_later = function() lucio.get_running_loop():call_later(NAN, no_op) end,
    call_at = function() lucio.get_running_loop():call_at(NAN, no_op) end,
    timeout = function() lucio.timeout(NAN) end,
    timeout_at = function() lucio.timeout_at(NAN) end,
    reschedule = function()
      local scope <close> = lucio.timeout(1)
      scope:reschedule(NAN)
    end,
    wait_for = function() lucio.wait_for(no_op, NAN) end,
    wait = function() lucio.wait({pending()}, {timeout = NAN}) end,
    as_completed = function()
      for _ in lucio.as_completed({pending()}, {timeout = NAN}) do error("an item") end
    end,
  }

  for place, act in pairs(places) do
    case("given to " .. place .. " is a ValueError", function(t)
      t.raises(lucio.ValueError, act)
      assert.are.equal(0, t.tick())
    end)
  end
end)

describe("awaiting outside of a task", function()
  local waits = {
    ["a future"] = function() pending():await() end,
    ["lucio.await of a future"] = function() lucio.await(pending()) end,
    ["sleep"] = function() lucio.sleep(1) end,
    ["sleep of 0"] = function() lucio.sleep(0) end,
    ["a queue"] = function() lucio.Queue():get() end,
    ["an event"] = function() lucio.Event():wait() end,
    ["gather"] = function() lucio.gather(pending()) end,
    ["wait"] = function() lucio.wait {pending()} end,
  }

  for what, wait in pairs(waits) do
    case("raises RuntimeError in a callback: " .. what, function(t)
      local loop = lucio.get_running_loop()
      local f = pending()
      loop:call_soon(function() t.raises(lucio.RuntimeError, wait) end)
      loop:call_later(0, function() t.raises(lucio.RuntimeError, wait) end)
      f:add_done_callback(function()
        t.raises(lucio.RuntimeError, wait)
        t.raises(lucio.RuntimeError, coroutine.wrap(wait))
        t.log("done")
      end)
      f:set_result()
      lucio.sleep(0)
      lucio.sleep(0)
      t.same_lines {"done"}
    end)
  end

  -- The command runs this file inside a task, stock Lua does not.
  if not pcall(lucio.get_running_loop) then
    it("raises RuntimeError outside of a loop", function()
      for _, fn in ipairs {lucio.sleep, lucio.gather, lucio.await} do
        local ok, e = pcall(fn, fn == lucio.sleep and 0 or lucio.async(lucio.sleep)(0))
        assert.is_false(ok)
        assert.is_true(lucio.isinstance(e, lucio.RuntimeError), tostring(e))
      end
    end)
  end
end)

describe("a foreign yield", function()
  case("raises RuntimeError one tick later, whatever is yielded", function(t)
    for i, value in ipairs {1, "text", {}, print, lucio.Future()} do
      t.raises(lucio.RuntimeError, coroutine.yield, value)
      assert.are.equal(i, t.tick())
    end
  end)

  -- A yield kept from before lucio replaced it cannot be made to raise; it ends the task.
  it("ends the task at least, cleaned up, though Lua's own yield was kept", function()
    local r = child.run([[
      local yield = coroutine.yield
      local lucio = require "lucio"
      lucio.run(function()
        for _, value in ipairs {1, "text", {}, print} do
          local task = lucio.create_task(function()
            local _ <close> = setmetatable({}, {__close = function()
              lucio.sleep(0)
              io.write("closed ")
            end})
            yield(value)
          end)
          local ok, e = pcall(task.await, task)
          print(ok, lucio.isinstance(e, lucio.RuntimeError))
        end
        print(lucio.sleep(0, "goes on"))
      end)
    ]])
    assert.are.equal(("closed false\ttrue\n"):rep(4) .. "goes on\n", r.stdout, r.stderr)
  end)

  case("is still the generator's own in a generator", function()
    local generator = coroutine.wrap(function()
      coroutine.yield(1, nil, 3)
      lucio.sleep(0)
      coroutine.yield(lucio.current_task())
    end)
    assert.are.same(table.pack(1, nil, 3), table.pack(generator()))
    assert.are.equal(lucio.current_task(), generator())
  end)

  case("cannot advance a generator that waits for another task", function(t)
    local f = pending()
    local generator = coroutine.wrap(function() return f:await() end)
    local first = lucio.create_task(generator)
    local second = lucio.create_task(generator)
    lucio.wait({second})
    assert.is_false(first:done())
    assert.is_not_nil(second:exception())
    f:set_result("value")
    assert.are.equal("value", first:await())
    assert.are.equal(0, #t.reports)
  end)
end)

describe("a primitive", function()
  case("that is not held cannot be released", function(t)
    local lock = lucio.Lock()
    t.raises(lucio.RuntimeError, lock.release, lock)
    do
      local _ <close> = lock:acquire()
    end
    t.raises(lucio.RuntimeError, lock.release, lock)
    local condition = lucio.Condition()
    t.raises(lucio.RuntimeError, condition.release, condition)
    t.raises(lucio.RuntimeError, condition.notify, condition)
    t.raises(lucio.RuntimeError, condition.wait, condition)
    local semaphore = lucio.BoundedSemaphore(1)
    t.raises(lucio.ValueError, semaphore.release, semaphore)
    lock:acquire()
    assert.is_true(lock:locked())
  end)

  for _, name in ipairs {"Queue", "LifoQueue", "PriorityQueue"} do
    case("needs an integer as maxsize: " .. name, function(t)
      for _, value in ipairs {"10", {}, true, no_op} do
        t.raises(lucio.TypeError, lucio[name], value)
      end
      assert.is_false((pcall(lucio[name], 1.5)))
      assert.is_false((pcall(lucio[name], NAN)))
      assert.are.equal(3, lucio[name](3).maxsize)
      assert.are.equal(3, lucio[name](3.0).maxsize)
    end)
  end

  case("needs a count in its range", function(t)
    t.raises(lucio.ValueError, lucio.Semaphore, -1)
    t.raises(lucio.ValueError, lucio.BoundedSemaphore, -1)
    t.raises(lucio.ValueError, lucio.Barrier, 0)
    local q = lucio.Queue()
    t.raises(lucio.ValueError, q.task_done, q)
  end)
end)

describe("a running loop", function()
  case("is not closed by a task or a callback", function(t)
    local loop = lucio.get_running_loop()
    t.raises(lucio.RuntimeError, loop.close, loop)
    loop:call_soon(function() t.raises(lucio.RuntimeError, loop.close, loop) end)
    lucio.sleep(0)
    assert.is_false(loop:is_closed())
  end)
end)

describe("an unknown option", function()
  local calls = {
    return_exception = function(f) lucio.gather {f, return_exception = true} end,
    timout = function(f) lucio.wait({f}, {timout = 1}) end,
    return_wen = function(f) lucio.wait({f}, {return_wen = lucio.FIRST_COMPLETED}) end,
    timeot = function(f) lucio.as_completed({f}, {timeot = 1}) end,
    nmae = function(f) lucio.create_task {f, nmae = "x"} end,
    debgu = function() lucio.Runner {debgu = true} end,
    bakend = function() lucio.new_event_loop {bakend = "epoll"} end,
  }

  for option, call in pairs(calls) do
    case("is an error that names it: " .. option, function(t)
      local before = lucio.stats()
      local ran = false
      local e = t.raises(lucio.Exception, call, function() ran = true end)
      has(tostring(e), option)
      assert.are.equal(before.tasks, lucio.stats().tasks)
      assert.are.equal(before.loops, lucio.stats().loops)
      lucio.sleep(0)
      lucio.sleep(0)
      assert.is_false(ran)
    end)
  end

  case("of the wrong type is an error too", function(t)
    t.raises(lucio.TypeError, lucio.wait, {pending()}, {timeout = "1"})
    t.raises(lucio.Exception, lucio.wait, {pending()}, {return_when = "SOME"})
    t.raises(lucio.TypeError, lucio.wait, {pending()}, 5)
    assert.are.equal(0, t.tick())
  end)
end)

describe("a hole in a list", function()
  local calls = {
    gather = lucio.gather, wait = lucio.wait, as_completed = lucio.as_completed,
  }

  for name, fn in pairs(calls) do
    case("is a TypeError naming the index: " .. name, function(t)
      local before = lucio.stats().tasks
      local ran = false
      local function body() ran = true end
      local e = t.raises(lucio.TypeError, fn, {body, body, nil, body, n = 4})
      has(tostring(e), "3")
      e = t.raises(lucio.TypeError, fn, table.pack(body, nil))
      has(tostring(e), "2")
      assert.are.equal(before, lucio.stats().tasks)
      lucio.sleep(0)
      assert.is_false(ran)
    end)
  end
end)

describe("a call that fails", function()
  local calls = {
    gather = function(x) lucio.gather(x, 42) end,
    ["gather of a list"] = function(x) lucio.gather {x, 42} end,
    wait = function(x) lucio.wait {x, 42} end,
    as_completed = function(x) lucio.as_completed {x, 42} end,
    wait_for = function(x) lucio.wait_for(x, {}) end,
    create_task = function(x) lucio.create_task {x, context = 42} end,
    ["a group's create_task"] = function()
      local group <close> = lucio.TaskGroup()
      group:create_task(42)
    end,
  }

  for name, call in pairs(calls) do
    case("leaves no half-made task behind: " .. name, function(t)
      local before = lucio.stats().tasks
      local ran = 0
      local coroutine = lucio.async(function() ran = ran + 1 end)()
      assert.is_false((pcall(call, coroutine)))
      assert.are.equal(before, lucio.stats().tasks)
      assert.are.equal(1, #lucio.all_tasks())
      lucio.sleep(0)
      lucio.sleep(0)
      assert.are.equal(0, ran)
      -- the coroutine was not touched
      lucio.await(coroutine)
      assert.are.equal(1, ran)
      t.raises(lucio.RuntimeError, lucio.await, coroutine)
    end)
  end
end)
