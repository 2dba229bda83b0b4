-- A callback of a future runs through the loop when the future is done, in order of registration:
-- here before main, which began to wait later. In asyncio: Future.add_done_callback.
local lucio = require "lucio"

local function callback(fut)
  print("Callback: " .. fut:result())
end

local function set_future(fut)
  lucio.sleep(1)
  fut:set_result("Результат с Callback")
end

local function main()
  local fut = lucio.get_running_loop():create_future()
  fut:add_done_callback(callback)
  lucio.create_task(set_future, fut)
  fut:await()
end

lucio.run(main)
