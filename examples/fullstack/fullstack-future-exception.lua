-- A future that ends with an error: whoever waits for it gets the error raised.
-- In asyncio: loop.create_future, Future.set_exception, try/except.
local lucio = require "lucio"

local function set_future_exception(fut, delay)
  lucio.sleep(delay)
  fut:set_exception(lucio.ValueError("An error occurred"))
end

local function main()
  local fut = lucio.get_running_loop():create_future()
  lucio.create_task(set_future_exception, fut, 2)
  local ok, err = lucio.pcall(fut.await, fut)
  if not ok then
    if not lucio.isinstance(err, lucio.ValueError) then error(err, 0) end
    print("Caught an exception: " .. tostring(err))
  end
end

lucio.run(main)
