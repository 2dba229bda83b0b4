-- The dining philosophers: five of them at a round table, a fork between each two neighbours, and
-- two forks needed to eat. If everyone takes the left fork first, all of them hold one fork and
-- wait for ever. If every second one begins with the right fork, everybody eats.
-- In asyncio: Lock, TaskGroup or gather, wait_for.
local lucio = require "lucio"

local N = 5
local REACH, MEAL = 0.25, 1 -- seconds between the two forks, and at a meal

local function left_first(left, right) return left, right end
local function alternating(left, right, i)
  if i % 2 == 0 then return right, left end
  return left, right
end

local function dine(order)
  local loop = lucio.get_running_loop()
  local start = loop:time()
  local forks = {}
  for i = 1, N do forks[i] = lucio.Lock() end

  local eating, most, eaten = {}, 0, 0
  local function eat(i)
    assert(not eating[i % N + 1] and not eating[(i - 2) % N + 1], "neighbours cannot eat at once")
    eating[i] = true
    local count = 0
    for _ in pairs(eating) do count = count + 1 end
    most = math.max(most, count)
    print(("%.2f с: философ %d ест"):format(loop:time() - start, i))
    lucio.sleep(MEAL)
    eating[i] = nil
    eaten = eaten + 1
  end

  local function philosopher(i)
    local first, second = order(forks[i], forks[i % N + 1], i)
    local _ <close> = first:acquire()
    lucio.sleep(REACH)
    local _ <close> = second:acquire()
    eat(i)
  end

  local ok, err = lucio.pcall(lucio.wait_for, function()
    local tg <close> = lucio.TaskGroup()
    for i = 1, N do tg:create_task(philosopher, i) end
  end, 10)
  if not ok and not lucio.isinstance(err, lucio.TimeoutError) then error(err, 0) end
  print(("поели %d из %d за %.2f с%s"):format(eaten, N, loop:time() - start,
    ok and ", одновременно не больше " .. most or ": взаимная блокировка"))
end

local function main()
  print("Все берут сначала левую вилку")
  dine(left_first)
  print("Через одного берут сначала правую")
  dine(alternating)
end

lucio.run(main)
