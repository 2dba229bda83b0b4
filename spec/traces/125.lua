-- 125: a lock, timeouts
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, state, begin, ev, try_do, reg, watch, finish, run = P.isa, P.state, P.begin, P.ev, P.try_do, P.reg, P.watch, P.finish, P.run
local NetError, FatalError = P.NetError, P.FatalError

local f1, f2, lock1, lock2, t1, t2, t3
local d1, h1, w1, w2, w3

function d1(f)
  ev("d1", f, state(f))
  ev("f2", state(f2))
end

function h1(n)
  lucio.sleep(0)
  lucio.sleep(0)
  do
    local s1
    local ok, e = pcall(function()
      local scope <close> = lucio.timeout_at(nil)
      s1 = scope
      lucio.with(lock1:acquire(), function()
        ev("in lock1")
        lucio.sleep(0.5)
      end)
    end)
    if ok then
      ev("s1 in time", s1:expired())
    elseif isa(e, lucio.TimeoutError) then
      ev("s1 timed out", s1:expired(), lucio.current_task():cancelling())
    else
      error(e, 0)
    end
  end
  do
    lock1:acquire()
    local ok, e = pcall(function()
      ev("got lock1")
      lucio.sleep(0)
      ev("removed d1", f2:remove_done_callback(d1))
    end)
    try_do("release lock1", function() lock1:release() end)
    if not ok then error(e, 0) end
  end
  return n + 1, 1
end

function w1(n)
  lucio.sleep(0)
  lucio.sleep(1)
  lucio.sleep(0.25)
  return n * 10
end

function w2(n)
  ev("h1", h1(3))
  try_do("fail f1", function() f1:set_exception(NetError("broken")) end)
end

function w3(n)
  ev("slept", (lucio.sleep(0.25, n + 1)))
  t1:add_done_callback(d1)
  ev("h1", h1(9))
  do
    lucio.wait_for(function() lock2:acquire() end, 0.25)
    local ok, e = pcall(function()
      ev("got lock2")
      lucio.sleep(0.5)
      try_do("fail f2", function() f2:set_exception(FatalError("broken")) end)
    end)
    try_do("release lock2", function() lock2:release() end)
    if not ok then error(e, 0) end
  end
  ev("lock1 locked", lock1:locked())
  return n + 1
end

local function settle()
  if not f1:done() then f1:set_result(77) end
  if not f2:done() then f2:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.Future())
  lock1 = lucio.Lock()
  lock2 = lucio.Lock()
  t1 = watch("t1", lucio.create_task(function() return w1(7) end))
  t2 = watch("t2", lucio.get_running_loop():create_task(w2, 9))
  t3 = watch("t3", lucio.create_task(w3, 9))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
  ev("final", "lock1", lock1:locked())
  ev("final", "lock2", lock2:locked())
end

run(main)
