-- An interface that takes whatever its caller has. TaskRunner:add accepts an async function,
-- which it calls to get a Coroutine, a Coroutine itself, and a plain function, which it hands to
-- the loop as a callback; anything else is refused at once. lucio's own functions go further: a
-- plain function is an awaitable like the others, and may wait.
-- In asyncio: iscoroutinefunction, iscoroutine, call_soon, create_task, gather.
local lucio = require "lucio"

local TaskRunner = {}
TaskRunner.__index = TaskRunner

local function task_runner()
  return setmetatable({loop = lucio.get_running_loop(), tasks = {}}, TaskRunner)
end

function TaskRunner:add(job)
  if lucio.iscoroutinefunction(job) then
    job = job()
  end
  if lucio.iscoroutine(job) then
    table.insert(self.tasks, self.loop:create_task(job))
    return "задача"
  elseif type(job) == "function" then
    self.loop:call_soon(job)
    return "обратный вызов"
  end
  error(lucio.TypeError("нужна функция или сопрограмма, а не " .. type(job)), 2)
end

function TaskRunner:wait()
  return lucio.gather(self.tasks)
end

local function regular() print("  обычная функция") end

local coroutine_function = lucio.async(function(name)
  lucio.sleep(1)
  print("  сопрограмма " .. (name or "без аргумента"))
  return name
end)

local function main()
  local loop = lucio.get_running_loop()
  local start = loop:time()

  local runner = task_runner()
  for _, job in ipairs{coroutine_function, coroutine_function("А"), regular} do
    print("добавлено: " .. runner:add(job))
  end
  local ok, err = lucio.pcall(runner.add, runner, 42)
  print(("принято: %s, %s: %s"):format(ok, err.name, err))
  local results = runner:wait()
  print(("результаты: %s, %s"):format(results[1], results[2]))
  print(("прошло %.0f с"):format(loop:time() - start))

  print("то же через gather:")
  results = lucio.gather(coroutine_function(), coroutine_function("А"), function()
    lucio.sleep(0.5)
    regular()
    return "и функция"
  end)
  print(("результаты: %s, %s, %s"):format(results[1], results[2], results[3]))
  print(("прошло %.0f с"):format(loop:time() - start))
end

lucio.run(main)
