-- Where an error was raised and the way it took: its `traceback`.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

local ValueError = lucio.ValueError

-- The lines of a traceback without places: what each level is called, and the lines in brackets.
local function parts(text)
  local found = {}
  assert.matches("^stack traceback:\n", text)
  for line in text:gmatch("\n\t([^\n]*)") do
    local what = line:match(": in .-'(.-)'$") or line:match(": in (function) <")
      or line:gsub(" created at .*", ")")
    found[#found + 1] = what
  end
  return found
end

-- The same up to the end of the task with this name.
local function way(text, name)
  local found = parts(text)
  for i = 1, #found do
    if found[i] == "(in task '" .. name .. "')" then return table.move(found, 1, i, 1, {}) end
  end
  error("no task '" .. name .. "' in\n" .. text)
end

local function here()
  return debug.getinfo(2, "l").currentline
end

local function deep(e) error(e or ValueError("deep")) end

local function slow(e)
  lucio.sleep(1)
  deep(e)
  return 1
end

-- Runs fn as a task named "outer", returns the error that ends it.
local function fails(fn, ...)
  local task = lucio.create_task{fn, ..., name = "outer"}
  lucio.wait{task}
  return task:exception()
end

describe("the traceback of an error", function()
  case("ends each task's part with the task and the line that created it", function()
    local line
    local e = fails(function()
      local inner
      inner, line = lucio.create_task{slow, name = "inner"}, here()
      return inner:await()
    end)
    assert.are.same({
      "error", "deep", "function", "(in task 'inner')",
      "await", "function", "(in task 'outer')",
    }, way(e.traceback, "outer"))
    assert.matches("%(in task 'inner' created at %S*_spec.lua:" .. line .. "%)", e.traceback)
  end)

  case("shows that a function was called last", function()
    local e = fails(function() return slow() end)
    assert.are.same({"error", "deep", "slow", "(...tail calls...)", "(in task 'outer')"},
      way(e.traceback:gsub("in function <[^\n]*", "in function 'slow'"), "outer"))
  end)

  case("goes through gather", function()
    local e = fails(function()
      lucio.gather(lucio.create_task{slow, name = "inner"}, lucio.Future())
    end)
    assert.are.same({
      "error", "deep", "function", "(in task 'inner')",
      "lucio.gather", "function", "(in task 'outer')",
    }, way(e.traceback, "outer"))
  end)

  case("goes through wait_for, of a task and in the calling task", function()
    local e = fails(function()
      lucio.wait_for(lucio.create_task{slow, name = "inner"}, 10)
    end)
    assert.are.same({
      "error", "deep", "function", "(in task 'inner')",
      "lucio.wait_for", "function", "(in task 'outer')",
    }, way(e.traceback, "outer"))
    e = fails(function() lucio.wait_for(slow, 10) end)
    assert.are.same({
      "error", "deep", "function", "lucio.await", "lucio.wait_for", "function", "(in task 'outer')",
    }, way(e.traceback, "outer"))
  end)

  case("goes through shield, as_completed and result", function()
    local inner
    local function awaits(e)
      assert.are.same({
        "error", "deep", "function", "(in task 'inner')",
        "await", "function", "(in task 'outer')",
      }, way(e.traceback, "outer"))
    end
    awaits(fails(function()
      lucio.shield(lucio.create_task{slow, name = "inner"}):await()
    end))
    awaits(fails(function()
      inner = lucio.create_task{slow, name = "inner"}
      for future in lucio.as_completed{inner} do future:await() end
    end))
    local e = fails(function()
      inner = lucio.create_task{slow, name = "inner"}
      lucio.wait{inner}
      inner:result()
    end)
    assert.are.same({
      "error", "deep", "function", "(in task 'inner')",
      "result", "function", "(in task 'outer')",
    }, way(e.traceback, "outer"))
  end)

  case("goes through coroutines", function()
    local e = fails(function()
      for _ in coroutine.wrap(function()
        coroutine.yield(1)
        slow()
      end) do lucio.sleep(0) end
    end)
    assert.are.same({
      "error", "deep", "slow", "function", "(in a coroutine)",
      "for iterator", "function", "(in task 'outer')",
    }, way(e.traceback, "outer"))
    e = fails(function()
      local co = coroutine.create(slow)
      local ok, err = coroutine.resume(co)
      assert(not ok)
      error(err, 0)
    end)
    assert.are.same({
      "error", "deep", "function", "(in a coroutine)", "error", "function", "(in task 'outer')",
    }, way(e.traceback, "outer"))
  end)

  case("goes through async generators", function()
    local e = fails(function()
      for _ in lucio.generator(function()
        coroutine.yield(1)
        lucio.create_task{slow, name = "inner"}:await()
      end) do lucio.sleep(0) end
    end)
    assert.are.same({
      "error", "deep", "function", "(in task 'inner')",
      "await", "function", "(in an async generator)",
      "for iterator", "function", "(in task 'outer')",
    }, way(e.traceback, "outer"))
  end)

  case("of a TaskGroup's error says where its block was, also when the error ended it", function()
    local e = fails(function()
      local tg <close> = lucio.TaskGroup()
      tg:create_task{slow, name = "inner"}
    end)
    assert.are.same({"close", "function", "(in task 'outer')"}, way(e.traceback, "outer"))
    assert.are.same({"error", "deep", "function", "(in task 'inner')"},
      way(e.exceptions[1].traceback, "inner"))
    e = fails(function()
      local tg <close> = lucio.TaskGroup()
      tg:create_task{slow, name = "inner"}
      lucio.sleep(10)
    end)
    assert.are.same({"lucio.sleep", "function", "(in task 'outer')"}, way(e.traceback, "outer"))
  end)

  case("of a TimeoutError says where the block was", function()
    local e = fails(function()
      local _ <close> = lucio.timeout(1)
      lucio.sleep(10)
    end)
    assert.are.equal("TimeoutError", e.name)
    assert.are.same({"lucio.sleep", "function", "(in task 'outer')"}, way(e.traceback, "outer"))
  end)

  case("has nothing of lucio's own functions without a name", function()
    local e = fails(function() lucio.with(setmetatable({}, {__close = type}), slow) end)
    assert.is_nil(e.traceback:find("[C]: in ?", 1, true))
  end)

  case("names a C function that is a task's body", function()
    local task = lucio.create_task{lucio.sleep, 5, name = "inner"}
    lucio.sleep(0)
    task:cancel()
    local ok, e = pcall(task.await, task)
    assert.is_false(ok)
    assert.are.same({"lucio.sleep", "(in task 'inner')"}, way(e.traceback, "inner"))
  end)

  case("is as it was for a function that only passes the error on", function()
    local e = fails(function()
      lucio.with({close = 1}, function() end)
    end)
    assert.is_string(e.traceback)
    e = fails(function()
      lucio.with(setmetatable({}, {__close = function() lucio.sleep(1) end}), slow)
    end)
    assert.are.same({
      "error", "deep", "function", "lucio.with", "function", "(in task 'outer')",
    }, way(e.traceback, "outer"))
  end)
end)

describe("an error that is met several times", function()
  case("has for each of two awaiters only that one's stack", function()
    local inner = lucio.create_task{slow, name = "inner"}
    local function first() inner:await() end
    local function second() inner:await() end
    local a = lucio.create_task{first, name = "a"}
    local b = lucio.create_task{second, name = "b"}
    lucio.wait{a, b}
    local function of(task, name)
      local outer = lucio.create_task{function() task:await() end, name = name}
      lucio.wait{outer}
      return parts(outer:exception().traceback)
    end
    local base = {"error", "deep", "function", "(in task 'inner')", "await", "function"}
    local function expected(...) return table.move({...}, 1, select("#", ...), #base + 1,
      table.move(base, 1, #base, 1, {})) end
    assert.are.same(expected("(in task 'a')", "await", "function", "(in task 'c')"), of(a, "c"))
    assert.are.same(expected("(in task 'b')", "await", "function", "(in task 'd')"), of(b, "d"))
    assert.are.same({"error", "deep", "function", "(in task 'inner')", "await", "function",
      "(in task 'a')"}, parts(a:traceback()))
  end)

  case("has the stack of the last await when it is awaited twice", function()
    local inner = lucio.create_task{slow, name = "inner"}
    local e = fails(function()
      lucio.pcall(inner.await, inner)
      inner:await()
    end)
    assert.are.same({
      "error", "deep", "function", "(in task 'inner')", "await", "function", "(in task 'outer')",
    }, way(e.traceback, "outer"))
  end)

  case("keeps the first place when it is raised again in its task", function()
    local e = fails(function()
      local _, err = lucio.pcall(slow)
      lucio.sleep(1)
      error(err, 0)
    end)
    assert.are.same({"error", "deep", "function", "lucio.pcall", "function", "(in task 'outer')"},
      way(e.traceback, "outer"))
  end)

  case("has its traceback already in the handler of xpcall", function()
    local seen
    lucio.create_task{lucio.xpcall, slow, function(e)
      seen = e.traceback
      return e
    end, name = "outer"}:await()
    assert.are.same({"error", "deep", "function", "lucio.xpcall", "(in task 'outer')"},
      way(seen, "outer"))
  end)

  case("gets the place where another task raises it again", function()
    local e = fails(function()
      local results = lucio.gather{
        lucio.create_task{slow, name = "inner"}, return_exceptions = true}
      deep(results[1])
    end)
    assert.are.same({
      "error", "deep", "function", "(in task 'inner')",
      "error", "deep", "function", "(in task 'outer')",
    }, way(e.traceback, "outer"))
  end)

  case("may lose its traceback, or have one of the program's own", function()
    local e = fails(function()
      local _, err = lucio.pcall(slow)
      err.traceback = nil
      error(err, 0)
    end)
    assert.are.same({"error", "function", "(in task 'outer')"}, way(e.traceback, "outer"))
    e = fails(function()
      local err = ValueError("x")
      err.traceback = 42
      error(err)
    end)
    assert.are.equal(42, e.traceback)
  end)

  case("leaves out the middle of a long way", function()
    local function chain(n)
      if n == 0 then deep() end
      lucio.create_task{chain, n - 1, name = "t" .. n}:await()
      return n
    end
    local e = fails(chain, 100)
    local count = select(2, e.traceback:gsub("\n\t%(in task", ""))
    assert.are.equal(12, count)
    assert.matches("(in task 't1' ", e.traceback, 1, true)
    assert.matches("(in task 't6' ", e.traceback, 1, true)
    assert.is_nil(e.traceback:find("(in task 't7' ", 1, true))
    assert.matches("\n\t...\t(skipping 89 tasks and coroutines)\n", e.traceback, 1, true)
    assert.is_nil(e.traceback:find("(in task 't95' ", 1, true))
    assert.matches("(in task 't96' ", e.traceback, 1, true)
    assert.matches("(in task 'outer' ", e.traceback, 1, true)
    assert.is_true(#e.traceback < 4000)
  end)

  case("does not grow for ever when it is raised for ever", function()
    local e = ValueError("constant")
    for i = 1, 500 do
      local task = lucio.create_task{deep, e, name = "t" .. i}
      lucio.wait{task}
      assert.is_true(rawequal(e, task:exception()))
    end
    assert.matches("(skipping 488 tasks and coroutines)", e.traceback, 1, true)
    assert.is_true(#e.traceback < 4000)
  end)
end)

describe("the context of an error", function()
  local function closing(fn)
    return setmetatable({}, {__close = fn})
  end

  case("is the one that it replaced in a __close", function()
    local first = ValueError("first")
    local e = fails(function()
      local _ <close> = closing(function(_, err)
        lucio.sleep(1)
        assert.is_true(rawequal(first, err))
        slow(lucio.TypeError("second"))
      end)
      error(first)
    end)
    assert.are.equal("second", e.message)
    assert.is_true(rawequal(first, e.context))
    assert.is_nil(first.context)
    e = fails(function()
      local _ <close> = closing(function(_, err) error(err, 0) end)
      error(first)
    end)
    assert.is_true(rawequal(first, e))
    assert.is_nil(e.context)
  end)

  case("is none where nothing unwinds, or it has a cause", function()
    local e = fails(function()
      local _ <close> = closing(function(_, err)
        assert.is_nil(err)
        deep()
      end)
    end)
    assert.is_nil(e.context)
    e = fails(function()
      local _ <close> = closing(function(_, err)
        local second = lucio.TypeError("second")
        second.cause = err
        error(second)
      end)
      deep()
    end)
    assert.are.equal("deep", e.cause.message)
    assert.is_nil(e.context)
  end)
end)

describe("the traceback of a bare value", function()
  case("travels with it through tasks; the value is unchanged", function()
    for _, value in ipairs{"text", {}, 42, true} do
      local function raise()
        lucio.sleep(1)
        error(value, 0)
      end
      local task = lucio.create_task{function()
        lucio.gather(lucio.create_task{raise, name = "inner"})
      end, name = "outer"}
      local ok, e = pcall(task.await, task)
      assert.is_false(ok)
      assert.is_true(rawequal(value, e))
      assert.are.same({
        "error", "function", "(in task 'inner')", "lucio.gather", "function", "(in task 'outer')",
      }, way(task:exception().traceback, "outer"))
    end
  end)

  case("goes through wrap, which puts a position before a text", function()
    local e = fails(function()
      coroutine.wrap(function() deep("text") end)()
    end)
    assert.matches("traceback_spec.lua:%d+: .*traceback_spec.lua:%d+: text$", e.message)
    assert.are.same({
      "error", "deep", "function", "(in a coroutine)", "function", "(in task 'outer')",
    }, way(e.traceback:gsub("\n\t%[C%]: in function <[^\n]*", ""), "outer"))
  end)

  case("is another one when the same text is raised elsewhere", function()
    local function there() error("text", 0) end
    local e = fails(function()
      lucio.pcall(slow, "text")
      there()
    end)
    assert.are.same({"error", "there", "function", "(in task 'outer')"}, way(e.traceback, "outer"))
  end)

  case("stays whole when a function passes it on", function()
    local e = fails(function()
      lucio.with(setmetatable({}, {__close = function() lucio.sleep(1) end}), slow, "text")
    end)
    assert.are.same({
      "error", "deep", "function", "lucio.with", "function", "(in task 'outer')",
    }, way(e.traceback, "outer"))
  end)
end)

describe("tracebacks at the limits", function()
  case("of a deep stack show its ends", function()
    local function down(n)
      if n == 0 then deep() end
      down(n - 1)
      return n
    end
    local e = fails(down, 1000)
    assert.matches("\n\t...\t(skipping ", e.traceback, 1, true)
    assert.is_true(select(2, e.traceback:gsub("\n", "")) < 30)
  end)

  case("of a stack that overflowed are there too", function()
    local function forever() return 1 + forever() end
    local e = fails(forever)
    assert.matches("stack overflow", e.message)
    assert.matches("(in task 'outer'", e.traceback, 1, true)
  end)

  case("of a task without a Lua caller name no place", function()
    local e
    lucio.get_running_loop():call_soon(lucio.create_task, {deep, name = "inner"})
    lucio.get_running_loop():set_exception_handler(function(_, context) e = context.exception end)
    lucio.sleep(0)
    lucio.sleep(0)
    lucio.sleep(0)
    for _ = 1, 3 do
      collectgarbage()
      lucio.sleep(0)
    end
    assert.matches("%(in task 'inner' defined at [^\n]*traceback_spec.lua:%d+%)$", e.traceback)
  end)

  case("name the place where its function is defined for a task of very many", function()
    lucio.sleep(1)
    local tasks = {}
    for i = 1, 1200 do tasks[i] = lucio.create_task(deep) end
    lucio.wait(tasks)
    local function creation(task) return task:exception().traceback:match("' (%w+) at [^\n]*$") end
    for i = 1, 1000 do assert.are.equal("created", creation(tasks[i])) end
    for i = 1001, 1200 do assert.are.equal("defined", creation(tasks[i])) end
    lucio.sleep(1)
    local task = lucio.create_task(deep)
    lucio.wait{task}
    assert.are.equal("created", creation(task))
  end)

  case("of a task with a strange name stay lines", function()
    local task = lucio.create_task{deep, name = "a\n\t(in task 'b'"}
    lucio.wait{task}
    local text = task:exception().traceback
    assert.matches("\n\t(in task 'a \t(in task 'b'' created at ", text, 1, true)
  end)
end)

describe("task:traceback of a suspended task", function()
  case("shows the coroutine in which it waits, and who created it", function()
    local function body()
      coroutine.wrap(function() lucio.sleep(5) end)()
    end
    local task, line = lucio.create_task{body, name = "outer"}, here()
    lucio.sleep(0)
    local text = task:traceback()
    assert.are.equal("lucio.sleep", parts(text)[1])
    assert.matches("\n\t(in a coroutine)\n", text, 1, true)
    assert.matches("%(in task 'outer' created at [^\n]*:" .. line .. "%)$", text)
    task:cancel()
  end)

  case("shows every coroutine and generator on the way to where it waits", function()
    local function inner() lucio.sleep(5) end
    local task = lucio.create_task{function()
      for _ in lucio.generator(function()
        local co = coroutine.create(function() coroutine.wrap(inner)() end)
        coroutine.resume(co)
      end) do lucio.sleep(0) end
    end, name = "outer"}
    lucio.sleep(0)
    assert.are.same({
      "lucio.sleep", "function", "(in a coroutine)",
      "function", "(in a coroutine)",
      "coroutine.resume", "function", "(in an async generator)",
      "for iterator", "function", "(in task 'outer')",
    }, parts(task:traceback()))
    task:cancel()
  end)

  case("of the running task is where it runs", function()
    local text
    lucio.create_task{function()
      coroutine.wrap(function() text = lucio.current_task():traceback() end)()
    end, name = "outer"}:await()
    assert.are.same({
      "traceback", "function", "(in a coroutine)", "function", "(in task 'outer')",
    }, parts(text))
  end)

  case("in debug mode shows the stack of the creation", function()
    lucio.get_running_loop():set_debug(true)
    local function spawn() return lucio.create_task{deep, name = "inner"} end
    local task = spawn()
    lucio.get_running_loop():set_debug(false)
    lucio.wait{task}
    assert.matches("%(in task 'inner' created at [^\n]*%)\n\t    [^\n]* in local 'spawn'"
      .. "\n\t    ", task:exception().traceback)
  end)
end)
