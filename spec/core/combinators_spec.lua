-- What holds for all combinators (SEMANTICS GA, WA, SH, WT, TO, TG) alike: collection while they
-- wait, calls where nothing can suspend (LG5), sharing, size.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

local ValueError, RuntimeError = lucio.ValueError, lucio.RuntimeError

-- gives up n iterations
local function pass(n)
  for _ = 1, n do lucio.sleep(0) end
end

local function child(n, v)
  return function()
    pass(n)
    return v
  end
end

-- every combinator with two children that return "a" and "b", called in the running task
local WAYS = {
  gather = function(a, b)
    local list = lucio.gather(a, b)
    return list[1] .. list[2]
  end,
  wait = function(a, b)
    local done = lucio.wait{a, b}
    return done[1]:result() .. done[2]:result()
  end,
  as_completed = function(a, b)
    local text = ""
    for fut in lucio.as_completed({a, b}, {timeout = 50}) do text = text .. fut:result() end
    return text
  end,
  shield = function(a, b)
    return lucio.shield(a):await() .. lucio.shield(b):await()
  end,
  wait_for = function(a, b)
    return lucio.wait_for(a, 50) .. lucio.wait_for(b, 50)
  end,
  timeout = function(a, b)
    local _ <close> = lucio.timeout(50)
    return lucio.await(a) .. lucio.await(b)
  end,
  ["a task group"] = function(a, b)
    local first, second
    do
      local tg <close> = lucio.TaskGroup()
      first, second = tg:create_task(a), tg:create_task(b)
    end
    return first:result() .. second:result()
  end,
}

