-- A deadlock: two tasks take two locks in opposite order, each holds one and waits for the other
-- for ever. A time limit detects it: wait_for cancels both, their <close> variables give the
-- locks back. The cure: everybody takes the locks in the same order.
-- In asyncio: Lock, async with, wait_for, gather.
local lucio = require "lucio"

local transfer = lucio.async(function(name, first, second)
  local _ <close> = first.lock:acquire()
  print(("%s: держит %s, нужен %s"):format(name, first.name, second.name))
  lucio.sleep(0.1)
  local _ <close> = second.lock:acquire()
  print(("%s: держит оба"):format(name))
  lucio.sleep(0.1)
end)

local function account(name) return {name = name, lock = lucio.Lock()} end

local function main()
  local a, b = account("замок 1"), account("замок 2")
  local function run_both(first, second)
    local ok, err = lucio.pcall(lucio.wait_for, function() lucio.gather(first, second) end, 1)
    if ok then
      print("обе задачи закончились")
    elseif lucio.isinstance(err, lucio.TimeoutError) then
      print("взаимная блокировка: за секунду никто не закончил")
    else
      error(err, 0)
    end
    print(("заперты ещё: %s, %s\n"):format(a.lock:locked(), b.lock:locked()))
  end

  print("Разный порядок")
  run_both(transfer("А", a, b), transfer("Б", b, a))
  print("Одинаковый порядок")
  run_both(transfer("А", a, b), transfer("Б", a, b))
end

lucio.run(main)
