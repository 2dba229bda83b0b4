--- Asserts that a program does in tasks, with and without waits, what it does outside of them.
--
--     alike(function(pause, log) ... return results end)
--
-- The program is called as a callback of the loop first, where Lua's own functions run as they are,
-- then in a task, in a task whose `pause()` waits, and so in a coroutine of a task. It makes all
-- its objects itself. What it returns or raises and the lines that it logs have to be the same.
local assert = require "luassert"
local lucio = require "lucio"

local function nothing() end

local function wait()
  lucio.sleep(0)
end

-- Every second time.
local function wait_at_times()
  local n = 0
  return function()
    n = n + 1
    if n % 2 == 0 then lucio.sleep(0) end
  end
end

local function outcome(program, pause)
  local lines = {}
  local function log(...)
    local words = table.pack(...)
    for i = 1, words.n do words[i] = tostring(words[i]) end
    lines[#lines + 1] = table.concat(words, " ")
  end
  local results = table.pack(pcall(program, pause, log))
  return {results = results, lines = table.concat(lines, "\n")}
end

--- Runs a function as a callback of the loop, outside of any task, and returns what it does.
local function outside(fn)
  local results
  lucio.get_running_loop():call_soon(function() results = table.pack(fn()) end)
  lucio.sleep(0)
  return table.unpack(results, 1, results.n)
end

local function alike(program)
  local expected = outside(function() return outcome(program, nothing) end)
  assert.are.same(expected, outcome(program, nothing))
  assert.are.same(expected, outcome(program, wait))
  assert.are.same(expected, outcome(program, wait_at_times()))
  assert.are.same(expected, coroutine.wrap(function() return outcome(program, wait) end)())
  return expected.results
end

return setmetatable({outside = outside}, {__call = function(_, program) return alike(program) end})
