-- Best practice: handle the errors you expect. Errors are objects with a class: lucio.pcall is
-- `except Exception` (a cancellation goes through it), isinstance picks the class, and what is not
-- ours is raised again. In asyncio: try/except around await.
local lucio = require "lucio"

local function faulty_task()
  lucio.sleep(1)
  error(lucio.ValueError("Произошла ошибка!"))
end

local function main()
  local ok, err = lucio.pcall(faulty_task)
  if not ok then
    if not lucio.isinstance(err, lucio.ValueError) then error(err, 0) end
    print("Исключение поймано: " .. tostring(err))
  end
end

lucio.run(main)
