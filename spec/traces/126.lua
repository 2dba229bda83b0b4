-- 126: a semaphore, cancellation
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, ev, try_do, reg, watch, named = P.isa, P.err, P.state, P.begin, P.ev, P.try_do, P.reg, P.watch, P.named
local finish, permits, run, AppError = P.finish, P.permits, P.run, P.AppError

local f1, sem1, t1, t2, c1, c2, c3, c4
local d1, h1, h2, h3, w1, w2

function d1(f)
  ev("d1", f, state(f))
end

function h1(n)
  ev("cancel t2", t2:cancel("stop"))
  ev("step", n)
  return n + 1
end

h2 = lucio.async(function(n)
  ev("h2", n)
  do
    local _ <close> = sem1:acquire()
    ev("in sem1")
    lucio.sleep(0.125)
  end
  lucio.sleep(0.25)
  do
    local ok, e = pcall(function()
      lucio.sleep(0.75)
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
    end
  end
  c1 = watch("c1", lucio.get_running_loop():create_task(h1, 2))
end)

function h3(n)
  ev("h3", n)
  c2 = lucio.create_task(named("c2", h1, n))
  c3 = watch("c3", lucio.create_task(h2(n + 1)))
  do
    lucio.wait_for(function() sem1:acquire() end, 0.5)
    local ok, e = pcall(function()
      ev("got sem1")
    end)
    try_do("release sem1", function() sem1:release() end)
    if not ok then error(e, 0) end
  end
  lucio.sleep(0.75)
  do
    local ok, e = pcall(function()
      ev("await t1", (t1:await()))
      do
        local _ <close> = sem1:acquire()
        ev("in sem1")
        lucio.sleep(0.25)
        ev("f1 done", f1:done(), f1:cancelled())
      end
      try_do("fail f1", function() f1:set_exception(AppError("broken")) end)
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
    end
  end
  return n
end

function w1(n)
  lucio.sleep(0.25)
  do
    local _ <close> = sem1:acquire()
    ev("in sem1")
    lucio.sleep(0)
    try_do("set f1", function() f1:set_result(5) end)
  end
  c4 = watch("c4", lucio.create_task(h3, n))
  do
    local ok, e = pcall(function()
      if c1 then
        ev("await c1", (c1:await()))
      end
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
      ev("await f1", (f1:await()))
    end
  end
  return n * 10
end

function w2(n)
  lucio.sleep(0.5)
  if c3 then
    ev("cancel c3", c3:cancel("late"))
  end
end

local function settle()
  if not f1:done() then f1:set_result(77) end
  try_do("release sem1", function() sem1:release() end)
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  sem1 = lucio.BoundedSemaphore(2)
  t1 = watch("t1", lucio.create_task(w1, 8))
  t1:add_done_callback(d1)
  t2 = watch("t2", lucio.create_task(w2, 4))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  permits("sem1", sem1)
end

run(main)
