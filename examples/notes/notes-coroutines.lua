-- A coroutine stops at a long operation and goes on after it, with its local variables; others run
-- meanwhile. One entry point, lucio.run, starts everything. In asyncio: async def, await, run.
local lucio = require "lucio"

local function report(name, pages)
  local written = 0
  for page = 1, pages do
    print(("%s: запросил страницу %d"):format(name, page))
    lucio.sleep(1) -- the long operation
    written = written + 1
    print(("%s: получил страницу %d"):format(name, page))
  end
  return written
end

local function main()
  local background = lucio.create_task(report, "фоновый", 1)
  local written = report("основной", 2) -- an ordinary call
  print(("Страниц: %d и %d"):format(written, background:await()))
end

lucio.run(main)
