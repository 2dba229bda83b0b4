-- A semaphore lets in two of four workers at a time. A and B sleep equally long and leave in one
-- iteration of the loop; C and D are resumed in the next.
-- In asyncio: Semaphore, async with, gather.
local lucio = require "lucio"

local worker = lucio.async(function(name, semaphore)
  do
    local _ <close> = semaphore:acquire()
    print(("Работник %s получил доступ."):format(name))
    lucio.sleep(2)
  end
  print(("Работник %s освободил доступ."):format(name))
end)

local function main()
  local semaphore = lucio.Semaphore(2)
  lucio.gather(
    worker("A", semaphore),
    worker("B", semaphore),
    worker("C", semaphore),
    worker("D", semaphore)
  )
end

lucio.run(main)
