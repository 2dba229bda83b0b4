-- Debug mode finds what holds the loop up: a step that takes longer than slow_callback_duration
-- (100 ms) is reported on stderr with its task and its time, and so is a coroutine that nobody
-- awaited, with the place where it was made. In asyncio: run(debug=True),
-- loop.slow_callback_duration, "was never awaited".
local lucio = require "lucio"

local function compute(seconds)
  local deadline = os.clock() + seconds
  repeat until os.clock() >= deadline
end

local forgotten = lucio.async(function() end)

local function main()
  print("Порог: " .. lucio.get_running_loop().slow_callback_duration .. " с")
  print("Короткий шаг: ни слова")
  lucio.create_task{compute, 0, name = "short"}:await()
  print("Долгий шаг: задача и её время")
  lucio.create_task{compute, 0.2, name = "long"}:await()
  print("Забытый await: место, где создана сопрограмма")
  forgotten()
  collectgarbage()
  lucio.sleep(0)
end

local runner <close> = lucio.Runner{debug = true}
runner:run(main)
