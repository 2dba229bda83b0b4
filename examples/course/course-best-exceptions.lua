-- Best practice: catch errors around the call that waits. lucio.pcall catches ordinary errors and
-- lets a cancellation pass, as Python's "except Exception" does.
-- In asyncio: try/except around await.
local lucio = require "lucio"

local function might_raise_exception()
  lucio.sleep(0.1)
  error(lucio.ValueError("Demonstrating exception"))
end

local function with_exception_handling()
  local ok, err = lucio.pcall(might_raise_exception)
  if not ok then
    print("Caught exception: " .. tostring(err))
  end
end

lucio.run(with_exception_handling)
