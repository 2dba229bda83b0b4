-- A future is a result that does not exist yet: main waits for it, another task sets it.
-- In asyncio: loop.create_future, Future.set_result, await future.
local lucio = require "lucio"

local function set_future(fut)
  lucio.sleep(1)
  fut:set_result("Результат Future")
end

local function main()
  local fut = lucio.get_running_loop():create_future()
  lucio.create_task(set_future, fut)
  print(fut:await())
end

lucio.run(main)
