-- An interface that takes whatever the user has: an async function, a coroutine made by calling
-- one, or a plain function, which goes to the loop as a callback (and so must not wait). For most
-- purposes lucio needs no such distinction: a plain function is an awaitable.
-- In asyncio: iscoroutinefunction, iscoroutine, create_task, loop.call_soon, gather.
local lucio = require "lucio"

local TaskRunner = {}
TaskRunner.__index = TaskRunner

local function task_runner()
  return setmetatable({loop = lucio.new_event_loop(), tasks = {}}, TaskRunner)
end

function TaskRunner:add_task(func)
  table.insert(self.tasks, func)
end

function TaskRunner:run_all()
  local awaitable = {}
  for _, task in ipairs(self.tasks) do
    if lucio.iscoroutinefunction(task) then
      table.insert(awaitable, lucio.create_task(task()))
    elseif lucio.iscoroutine(task) then
      table.insert(awaitable, lucio.create_task(task))
    else
      self.loop:call_soon(task)
    end
  end
  lucio.gather(awaitable)
end

function TaskRunner:run()
  self.loop:run_until_complete(function() self:run_all() end)
end

function TaskRunner:__close()
  self.loop:close()
end

local function regular_function()
  print("Привет из обычной функции!")
end

local coroutine_function = lucio.async(function(name)
  print(name .. ": начало")
  lucio.sleep(1)
  print(name .. ": конец")
end)

local without_arguments = lucio.async(function()
  lucio.await(coroutine_function("функция-сопрограмма"))
end)

local runner <close> = task_runner()
runner:add_task(without_arguments)
runner:add_task(coroutine_function("сопрограмма"))
runner:add_task(regular_function)
runner:run()
