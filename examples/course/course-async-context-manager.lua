-- A resource that takes time to get and to give back. The call that makes it is the entry of the
-- block, its __close is the exit; both suspend. __close runs at the end of the block even when an
-- error or a cancellation leaves it.
-- In asyncio: async with, __aenter__, __aexit__.
local lucio = require "lucio"

local AsyncResource = {}
AsyncResource.__index = AsyncResource

local function acquire_resource()
  print("Acquiring resource...")
  lucio.sleep(1)
  print("Resource acquired")
  return setmetatable({acquired = true}, AsyncResource)
end

function AsyncResource:__close()
  print("Releasing resource...")
  lucio.sleep(0.5)
  self.acquired = false
  print("Resource released")
end

function AsyncResource:use()
  assert(self.acquired, "the resource was released")
  print("Using the resource")
  lucio.sleep(0.5)
end

local function main()
  do
    local resource <close> = acquire_resource()
    resource:use()
  end
  print("After context manager")
end

lucio.run(main)
