-- A task is put into a loop that exists already, and the loop then runs "for ever": until a done
-- callback of that task stops it. In asyncio: loop.create_task, Task.add_done_callback,
-- loop.run_forever, loop.stop.
local lucio = require "lucio"

local function greet()
  print("Привет из существующего цикла событий!")
  lucio.sleep(1)
  print("До свидания из существующего цикла событий!")
end

local loop = lucio.new_event_loop()
local task = loop:create_task(greet)
task:add_done_callback(function() loop:stop() end)

loop:run_forever()
loop:close()
