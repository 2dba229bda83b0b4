-- Two workers, one lock. acquire returns the lock, which a <close> variable releases at the end of
-- its block. The waiter is woken through the loop, so A says "освободил" before B says "получил".
-- In asyncio: Lock, async with, gather.
local lucio = require "lucio"

local worker = lucio.async(function(name, lock)
  print(("Работник %s пытается получить лок..."):format(name))
  do
    local _ <close> = lock:acquire()
    print(("Работник %s получил лок."):format(name))
    lucio.sleep(2)
  end
  print(("Работник %s освободил лок."):format(name))
end)

local function main()
  local lock = lucio.Lock()
  lucio.gather(worker("A", lock), worker("B", lock))
end

lucio.run(main)
