-- A condition is a lock and a line of tasks that wait for a change of what the lock protects.
-- wait releases the lock while it waits and holds it again when it returns. notify wakes one
-- task, notify_all wakes all; they go on when the lock comes free, one after the other. wait_for
-- waits until a predicate holds, here until a connection has reached a state.
-- In asyncio: Condition, wait, notify, notify_all, wait_for.
local lucio = require "lucio"

local function notifications()
  local condition = lucio.Condition()

  local function waiter(name)
    local _ <close> = condition:acquire()
    print(name .. ": ждёт")
    condition:wait()
    print(("%s: продолжает, замок заперт: %s"):format(name, condition:locked()))
    lucio.sleep(1) -- the next one has to wait for the lock
    print(name .. ": закончила")
  end

  local tg <close> = lucio.TaskGroup()
  for _, name in ipairs{"А", "Б", "В"} do tg:create_task(waiter, name) end
  lucio.sleep(1)
  print(("все ждут, замок заперт: %s"):format(condition:locked()))

  do
    local _ <close> = condition:acquire()
    condition:notify()
    print("разбужена одна")
  end
  lucio.sleep(2)
  do
    local _ <close> = condition:acquire()
    condition:notify_all()
    print("разбужены все")
  end
end

local function states()
  local condition, state = lucio.Condition(), "начало"

  local function change_state(new)
    local _ <close> = condition:acquire()
    print(("состояние: %s -> %s"):format(state, new))
    state = new
    condition:notify_all()
  end

  local function query()
    local _ <close> = condition:acquire()
    print("запрос ждёт соединения")
    condition:wait_for(function()
      print("  проверка: " .. state)
      return state == "соединено"
    end)
    print("запрос выполнен")
  end

  local tg <close> = lucio.TaskGroup()
  tg:create_task(query)
  for _, new in ipairs{"соединяется", "соединено", "разъединено"} do
    lucio.sleep(1)
    change_state(new)
  end
end

local function main()
  notifications()
  print()
  states()
end

lucio.run(main)
