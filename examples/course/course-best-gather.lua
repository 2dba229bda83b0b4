-- Best practice: with return_exceptions gather does not stop at an error; the errors stand among
-- the results, as objects that lucio.isinstance recognises.
-- In asyncio: gather(return_exceptions=True).
local lucio = require "lucio"

local function coro1()
  lucio.sleep(0.1)
  return "result 1"
end

local function coro2()
  lucio.sleep(0.1)
  error(lucio.ValueError("error 2"))
end

local function coro3()
  lucio.sleep(0.1)
  return "result 3"
end

local function gather_with_exception_handling()
  local results = lucio.gather{coro1, coro2, coro3, return_exceptions = true}
  for i, result in ipairs(results) do
    local failed = lucio.isinstance(result, lucio.Exception)
    print(("Task %d %s with %s"):format(i - 1, failed and "failed" or "succeeded", result))
  end
end

lucio.run(gather_with_exception_handling)
