-- The whole life of a future: pending, then exactly once a result, an error or a cancellation. Its
-- result is an error before that, a second result always is; callbacks run through the loop, also
-- when registered late. In asyncio: create_future, set_result, set_exception, result, exception,
-- done, cancel, add_done_callback, InvalidStateError.
local lucio = require "lucio"

local function try(what, method, ...)
  local ok, err = pcall(method, ...) -- Lua's own pcall: CancelledError is wanted too
  print(("%s: %s"):format(what, ok and "удалось" or err.name))
end

local function main()
  local loop = lucio.get_running_loop()

  print("Результат:")
  local fut = loop:create_future()
  print("  done: " .. tostring(fut:done()))
  try("  result до срока", fut.result, fut)
  fut:add_done_callback(function(f) print("  обратный вызов: " .. f:result()) end)
  loop:call_later(1, fut.set_result, fut, "готово")
  print("  await: " .. fut:await())
  print("  done: " .. tostring(fut:done()))
  print("  result: " .. fut:result())
  try("  второй set_result", fut.set_result, fut, "ещё раз")
  fut:add_done_callback(function() print("  поздний обратный вызов") end)
  print("  поздний обратный вызов только записан")
  lucio.sleep(0)

  print("Ошибка:")
  fut = loop:create_future()
  fut:set_exception(lucio.ValueError("не вышло"))
  print("  exception: " .. tostring(fut:exception()))
  try("  result", fut.result, fut)
  try("  await", fut.await, fut)
  try("  set_result", fut.set_result, fut, 1)

  print("Отмена:")
  fut = loop:create_future()
  print("  cancel: " .. tostring(fut:cancel()))
  print("  cancelled: " .. tostring(fut:cancelled()))
  try("  result", fut.result, fut)
  print("  второй cancel: " .. tostring(fut:cancel()))
end

lucio.run(main)
