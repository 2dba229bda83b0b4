-- Best practice: a time limit. wait_for cancels what takes too long, so its last line is never
-- printed, and raises TimeoutError. In asyncio: wait_for, TimeoutError.
local lucio = require "lucio"

local function long_task()
  lucio.sleep(5)
  print("Долгосрочная задача завершена")
end

local function main()
  local ok, err = lucio.pcall(lucio.wait_for, long_task, 3)
  if not ok then
    if not lucio.isinstance(err, lucio.TimeoutError) then error(err, 0) end
    print("Задача превысила лимит времени и была отменена")
  end
end

lucio.run(main)