local NAMES = {}
for name in pairs(WAYS) do NAMES[#NAMES + 1] = name end
table.sort(NAMES)

describe("combinators", function()
  for _, name in ipairs(NAMES) do
    case("TA13: " .. name .. " survives collections while it waits", function()
      local result
      local function start()
        lucio.create_task(function() result = WAYS[name](child(3, "a"), child(5, "b")) end)
      end
      start()
      for _ = 1, 20 do
        collectgarbage()
        lucio.sleep(0)
      end
      assert.are.equal("ab", result)
    end)

    case("CA5: " .. name .. " in a task that is cancelled before its first step starts nothing",
      function()
        local ran = false
        local function never() ran = true end
        local task = lucio.create_task(WAYS[name], never, never)
        task:cancel()
        pass(4)
        assert.is_true(task:cancelled())
        assert.is_false(ran)
        assert.are.equal(1, #lucio.all_tasks())
      end)

    case("CA17: " .. name .. " that is cancelled while it waits leaves nothing", function()
      local task = lucio.create_task(WAYS[name], child(9, "a"), child(9, "b"))
      pass(3)
      task:cancel()
      pass(20)
      assert.is_true(task:cancelled())
    end)
  end

  case("LG5: where nothing can suspend they raise and start nothing", function(t)
    local ran = false
    local function never() ran = true end
    local fut = lucio.Future()
    local calls = {
      function() lucio.gather(never, fut) end,
      function() lucio.wait{fut} end,
      function() lucio.wait{fut, never} end,
      function() lucio.wait_for(fut, 5) end,
      function() lucio.wait_for(fut) end,
      function() lucio.wait_for(fut, 0) end,
    }
    for i, call in ipairs(calls) do
      local inside
      local queue = lucio.PriorityQueue(0, function(a, b)
        inside = table.pack(pcall(call))
        return a < b
      end)
      queue:put_nowait(1)
      queue:put_nowait(2)
      assert.is_false(inside[1], "call " .. i)
      assert.is_true(lucio.isinstance(inside[2], RuntimeError), "call " .. i)
    end
    lucio.get_running_loop():call_soon(function()
      for _, call in ipairs(calls) do t.raises(RuntimeError, call) end
      t.log("checked")
    end)
    pass(3)
    assert.is_false(ran)
    assert.is_false(fut:done())
    assert.are.equal(1, #lucio.all_tasks())
    t.same_lines{"checked"}
  end)

  case("WA9: two tasks may share one as_completed", function(t)
    local iterator = lucio.as_completed{child(1, "a"), child(2, "b"), child(4, "c")}
    local function consume(name)
      for fut in iterator do t.log(name, fut:result(), t.tick()) end
      t.log(name, "ends", t.tick())
    end
    lucio.gather(function() consume("one") end, function() consume("two") end)
    t.same_lines{"one a 4", "two b 5", "two ends 5", "one c 7", "one ends 7"}
  end)

  case("GA5: a future may be in several combinators at once", function(t)
    local fut = lucio.Future()
    local function log(name, fn)
      return function()
        fn()
        t.log(name, t.tick())
      end
    end
    local tasks = {
      lucio.create_task(log("await", function() fut:await() end)),
      lucio.create_task(log("gather", function() lucio.gather(fut) end)),
      lucio.create_task(log("wait", function() lucio.wait{fut} end)),
      lucio.create_task(log("shield", function() lucio.shield(fut):await() end)),
      lucio.create_task(log("wait_for", function() lucio.wait_for(fut, 9) end)),
      lucio.create_task(log("as_completed", function()
        for _ in lucio.as_completed{fut} do t.tick() end
      end)),
    }
    pass(2)
    fut:set_result()
    lucio.wait(tasks)
    t.same_lines{
      "await 3", "wait_for 3", "gather 4", "wait 4", "shield 4", "as_completed 4",
    }
  end)

  case("WT4: the sooner of two nested timeouts counts", function(t)
    local loop = lucio.get_running_loop()
    local start = loop:time()
    t.raises(lucio.TimeoutError, lucio.wait_for, function()
      lucio.wait_for(function() lucio.sleep(9) end, 5)
    end, 1)
    assert.are.equal(start + 1, loop:time())
    local outer
    t.raises(lucio.TimeoutError, lucio.wait_for, function()
      local ok, e = pcall(lucio.wait_for, function() lucio.sleep(9) end, 1)
      outer = ok
      error(e, 0)
    end, 5)
    assert.is_false(outer)
    assert.are.equal(start + 2, loop:time())
  end)

  case("TO9 LG8: a timeout reaches into a generator that awaits", function(t)
    local function items()
      return coroutine.wrap(function()
        local _ <close> = setmetatable({}, {__close = function(_, e) t.log("closed", e.name) end})
        for i = 1, 9 do
          lucio.sleep(1)
          coroutine.yield(i)
        end
      end)
    end
    t.raises(lucio.TimeoutError, function()
      local _ <close> = lucio.timeout(2.5)
      for i in items() do t.log(i) end
    end)
    t.same_lines{"1", "2", "closed CancelledError"}
  end)

  case("GA4: ten thousand children", function()
    local list = {}
    for i = 1, 10000 do list[i] = function() return i end end
    local results = lucio.gather(list)
    assert.are.equal(10000, results.n)
    for i = 1, 10000, 999 do assert.are.equal(i, results[i]) end
    local done = lucio.wait(list)
    assert.are.equal(10000, #done)
    local sum = 0
    for fut in lucio.as_completed(list) do sum = sum + fut:result() end
    assert.are.equal(50005000, sum)
  end)

  case("TG4: a thousand children, one of which fails", function(t)
    local boom = ValueError("boom")
    local cancelled = 0
    local e = t.raises(lucio.ExceptionGroup, function()
      local tg <close> = lucio.TaskGroup()
      for i = 1, 1000 do
        tg:create_task(function()
          if i == 500 then error(boom) end
          local ok, err = pcall(lucio.sleep, 9)
          if not ok then cancelled = cancelled + 1 end
          error(err, 0)
        end)
      end
    end)
    assert.are.equal(1, #e.exceptions)
    assert.are.equal(999, cancelled)
  end)

  case("TG1: create_task takes a context, which the child uses itself", function()
    local var = lucio.ContextVar("var", "none")
    local context = lucio.copy_context()
    local seen
    do
      local tg <close> = lucio.TaskGroup()
      tg:create_task{function() var:set("child") end, context = context}
      tg:create_task(function() seen = var:get() end)
    end
    assert.are.equal("none", seen)
    assert.are.equal("none", var:get())
    assert.are.equal("child", context:run(var.get, var))
  end)
end)
