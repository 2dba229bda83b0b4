-- A plain function may return a future that a task fills in later; its text shows the state.
-- In asyncio: Future, create_task, await future, done(), repr(future).
local lucio = require "lucio"

local function set_future_value(future)
  lucio.sleep(1)
  future:set_result(42)
end

local function make_request()
  local future = lucio.Future()
  lucio.create_task(set_future_value, future)
  return future
end

local function ready(future)
  print("Future object ready? " .. (future:done() and "True" or "False"))
  print("future = " .. tostring(future))
end

local function main()
  local future = make_request()
  ready(future)
  local value = future:await() -- suspends main until the value is there
  ready(future)
  print("value = " .. value)
end

lucio.run(main)
