-- 127: a semaphore, timeouts
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, rel, ev, try_do, try_get, reg = P.isa, P.err, P.state, P.begin, P.rel, P.ev, P.try_do, P.try_get, P.reg
local watch, finish, permits, run, AppError, NetError = P.watch, P.finish, P.permits, P.run, P.AppError, P.NetError

local f1, sem1, t1, t2, t3, t4, t5, t6, c1
local h2, w1, w2, w3

h2 = lucio.async(function(n)
  ev("h2", n)
  do
    local _ <close> = sem1:acquire()
    ev("in sem1")
    lucio.sleep(0.25)
  end
  do
    local ok, e = pcall(function()
      for i1 = 0, 1 do
        lucio.sleep(0.25)
        ev("await f1", (f1:await()))
      end
    end)
    if not ok then
      if not isa(e, lucio.TimeoutError) then error(e, 0) end
      ev("except TimeoutError", err(e))
      lucio.sleep(0.25)
    end
  end
  return n + 1
end)

function w1(n)
  lucio.sleep(-1)
  do
    local s2
    do
      local scope <close> = lucio.timeout(0.5)
      s2 = scope
      try_do("reschedule s2", function() s2:reschedule(nil) end)
      ev("s2 when", rel(s2:when()))
      do
        local ok, e = pcall(function()
          do
            local _ <close> = sem1:acquire()
            ev("in sem1")
          end
        end)
        if not ok then
          if not isa(e, lucio.TimeoutError) then error(e, 0) end
          ev("except TimeoutError", err(e))
          try_do("release sem1", function() sem1:release() end)
          ev("h2", (lucio.await(h2(n + 1))))
          lucio.sleep(0.75)
        end
      end
    end
    ev("s2 in time", s2:expired())
  end
  return 3
end

function w2(n)
  do
    local _ <close> = sem1:acquire()
    ev("in sem1")
    lucio.sleep(0.25)
  end
  lucio.sleep(0.75)
  do
    local ok, e = lucio.pcall(function()
      lucio.sleep(0)
      try_do("set f1", function() f1:set_result(n) end)
      c1 = watch("c1", lucio.create_task(h2(3)))
    end)
    if not ok then
      ev("except Exception", err(e))
      lucio.sleep(0)
      error(e, 0)
    end
  end
  return n * 10
end

function w3(n)
  lucio.sleep(0)
  ev("cancel t5", t5:cancel())
  try_get("exception f1", function() return f1:exception() end)
  lucio.sleep(0)
  try_do("fail f1", function() f1:set_exception(NetError("bad")) end)
  try_do("fail f1", function() f1:set_exception(AppError("bad")) end)
  lucio.sleep(0.25)
  ev("cancel t5", t5:cancel())
end

local function settle()
  if not f1:done() then f1:set_result(77) end
  try_do("release sem1", function() sem1:release() end)
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  sem1 = lucio.Semaphore(1)
  t1 = watch("t1", lucio.create_task(w1, 1))
  t2 = watch("t2", lucio.create_task(w2, 2))
  t3 = watch("t3", lucio.create_task(w3, 7))
  t4 = watch("t4", lucio.create_task(w1, 3))
  t5 = watch("t5", lucio.create_task(function() return w1(2) end))
  t6 = watch("t6", lucio.get_running_loop():create_task(w2, 9))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  permits("sem1", sem1)
end

run(main)
