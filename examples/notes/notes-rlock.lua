-- A reentrant lock, made of a plain one: the task that holds it may take it again, for instance
-- in a recursive function, and it comes free when it was released as often as acquired. With a
-- plain lock the recursion waits for itself, which a time limit shows.
-- In asyncio: Lock, current_task (threading.RLock for threads).
local lucio = require "lucio"

local RLock = {}
RLock.__index = RLock

local function rlock()
  return setmetatable({lock = lucio.Lock(), owner = nil, count = 0}, RLock)
end

function RLock:acquire()
  local task = lucio.current_task()
  if self.owner ~= task then
    self.lock:acquire()
    self.owner = task
  end
  self.count = self.count + 1
  return self
end

function RLock:release()
  if self.owner ~= lucio.current_task() then
    error(lucio.RuntimeError("the lock is held by another task"), 2)
  end
  self.count = self.count - 1
  if self.count == 0 then
    self.owner = nil
    self.lock:release()
  end
end

RLock.__close = RLock.release

local function sum(list, lock, on_enter, i)
  i = i or 1
  if i > #list then return 0 end
  local _ <close> = lock:acquire()
  on_enter(i)
  lucio.sleep(0.1)
  return list[i] + sum(list, lock, on_enter, i + 1)
end

local function main()
  local list = {1, 2, 3, 4}

  print("Простой замок")
  local plain = lucio.Lock()
  local ok, err = lucio.pcall(lucio.wait_for, function()
    return sum(list, plain, function(depth) print("глубина " .. depth) end)
  end, 5)
  assert(not ok)
  print(err.name)

  print("Повторно захватываемый замок")
  local lock = rlock()
  local other = lucio.create_task(function()
    lucio.sleep(0.15)
    print("другая задача ждёт замок")
    local _ <close> = lock:acquire()
    print("другая задача получила замок, захватов " .. lock.count)
  end)
  local total = sum(list, lock, function(depth)
    print(("глубина %d, захватов %d"):format(depth, lock.count))
  end)
  print("сумма: " .. total)
  print("после рекурсии захватов " .. lock.count)
  other:await()

  local _, refused = lucio.pcall(lock.release, lock)
  print("лишнее освобождение: " .. refused.name)
end

lucio.run(main)
