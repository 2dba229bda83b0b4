--- What does a call that logs cost? One operation: one call; at a disabled level, and at an enabled
-- one whose line goes to /dev/null, with two arguments and the format that shows time and place.
local log = require "lucio.log"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local CALLS = 50000

local logger = log.getLogger "bench.log"
local stream = assert(io.open("/dev/null", "w"))
log.basicConfig {
  level = "INFO",
  stream = stream,
  format = "%(asctime)s %(levelname)s %(name)s %(filename)s:%(lineno)d %(message)s",
}

measure.repeated("log_disabled", CALLS, function()
  for i = 1, CALLS do
    logger:debug("%s took %d", "it", i)
  end
end)

measure.repeated("log_enabled", CALLS, function()
  for i = 1, CALLS do
    logger:info("%s took %d", "it", i)
  end
end)
