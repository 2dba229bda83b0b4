-- A lock makes reading, waiting and writing one step for all who use it, so no addition is lost.
-- acquire returns the lock, so a <close> variable holds it to the end of its block; acquire and
-- release by hand do the same. Who waits for the lock is suspended: the other tasks run on.
-- In asyncio: Lock, async with, acquire and release.
local lucio = require "lucio"

local TASKS, STEPS = 2, 100

local function count_with(lock)
  local counter = 0
  do
    local tg <close> = lucio.TaskGroup()
    for _ = 1, TASKS do
      tg:create_task(function()
        for _ = 1, STEPS do
          local _ <close> = lock and lock:acquire()
          local value = counter
          lucio.sleep(0.01)
          counter = value + 1
        end
      end)
    end
  end
  return counter
end

local function by_block(lock)
  print("А: ждёт замок")
  do
    local _ <close> = lock:acquire()
    print("А: в критической секции")
    lucio.sleep(2)
  end
  print("А: замок свободен")
end

local function by_hand(lock)
  print("Б: ждёт замок")
  lock:acquire()
  print("Б: в критической секции")
  lucio.sleep(2)
  lock:release()
  print("Б: замок свободен")
end

local function ticker()
  for i = 1, 3 do
    lucio.sleep(0.9)
    print("другая задача работает: " .. i)
  end
end

local function main()
  print("без замка: " .. count_with(nil))
  print("с замком: " .. count_with(lucio.Lock()))

  local lock = lucio.Lock()
  local tg <close> = lucio.TaskGroup()
  tg:create_task(by_block, lock)
  tg:create_task(by_hand, lock)
  tg:create_task(ticker)
end

lucio.run(main)
