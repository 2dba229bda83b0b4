-- lucio.sleep: a wait whose timer and whose wake-up share one entry; the order of all_tasks.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

local function now()
  return lucio.get_running_loop():time()
end

describe("lucio.sleep", function()
  case("CA2: cancelled in the tick in which its timer is due, it raises once", function(t)
    local task
    local canceller = lucio.create_task(function()
      lucio.sleep(1)
      t.log("cancel", task:cancel("late"))
    end)
    task = lucio.create_task(function()
      local ok, e = pcall(lucio.sleep, 1, "value")
      t.log(ok, e.name, e.args[1])
      lucio.sleep(0)
      t.log("on")
    end)
    task:await()
    canceller:await()
    t.same_lines {"cancel true", "false CancelledError late", "on"}
  end)

  case("CA2: cancelled after its timer has run, it returns and the next wait raises", function(t)
    local task = lucio.create_task(function()
      t.log(lucio.sleep(1, "value"))
      t.log(select(2, pcall(lucio.sleep, 1)).name)
    end)
    lucio.sleep(1)
    lucio.sleep(0)
    task:cancel()
    lucio.wait {task}
    t.same_lines {"value", "CancelledError"}
  end)

  case("LP6: a cancelled sleep leaves no timer behind", function()
    local start = now()
    local task = lucio.create_task(lucio.sleep, 1000)
    lucio.sleep(0)
    task:cancel()
    lucio.wait {task}
    lucio.sleep(1)
    assert.are.equal(1, now() - start)
  end)

  case("LG8: closing a coroutine that sleeps takes its timer away", function(t)
    local start, co = now(), nil
    local task = lucio.create_task(function()
      co = coroutine.create(function()
        local _ <close> = setmetatable({}, {__close = function(_, e) t.log(e.name) end})
        lucio.sleep(1000)
      end)
      t.log(coroutine.resume(co) == false)
    end)
    lucio.sleep(0)
    assert.is_true(coroutine.close(co))
    task:await()
    lucio.sleep(1)
    assert.are.equal(1, now() - start)
    t.same_lines {"GeneratorExit", "true"}
  end)

  case("TO2: a sleep ended by a timeout can sleep again", function(t)
    for i = 1, 3 do
      t.raises(lucio.TimeoutError, lucio.wait_for, function() lucio.sleep(10) end, i)
      t.log(lucio.sleep(1, i))
    end
    t.same_lines {"1", "2", "3"}
  end)
end)

describe("lucio.all_tasks", function()
  case("TA12: finds tasks that have not begun, run, or are suspended, however deep", function(t)
    local main, inner = lucio.current_task(), nil
    local function descend(depth, fn)
      if depth == 0 then return fn() end
      local value = descend(depth - 1, fn)
      return value
    end
    local running = lucio.create_task(function()
      return descend(100, function()
        return coroutine.wrap(function()
          inner = lucio.all_tasks()
          return lucio.current_task()
        end)()
      end)
    end)
    local deep = lucio.create_task(descend, 1000, function() lucio.sleep(1) end)
    local sorting = lucio.create_task(table.sort, {1, 2, 3}, function(a, b)
      t.log(lucio.current_task() ~= main)
      return a < b
    end)
    assert.are.same({main, running, deep, sorting}, lucio.all_tasks())
    assert.are.equal(running, running:await())
    assert.are.same({main, running, deep, sorting}, inner)
    assert.are.same({main, deep}, lucio.all_tasks())
    deep:await()
    assert.are.same({main}, lucio.all_tasks())
    assert.are.equal("true", t.lines[1])
  end)

  case("TA12: is in the order of creation where threads are used again", function(t)
    local main = lucio.current_task()
    for i = 1, 20 do lucio.create_task {lucio.sleep, i % 3, name = "old " .. i} end
    lucio.sleep(1.5)
    for i = 1, 9 do lucio.create_task {lucio.sleep, 1, name = "new " .. i} end
    local names = {}
    for _, task in ipairs(lucio.all_tasks()) do
      if task ~= main then names[#names + 1] = task:get_name() end
    end
    assert.are.same({"old 2", "old 5", "old 8", "old 11", "old 14", "old 17", "old 20", "new 1",
      "new 2", "new 3", "new 4", "new 5", "new 6", "new 7", "new 8", "new 9"}, names)
    lucio.sleep(5)
    assert.are.equal(1, #lucio.all_tasks())
    t.same_lines {}
  end)
end)
