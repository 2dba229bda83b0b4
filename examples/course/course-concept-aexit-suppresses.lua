-- May the exit of a block suppress an error? Lua's __close cannot: it can only replace the error,
-- so the error leaves the block. lucio.with can: a true result of the resource's __exit ends the
-- statement quietly. Both cases side by side, with one class of resources.
-- In asyncio: async with, the result of __aexit__.
local lucio = require "lucio"

local Resource = {}
Resource.__index = Resource

local function acquire(name, suppress)
  print(name .. ": acquired")
  return setmetatable({name = name, suppress = suppress}, Resource)
end

function Resource:__exit(err)
  print(("%s: releasing, error: %s"):format(self.name, err))
  lucio.sleep(0.5)
  print(self.name .. ": released")
  return self.suppress
end

-- The result of __close counts for nothing.
Resource.__close = Resource.__exit

local function fail(resource)
  error(lucio.ValueError("failure in " .. resource.name))
end

local function report(title, fn)
  local ok, err = lucio.pcall(fn)
  print(("%s: %s\n"):format(title, ok and "no error came out" or "got " .. tostring(err)))
end

local function main()
  report("with, __exit returns true", function()
    lucio.with(acquire("A", true), fail)
    print("the line after the statement runs")
  end)

  report("with, __exit returns false", function()
    lucio.with(acquire("B", false), fail)
    print("never printed")
  end)

  report("<close>, true changes nothing", function()
    local resource <close> = acquire("C", true)
    fail(resource)
  end)

  report("with, no error", function()
    local result = lucio.with(acquire("D", true), function(resource)
      return "result of " .. resource.name
    end)
    print(result)
  end)
end

lucio.run(main)
