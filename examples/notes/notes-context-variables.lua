-- A context variable belongs to a task. What a task sets is seen by the functions it calls and by
-- the tasks it starts from then on, for each gets a copy of its creator's context; nobody outside
-- sees it. So each handler of a server finds the address of its own client, several calls deep,
-- without an argument. A token takes a value back; a context runs a function apart.
-- In asyncio: contextvars.ContextVar, copy_context.
local lucio = require "lucio"

local user_address = lucio.ContextVar("user_address", "нет")

local function log(text) print(("[%s] %s"):format(user_address:get(), text)) end

local function read_message(pause)
  lucio.sleep(pause)
  return "сообщение"
end

local function audit()
  log("задача, начатая обработчиком")
end

-- Stands for the handler of a connection.
local function handle_client(address, pause)
  user_address:set(address)
  log("соединение")
  local message = read_message(pause)
  log("получено: " .. message)
  lucio.create_task(audit):await()
end

local function main()
  log("начало")
  do
    local tg <close> = lucio.TaskGroup()
    tg:create_task(handle_client, "10.0.0.1:5000", 2)
    tg:create_task(handle_client, "10.0.0.2:6000", 1)
  end
  log("обработчики закончились")

  local token = user_address:set("10.0.0.3:7000")
  local task = lucio.create_task(audit) -- copies the context now
  log("значение установлено")
  user_address:reset(token)
  log("значение снято")
  task:await()

  lucio.copy_context():run(function()
    user_address:set("10.0.0.4:8000")
    lucio.sleep(1)
    log("внутри отдельного контекста")
  end)
  log("конец")
end

lucio.run(main)
