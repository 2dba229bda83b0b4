-- A task of one's own: a future plus a coroutine. step resumes the coroutine; when that returns,
-- the task, being a future, gets its result. A coroutine that yields a future goes on when that
-- future is finished, so tasks can wait for one another. A loop of a few lines runs several at
-- once; nothing of lucio's is used.
-- In asyncio: the book's CustomTask (a future and a coroutine) run by a custom loop.

local Future = {}
Future.__index = Future

local function init_future(self, class)
  self.done, self.callbacks = false, {}
  return setmetatable(self, class)
end

function Future:set_result(value)
  self.done, self.value = true, value
  for _, fn in ipairs(self.callbacks) do fn(self) end
end

function Future:await()
  if not self.done then coroutine.yield(self) end
  return self.value
end

-- The loop: a list of tasks that can go on.
local ready = {}

local function run()
  local turn = 0
  while #ready > 0 do
    turn = turn + 1
    print("ход " .. turn)
    local batch = ready
    ready = {}
    for _, task in ipairs(batch) do task:step() end
  end
end

-- Task is a Future: what it does not define itself, it has from there.
local Task = setmetatable({}, {__index = Future})
Task.__index = Task

local function create_task(name, fn)
  local task = init_future({name = name, co = coroutine.create(fn)}, Task)
  table.insert(ready, task)
  return task
end

function Task:step()
  local ok, what = coroutine.resume(self.co)
  assert(ok, what)
  if coroutine.status(self.co) == "dead" then
    print(("  %s: закончена, результат %s"):format(self.name, what))
    self:set_result(what)
  elseif what then
    print(("  %s: ждёт другую"):format(self.name))
    table.insert(what.callbacks, function() table.insert(ready, self) end)
  else
    table.insert(ready, self) -- gave way: next turn
  end
end

local function counter(name, n)
  return function()
    for i = 1, n do
      print(("  %s: %d"):format(name, i))
      coroutine.yield()
    end
    return n * 10
  end
end

local a = create_task("А", counter("А", 2))
local b = create_task("Б", counter("Б", 3))
local sum = create_task("сумма", function() return a:await() + b:await() end)
run()
print(("готово: %s %s %s, сумма %d"):format(a.done, b.done, sum.done, sum.value))
