-- Another event loop, the same program: libev offers several ways to ask the kernel (epoll, poll,
-- select, ...) and a runner takes the name of one; the command does so by --backend.
-- In asyncio: uvloop.EventLoopPolicy, run_until_complete.
local lucio = require "lucio"

local function compute()
  lucio.sleep(1)
  local sum = 0
  for i = 0, 999999 do sum = sum + i end
  return sum
end

local runner <close> = lucio.Runner{backend = "poll"}
assert(runner:get_loop().backend == "poll")
print("Результат вычислений: " .. runner:run(compute))
