-- The smallest `async with`: a constructor that enters, a __close metamethod that leaves.
-- In asyncio: async with, __aenter__, __aexit__.
local lucio = require "lucio"

local function context_manager()
  print("Enter context")
  return setmetatable({}, {__close = function() print("Exit context") end})
end

local function main()
  local _ <close> = context_manager()
  print("Inside context")
end

lucio.run(main)
