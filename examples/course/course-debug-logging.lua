-- A log of what the program does, and the debug mode of its loop. The book switches the mode on
-- in a loop that asyncio.run never uses; a Runner made with debug = true gives it to the loop
-- that runs. All lines go to stderr, stdout stays empty.
-- In asyncio: logging.basicConfig, loop.set_debug.
local lucio = require "lucio"

local function log_debug(name, message)
  io.stderr:write(("%s - %s - DEBUG - %s\n"):format(os.date("%Y-%m-%d %H:%M:%S"), name, message))
end

local function debug_demo()
  local loop = lucio.get_running_loop()
  log_debug("lucio", "Using backend: " .. loop.backend)
  log_debug("lucio", "Debug mode: " .. tostring(loop:get_debug()))
  log_debug("root", "Starting operation")
  lucio.sleep(1)
  log_debug("root", "Operation completed")
end

do
  local runner <close> = lucio.Runner{debug = true}
  runner:run(debug_demo)
end
