-- Partial results: wait first returns when the fastest of four mirrors has answered, then takes
-- what comes within half a second more, the failure of one mirror included. wait itself neither
-- raises nor cancels anything, so the slow rest is cancelled and awaited by hand.
-- In asyncio: wait(timeout, FIRST_COMPLETED), done and pending, task.cancel.
local lucio = require "lucio"

local function fetch(mirror, delay, broken)
  local ok, err = pcall(lucio.sleep, delay)
  if not ok then
    print(mirror .. ": gave up")
    error(err, 0)
  elseif broken then
    error(lucio.ConnectionError(mirror .. " is broken"))
  end
  return "answer of " .. mirror
end

local function report(title, done, pending)
  print(("%s: %d done, %d pending"):format(title, #done, #pending))
  for _, task in ipairs(done) do
    local err = task:exception()
    print(("  %s: %s"):format(task:get_name(), err and "error, " .. tostring(err) or task:result()))
  end
end

local function main()
  local function start(mirror, ...)
    return lucio.create_task{name = mirror, fetch, mirror, ...}
  end
  local tasks = {
    start("alpha", 0.6),
    start("beta", 0.2),
    start("gamma", 5),
    start("delta", 0.5, true),
  }

  local done, pending = lucio.wait(tasks, {return_when = lucio.FIRST_COMPLETED})
  report("first answer", done, pending)

  done, pending = lucio.wait(pending, {timeout = 0.5})
  report("within the limit", done, pending)

  for _, task in ipairs(pending) do task:cancel() end
  lucio.wait(pending)
  for _, task in ipairs(pending) do
    print(("  %s: cancelled: %s"):format(task:get_name(), task:cancelled()))
  end
end

lucio.run(main)
