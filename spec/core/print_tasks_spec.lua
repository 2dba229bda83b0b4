-- What print_tasks and task_tree say of every kind of wait, and who stands below whom.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"
local small = require "spec.support.small"

-- The tree as text, with every place in this file as PLACE.
local function tree()
  local text
  lucio.print_tasks(function(t) text = t end)
  return (text:gsub("%S+_spec%.lua:%d+ in function '[^']*'", "PLACE")
    :gsub("%S+_spec%.lua:%d+ in function <line %d+>", "PLACE")
    :gsub(", created at %S+%.lua:%d+\n", "\n"))
end

local function same_tree(lines)
  lucio.current_task():set_name("main")
  return assert.are.equal(table.concat(lines, "\n") .. "\n", tree())
end

local function task(name, fn, ...)
  return lucio.create_task{fn, ..., name = name}
end

-- Cancels all but the caller, so that the case leaves nothing behind.
local function cancel_all()
  for _, other in ipairs(lucio.all_tasks()) do
    if other ~= lucio.current_task() then other:cancel() end
  end
end

describe("print_tasks", function()
  case("shows the running task, one that is ready, one not started", function()
    task("ready", function() lucio.sleep(0) lucio.sleep(0) end)
    lucio.sleep(0)
    task("new", function() end)
    same_tree{
      "main: running at PLACE",
      "ready: ready at PLACE",
      "new: ready, not started, " .. debug.getinfo(1, "S").short_src .. ":" ..
        debug.getinfo(1, "l").currentline - 5,
    }
  end)

  case("names file, line and function, and what is to go of a sleep", function()
    local line
    local function nap()
      line = debug.getinfo(1, "l").currentline + 1
      lucio.sleep(3)
      return true
    end
    task("sleeper", function() return (nap()) end)
    lucio.sleep(1)
    local text
    lucio.print_tasks(function(t) text = t end)
    assert.truthy(text:find(string.format(
      "sleeper: waiting 1.000 s for sleep (2.000 s more) at %s:%d in function 'nap',",
      debug.getinfo(1, "S").short_src, line), 1, true))
    cancel_all()
  end)

  case("names the line that created a task", function()
    task("new", function() end)
    local line = debug.getinfo(1, "l").currentline - 1
    local text
    lucio.print_tasks(function(t) text = t end)
    assert.truthy(text:find("new: ready, not started, [^ ]+, created at [^ ]+_spec%.lua:%d+\n"))
    lucio.create_task(function() end)
    lucio.print_tasks(function(t) text = t end)
    assert.truthy(text:find(string.format("created at %s:%d\n", debug.getinfo(1, "S").short_src,
      line + 5), 1, true))
  end)

  case("shows for ever where a sleep has no end", function()
    task("sleeper", function() lucio.sleep(math.huge) end)
    lucio.sleep(0)
    same_tree{
      "main: running at PLACE",
      "sleeper: waiting 0.000 s for sleep (for ever) at PLACE",
    }
    cancel_all()
  end)

  case("shows waits for a future, an event, a lock, a condition, a barrier", function()
    local future, event, lock = lucio.Future(), lucio.Event(), lucio.Lock()
    local semaphore, condition = lucio.Semaphore(1), lucio.Condition()
    lock:acquire()
    semaphore:acquire()
    task("a", function() future:await() end)
    task("b", function() event:wait() end)
    task("c", function() lock:acquire() end)
    task("d", function() semaphore:acquire() end)
    task("e", function() condition:acquire() condition:wait() end)
    task("f", function() lucio.Barrier(2):wait() end)
    lucio.sleep(2)
    same_tree{
      "main: running at PLACE",
      "a: waiting 2.000 s for future at PLACE",
      "b: waiting 2.000 s for event at PLACE",
      "c: waiting 2.000 s for lock at PLACE",
      "d: waiting 2.000 s for semaphore at PLACE",
      "e: waiting 2.000 s for condition at PLACE",
      "f: waiting 2.000 s for barrier at PLACE",
    }
    cancel_all()
  end)

  case("shows waits for a queue", function()
    local queue = lucio.Queue(1)
    task("getter", function() queue:get() queue:get() end)
    task("joiner", function() queue:put(1) queue:join() end)
    lucio.sleep(0.25)
    same_tree{
      "main: running at PLACE",
      "getter: waiting 0.250 s for queue.get at PLACE",
      "joiner: waiting 0.250 s for queue.join at PLACE",
    }
    cancel_all()
  end)

  case("counts from the last wait of a task", function()
    task("steps", function() for _ = 1, 10 do lucio.sleep(1) end end)
    lucio.sleep(3.5)
    same_tree{
      "main: running at PLACE",
      "steps: waiting 0.500 s for sleep (0.500 s more) at PLACE",
    }
    cancel_all()
  end)

  case("puts an awaited task below who awaits it", function()
    local inner
    task("outer", function()
      inner = task("inner", function() lucio.sleep(9) end)
      inner:await()
    end)
    lucio.sleep(1)
    same_tree{
      "main: running at PLACE",
      "outer: waiting 1.000 s for task 'inner' at PLACE",
      "+- inner: waiting 1.000 s for sleep (8.000 s more) at PLACE",
    }
    cancel_all()
  end)

  case("puts gather between its task and its children", function()
    task("outer", function()
      lucio.gather(
        task("one", function() lucio.sleep(9) end),
        task("two", function() end),
        lucio.Future(),
        task("four", function() task("five", function() lucio.sleep(9) end):await() end))
    end)
    task("last", function() lucio.sleep(9) end)
    lucio.sleep(1)
    same_tree{
      "main: running at PLACE",
      "outer: waiting 1.000 s for gather at PLACE",
      "+- gather of 4, 1 done",
      "   +- one: waiting 1.000 s for sleep (8.000 s more) at PLACE",
      "   +- four: waiting 1.000 s for task 'five' at PLACE",
      "      +- five: waiting 1.000 s for sleep (8.000 s more) at PLACE",
      "last: waiting 1.000 s for sleep (8.000 s more) at PLACE",
    }
    cancel_all()
  end)

  case("draws the line to the next child past what stands below the first", function()
    local function chain() task("c", function() lucio.sleep(9) end):await() end
    task("outer", function() lucio.gather(task("a", chain), task("b", chain)) end)
    lucio.sleep(1)
    same_tree{
      "main: running at PLACE",
      "outer: waiting 1.000 s for gather at PLACE",
      "+- gather of 2, 0 done",
      "   +- a: waiting 1.000 s for task 'c' at PLACE",
      "   |  +- c: waiting 1.000 s for sleep (8.000 s more) at PLACE",
      "   +- b: waiting 1.000 s for task 'c' at PLACE",
      "      +- c: waiting 1.000 s for sleep (8.000 s more) at PLACE",
    }
    cancel_all()
  end)

  case("puts a task group's children below it, whatever its task does", function()
    task("outer", function()
      local group <close> = lucio.TaskGroup()
      group:create_task{function() lucio.sleep(2) end, name = "one"}
      group:create_task{function() lucio.sleep(3) end, name = "two"}
      lucio.sleep(1)
    end)
    lucio.sleep(0.5)
    same_tree{
      "main: running at PLACE",
      "outer: waiting 0.500 s for sleep (0.500 s more) at PLACE",
      "+- TaskGroup of 2",
      "   +- one: waiting 0.500 s for sleep (1.500 s more) at PLACE",
      "   +- two: waiting 0.500 s for sleep (2.500 s more) at PLACE",
    }
    lucio.sleep(2)
    same_tree{
      "main: running at PLACE",
      "outer: waiting 1.500 s for task group at PLACE",
      "+- TaskGroup of 1",
      "   +- two: waiting 2.500 s for sleep (0.500 s more) at PLACE",
    }
    cancel_all()
  end)

  case("shows wait and its time limit, as_completed, shield", function()
    local one = task("one", function() lucio.sleep(9) end)
    task("a", function() lucio.wait({one}, {timeout = 4}) end)
    task("b", function()
      for _ in lucio.as_completed{task("two", function() lucio.sleep(9) end)} do end
    end)
    task("c", function()
      lucio.shield(task("three", function() lucio.sleep(9) end)):await()
    end)
    lucio.sleep(1)
    same_tree{
      "main: running at PLACE",
      "a: waiting 1.000 s for wait at PLACE",
      "+- wait of 1, 0 done (3.000 s more)",
      "   +- one: waiting 1.000 s for sleep (8.000 s more) at PLACE",
      "b: waiting 1.000 s for as_completed at PLACE",
      "+- as_completed of 1, 0 done",
      "   +- two: waiting 1.000 s for sleep (8.000 s more) at PLACE",
      "c: waiting 1.000 s for shield at PLACE",
      "+- shield",
      "   +- three: waiting 1.000 s for sleep (8.000 s more) at PLACE",
    }
    cancel_all()
  end)

  case("shows the time limits of wait_for and timeout", function()
    task("a", function() lucio.wait_for(task("b", function() lucio.sleep(9) end), 5) end)
    task("c", function()
      local _ <close> = lucio.timeout(7)
      lucio.Future():await()
    end)
    lucio.sleep(1)
    same_tree{
      "main: running at PLACE",
      "a: waiting 1.000 s for task 'b' (timeout in 4.000 s) at PLACE",
      "+- b: waiting 1.000 s for sleep (8.000 s more) at PLACE",
      "c: waiting 1.000 s for future (timeout in 6.000 s) at PLACE",
    }
    cancel_all()
  end)

  case("names the line in a generator and the one that advances it", function()
    local generate = lucio.generator(function()
      coroutine.yield(1)
      lucio.sleep(5)
    end)
    task("consumer", function() for _ in generate() do end end)
    task("wrapper", function() coroutine.wrap(function() lucio.sleep(5) end)() end)
    lucio.sleep(1)
    same_tree{
      "main: running at PLACE",
      "consumer: waiting 1.000 s for sleep (4.000 s more) at PLACE, called at PLACE",
      "wrapper: waiting 1.000 s for sleep (4.000 s more) at PLACE, called at PLACE",
    }
    cancel_all()
  end)

  case("shows a task that several await once and refers to it", function()
    local shared = task("shared", function() lucio.sleep(9) end)
    task("a", function() shared:await() end)
    task("b", function() shared:await() end)
    lucio.sleep(1)
    same_tree{
      "main: running at PLACE",
      "a: waiting 1.000 s for task 'shared' at PLACE",
      "+- shared: waiting 1.000 s for sleep (8.000 s more) at PLACE",
      "b: waiting 1.000 s for task 'shared' at PLACE",
      "+- shared (see above)",
    }
    cancel_all()
  end)

  case("cuts a circle where it closes", function()
    local a, b, c
    a = task("a", function() lucio.sleep(0) b:await() end)
    b = task("b", function() lucio.sleep(0) lucio.gather(c) end)
    c = task("c", function() lucio.sleep(0) a:await() end)
    lucio.sleep(1)
    same_tree{
      "main: running at PLACE",
      "a: waiting 1.000 s for task 'b' at PLACE",
      "+- b: waiting 1.000 s for gather at PLACE",
      "   +- gather of 1, 0 done",
      "      +- c: waiting 1.000 s for task 'a' at PLACE",
      "         +- a (circle)",
    }
    a:cancel()
  end)

  case("says which task was asked to end", function()
    task("stubborn", function()
      pcall(lucio.sleep, 5)
      lucio.sleep(5)
    end)
    lucio.sleep(1)
    lucio.all_tasks()[2]:cancel()
    lucio.sleep(1)
    same_tree{
      "main: running at PLACE",
      "stubborn: cancelling, waiting 1.000 s for sleep (4.000 s more) at PLACE",
    }
    cancel_all()
  end)

  case("prints no control characters of a name", function()
    task("two\nlines\27[31m", function() lucio.sleep(1) end)
    lucio.sleep(0)
    same_tree{
      "main: running at PLACE",
      "two\\x0Alines\\x1B[31m: waiting 0.000 s for sleep (1.000 s more) at PLACE",
    }
    cancel_all()
  end)

  case("numbers the levels of a chain that is too deep to indent", function()
    local function nest(depth)
      if depth == 0 then lucio.sleep(9) end
      task("t" .. depth - 1, nest, depth - 1):await()
    end
    task("t50", nest, 50)
    for _ = 1, 60 do lucio.sleep(0) end
    local text = tree()
    assert.truthy(text:find("\n" .. ("   "):rep(29) .. "+- t20: ", 1, true))
    assert.truthy(text:find("\n" .. ("   "):rep(29) .. "+- [31] t19: ", 1, true))
    cancel_all()
  end)

  case("shows ten thousand tasks", function()
    local count = small(10000, 2000)
    local function body() lucio.sleep(9) end
    task("outer", function()
      local list = {}
      for i = 1, count do list[i] = task("n" .. i, body) end
      lucio.gather(list)
    end)
    lucio.sleep(1)
    local _, lines = tree():gsub("\n", "")
    assert.are.equal(count + 3, lines)
    cancel_all()
  end)

  case("writes to a file, to an object with write, to stderr", function()
    local name <close> = setmetatable({os.tmpname()}, {__close = function(t) os.remove(t[1]) end})
    local file = assert(io.open(name[1], "w+"))
    lucio.current_task():set_name("main")
    lucio.print_tasks(file)
    file:seek("set")
    assert.are.equal("main: running", file:read("a"):match("^[^\n]- at "):sub(1, -5))
    file:close()
    local parts = setmetatable({}, {__index = {write = function(self, t) self[#self + 1] = t end}})
    lucio.print_tasks(parts)
    assert.are.equal(1, #parts)
  end)

  case("says so from a callback when there is no task", function()
    local texts, loop = {}, lucio.new_event_loop()
    lucio.current_task():set_name("main")
    loop:call_soon(function()
      lucio.print_tasks(function(t) texts[#texts + 1] = t end)
      loop:stop()
    end)
    local ok, e = pcall(loop.run_forever, loop)
    loop:close()
    if ok then
      assert.are.same({"no tasks\n"}, texts)
    else -- under lua5.4 and Busted a case is in a loop already
      assert.truthy(tostring(e):find("running", 1, true))
    end
  end)

  it("needs a running loop", function()
    if pcall(lucio.current_task) then return end -- the command runs all of Busted as a task
    assert.has_error(lucio.print_tasks)
  end)

  case("takes nothing but a file or a function", function(t)
    t.raises("bad argument #1 to 'print_tasks' (file or function expected, got number)",
      lucio.print_tasks, 1)
    t.raises("bad argument #1 to 'print_tasks' (file or function expected, got table)",
      lucio.print_tasks, {})
  end)
end)

describe("task_tree", function()
  case("gives what print_tasks prints as tables", function()
    local main = lucio.current_task()
    main:set_name("main")
    local shared = task("shared", function() lucio.sleep(9) end)
    local a = task("a", function() lucio.gather(shared, lucio.Future()) end)
    task("b", function() shared:await() end)
    lucio.sleep(1)
    local roots = lucio.task_tree()
    assert.are.equal(3, #roots)
    local first, second, third = table.unpack(roots)
    assert.are.same({"task", "main", "running", main, false},
      {first.kind, first.name, first.state, first.task, first.cancelling})
    assert.is_nil(first.waits_for)
    assert.are.same({"a", "waiting", "gather", 1, a, 1},
      {second.name, second.state, second.waits_for, second.seconds, second.task, #second.children})
    assert.truthy(second.place:find("print_tasks_spec.lua:%d+ in function"))
    local gather = second.children[1]
    assert.are.same({"gather", "gather of 2, 0 done", 1},
      {gather.kind, gather.name, #gather.children})
    assert.are.same({"shared", "sleep (8.000 s more)", 0}, {gather.children[1].name,
      gather.children[1].waits_for, #gather.children[1].children})
    local again = third.children[1]
    assert.are.same({kind = "task", name = "shared", id = gather.children[1].id, task = shared,
      shown = "above"}, again)
    cancel_all()
  end)

  case("gives every task a number of its own", function()
    local one = task("one", function() lucio.sleep(1) end)
    lucio.sleep(0)
    local before = lucio.task_tree()[2].id
    one:cancel()
    lucio.sleep(1)
    task("two", function() lucio.sleep(1) end)
    assert.are_not.equal(before, lucio.task_tree()[2].id)
    cancel_all()
  end)

  case("leaves the collector as it was", function()
    lucio.task_tree()
    assert.is_true(collectgarbage("isrunning"))
    collectgarbage("stop")
    lucio.task_tree()
    assert.is_false(collectgarbage("isrunning"))
    collectgarbage("restart")
  end)

  case("takes no arguments", function(t)
    t.raises(lucio.TypeError, lucio.task_tree, 1)
  end)
end)
