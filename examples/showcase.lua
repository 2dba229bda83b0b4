-- A tour of lucio in two seconds: plain Lua functions that wait without blocking one another. The
-- number in front of a line is the time since the start. script/run runs it by default.
local lucio = require "lucio"

local started -- when main began

local function say(text, ...)
  print(("%.1f s  "):format(lucio.get_running_loop():time() - started) .. text:format(...))
end

local function fetch(name, delay)
  lucio.sleep(delay) -- stands for any wait: a socket, a timer, another task
  return name .. " after " .. delay .. " s"
end

-- An async function makes coroutines; gather runs them at once, results in argument order.
local function at_once()
  local page = lucio.async(fetch)
  local pages = lucio.gather(page("one", 0.3), page("two", 0.1), page("three", 0.2))
  say("gather: %s", table.concat(pages, ", "))
end

-- Ten thousand tasks wait at the same time.
local function many()
  local tasks, sum = {}, 0
  for i = 1, 10000 do tasks[i] = lucio.create_task(lucio.sleep, 0.2, i) end
  for task in lucio.as_completed(tasks) do sum = sum + task:result() end
  say("10000 tasks slept 0.2 s each, sum of results %d", sum)
end

-- A bounded queue and two workers, no lock: put waits while it is full, shutdown ends the loops.
local function workers()
  local queue, log = lucio.Queue(2), {}
  local function work(name)
    for _, job in queue:items() do
      lucio.sleep(0.1)
      table.insert(log, name .. job)
    end
  end
  local a, b = lucio.create_task(work, "A"), lucio.create_task(work, "B")
  for job = 1, 6 do queue:put(job) end
  queue:shutdown()
  lucio.gather(a, b)
  say("queue: %s", table.concat(log, " "))
end

-- A time limit for a block. Clean-up of what it interrupts may wait as well.
local function too_slow()
  local _ <close> = lucio.timeout(0.2)
  local _ <close> = setmetatable({}, {__close = function()
    lucio.sleep(0.1)
    say("timeout: the connection is closed")
  end})
  fetch("never", 60)
end

-- Tasks that belong together: the first failure cancels the others, nothing is left behind.
local function failing()
  local tg <close> = lucio.TaskGroup()
  tg:create_task(fetch, "never", 60)
  tg:create_task(function() error(lucio.ValueError(fetch("bad page", 0.1))) end)
end

-- A generator that waits between its values, for a plain `for`.
local countdown = lucio.generator(function()
  for i = 3, 1, -1 do
    coroutine.yield(i)
    lucio.sleep(0.1)
  end
end)

local function main()
  started = lucio.get_running_loop():time()
  at_once()
  many()
  workers()

  local ok, err = lucio.pcall(too_slow)
  if not ok then say("timeout: %s", err.name) end

  ok, err = lucio.pcall(failing)
  if not ok then say("task group: %s: %s", err, err.exceptions[1]) end

  for i in countdown do say("generator: %d", i) end
  say("done")
end

lucio.run(main)
