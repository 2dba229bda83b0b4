-- Shared state without locks: a version, once published, never changes. The writer makes a new
-- version and publishes it by one assignment; a reader that took the old one keeps a consistent
-- picture, however long it waits in between. In asyncio: tasks, sleep; no synchronisation at all.
local lucio = require "lucio"

local function frozen(fields)
  return setmetatable({}, {
    __index = fields,
    __newindex = function(_, key)
      error(lucio.TypeError("снимок неизменяем, поле " .. key))
    end,
  })
end

local current = frozen{version = 1, debit = 100, credit = 100}

local writer = lucio.async(function()
  for _ = 1, 3 do
    lucio.sleep(1)
    local old = current
    current = frozen{version = old.version + 1, debit = old.debit + 10, credit = old.credit + 10}
    print(("Опубликована версия %d"):format(current.version))
  end
end)

local reader = lucio.async(function(name, start, pause)
  lucio.sleep(start)
  local snapshot = current
  local debit = snapshot.debit
  lucio.sleep(pause) -- meanwhile newer versions appear
  local credit = snapshot.credit
  print(("Читатель %s: версия %d, %d = %d, текущая версия %d"):format(
    name, snapshot.version, debit, credit, current.version))
  assert(debit == credit)
end)

local function main()
  lucio.gather(writer(), reader("A", 0.5, 1), reader("B", 1.5, 2), reader("C", 2.5, 0))

  local ok, err = lucio.pcall(function() current.debit = 0 end)
  assert(not ok and lucio.isinstance(err, lucio.TypeError))
  print("Изменить нельзя: " .. tostring(err))
end

lucio.run(main)
