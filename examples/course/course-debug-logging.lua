-- A log of what the program does, and the debug mode of its loop. The book switches the mode on
-- in a loop that asyncio.run never uses; a Runner made with debug = true gives it to the loop
-- that runs. All lines go to stderr, stdout stays empty.
-- In asyncio: logging.basicConfig, loop.set_debug.
local lucio = require "lucio"
local log = require "lucio.log"

log.basicConfig {
  level = log.DEBUG,
  format = "%(asctime)s - %(name)s - %(levelname)s - %(message)s",
}

local function debug_demo()
  local loop, logger = lucio.get_running_loop(), log.getLogger "lucio"
  logger:debug("Using backend: %s", loop.backend)
  logger:debug("Debug mode: %s", loop:get_debug())
  log.debug("Starting operation")
  lucio.sleep(1)
  log.debug("Operation completed")
end

do
  local runner <close> = lucio.Runner{debug = true}
  runner:run(debug_demo)
end
