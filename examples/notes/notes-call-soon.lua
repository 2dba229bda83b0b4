-- The layer below tasks: callbacks of the loop. call_soon queues for the next iteration, in line
-- with the first steps of new tasks; timers follow what was ready already, by deadline; a handle
-- can be cancelled.
-- In asyncio: loop.call_soon, call_later, call_at, Handle.cancel, TimerHandle.when.
local lucio = require "lucio"

local function main()
  local loop = lucio.get_running_loop()
  local start = loop:time()

  lucio.create_task(print, "задача, создана первой")
  loop:call_soon(print, "call_soon, вызван вторым")
  lucio.create_task(print, "задача, создана третьей")
  loop:call_later(0, print, "call_later(0): в той же итерации, но после готовых")
  local never = loop:call_soon(print, "отменённый вызов")
  never:cancel()
  print("main продолжает; вызов отменён: " .. tostring(never:cancelled()))
  lucio.sleep(0)
  print("main после sleep(0)")
  lucio.sleep(0) -- call_later(0) has its turn

  local done = loop:create_future()
  loop:call_later(2, print, "call_later(2)")
  loop:call_at(start + 1, print, "call_at(+1): срок важнее порядка вызова")
  local last = loop:call_later(3, done.set_result, done, "call_later(3) будит main")
  print(("Срок последнего: +%.0f с"):format(last:when() - start))
  print(done:await())
end

lucio.run(main)
