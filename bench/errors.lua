--- What does an error cost on its way out? One operation: a chain of 1 or of 5 tasks, each of
-- which awaits the next, whose last one raises; `none`: the same chain without an error. Tracebacks
-- are made only where an error passes: the chain without one must cost what it costs without them.
local lucio = require "lucio"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local CHAINS = 20000

local create_task, pcall = lucio.create_task, pcall

local function chain(n, e)
  if n > 1 then
    return create_task(chain, n - 1, e):await()
  end
  if e then
    error(e(), 0)
  end
  return n
end

local function awaits(n, e)
  return create_task(chain, n, e):await()
end

local function object()
  return lucio.ValueError "text"
end

local function bare()
  return "text"
end

lucio.run(function()
  for _, n in ipairs { 1, 5 } do
    for _, case in ipairs { { "none", nil }, { "object", object }, { "bare", bare } } do
      local name, e = case[1], case[2]
      measure.repeated(("error_%s_%d"):format(name, n), CHAINS, function()
        for _ = 1, CHAINS do
          local ok = pcall(awaits, n, e)
          assert(ok == (e == nil))
        end
      end)
    end
  end
end)
