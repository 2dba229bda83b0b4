--- What does an await cost in a generator, a coroutine that the task resumes? One operation: one
-- `sleep(0)`, in the task itself and in the innermost of 1, 4 and 16 nested generators; and one
-- value handed through a generator, without any await.
local lucio = require "lucio"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local AWAITS = 20000

-- A function that runs `fn` inside of so many generators.
local function nested(depth, fn)
  for _ = 1, depth do
    local inner = fn
    fn = function()
      local go = coroutine.wrap(inner)
      return go()
    end
  end
  return fn
end

local function awaits()
  for _ = 1, AWAITS do
    lucio.sleep(0)
  end
end

lucio.run(function()
  for _, depth in ipairs {0, 1, 4, 16} do
    local fn = nested(depth, awaits)
    measure.repeated("generator_" .. depth, AWAITS, fn)
  end
  measure.repeated("generator_value", AWAITS, function()
    for _ in coroutine.wrap(function()
      for i = 1, AWAITS do
        coroutine.yield(i)
      end
    end) do end
  end)
end)
