--- luv: a ring of coroutines in Lua over libuv, which is polled once per turn of the ring. luv has
-- handles and no tasks, so everybody writes this part; timers come from a free list.
local uv = require "luv"

local resume, yield, running = coroutine.resume, coroutine.yield, coroutine.running

local ready, count = {}, 0
local spare = {} -- timers that are not running

local function wake(co)
  count = count + 1
  ready[count] = co
end

local function start(entry, task, fn, ...)
  local argument = ...
  assert(select("#", ...) <= 1, "more arguments than the benchmarks need")
  wake(coroutine.create(function() entry(task, fn, argument) end))
end

local M = require "primitives"(yield, wake, start)

function M.sleep(delay)
  local me = running()
  if delay <= 0 then
    wake(me)
    return yield()
  end
  local timer = table.remove(spare) or uv.new_timer()
  timer:start(math.ceil(delay * 1000), 0, function()
    spare[#spare + 1] = timer
    wake(me)
  end)
  return yield()
end

local function expired()
  error "a timeout fired"
end

local Timeout = {}

function Timeout:__close()
  self.timer:stop()
  spare[#spare + 1] = self.timer
end

function M.timeout(delay)
  local timer = table.remove(spare) or uv.new_timer()
  timer:start(math.ceil(delay * 1000), 0, expired)
  return setmetatable({ timer = timer }, Timeout)
end

function M.wait_for(fn, delay)
  local timer = table.remove(spare) or uv.new_timer()
  timer:start(math.ceil(delay * 1000), 0, expired)
  local result = fn()
  timer:stop()
  spare[#spare + 1] = timer
  return result
end

function M.run(main)
  local task = M.create_task(main)
  local batch = {}
  while not task.finished do
    local n = count
    batch, ready, count = ready, batch, 0
    for i = 1, n do
      local co = batch[i]
      batch[i] = nil
      local ok, message = resume(co)
      if not ok then
        error(debug.traceback(co, message), 0)
      end
    end
    uv.run(count > 0 and "nowait" or "once")
  end
  return task.value
end

return M
