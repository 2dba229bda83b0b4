-- Reading, computing and writing is no single step: threads that do so without a lock overwrite
-- each other's result. With a lock, or with an operation that is one step, the sum is exact.
-- In Python: threading, Lock.
local lucio = require "lucio"

local THREADS, TIMES = 4, 20000

lucio.run(function()
  local pool <close> = lucio.ThreadPoolExecutor{max_workers = THREADS}

  local function all(job, ...)
    local jobs = {}
    for i = 1, THREADS do jobs[i] = pool:submit(job, ...) end
    lucio.gather(table.unpack(jobs))
  end

  -- The two threads are brought into the unlucky order, which otherwise takes luck.
  local balance, turn = lucio.shared.Value("i64", 100), lucio.shared.Value("i64", 0)
  local function deposit(me, sum)
    while me == 2 and turn.value < 1 do end -- luacheck: ignore 542
    local read = balance.value
    turn:add(1)
    while me == 1 and turn.value < 2 do end -- luacheck: ignore 542
    while me == 2 and turn.value < 3 do end -- luacheck: ignore 542
    balance.value = read + sum
    turn:add(1)
  end
  lucio.gather(pool:submit(deposit, 1, 10), pool:submit(deposit, 2, 20))
  print("Без замка: 100 + 10 + 20 = " .. balance.value)

  local sum = lucio.shared.Value("i64", 0)
  all(function()
    for _ = 1, TIMES do
      local _ <close> = sum:get_lock():acquire()
      sum.value = sum.value + 1
    end
  end)
  print("С замком: " .. sum.value)

  local counter = lucio.shared.Value("i64", 0)
  all(function() for _ = 1, TIMES do counter:add(1) end end)
  print("Одним действием: " .. counter.value)
end)
