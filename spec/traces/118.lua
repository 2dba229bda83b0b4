-- 118: wait_for
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, ev, try_do, reg, watch, finally = P.isa, P.err, P.state, P.begin, P.ev, P.try_do, P.reg, P.watch, P.finally
local finish, run, keep, AppError, NetError, FatalError = P.finish, P.run, P.keep, P.AppError, P.NetError, P.FatalError

local f1, f2, f3, t1, t2, t3, t4, c1, c2, c3, c4, c5
local c6
local h1, h2, h3, w1, w2, w3

function h1(n)
  ev("h1", n)
  do
    local _ <close> = finally(function()
      ev("cleanup", 7)
      lucio.sleep(0.125)
    end)
    ev("wait_for", (lucio.wait_for(t3, 0.5)))
  end
  ev("wait_for", (lucio.wait_for(t4, 0.5)))
  try_do("set f3", function() f3:set_result(n) end)
  error(FatalError("bad"))
end

function h2(n)
  lucio.sleep(0.25)
  ev("await f2", (f2:await()))
  ev("wait_for", (lucio.wait_for(f1, 0.25)))
  error(NetError("oops"))
end

function h3(n)
  do
    local ok, e = pcall(function()
      try_do("set f1", function() f1:set_result(n) end)
      c1 = watch("c1", lucio.create_task(lucio.sleep, 0.25, 4))
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
      c2 = watch("c2", lucio.create_task(h1, n + 1))
    end
  end
  try_do("fail f2", function() f2:set_exception(AppError("no")) end)
  ev("wait_for", (lucio.wait_for(function() return h1(9) end, 0.75)))
end

function w1(n)
  lucio.sleep(0.75)
  do
    local ok, e = pcall(function()
      do
        local ok, e = pcall(function()
          c3 = watch("c3", lucio.create_task(function() return h2(4) end))
          ev("wait_for", (lucio.wait_for(function() return h3(n + 1) end, nil)))
        end)
        ev("cleanup", 6)
        if not ok then error(e, 0) end
      end
    end)
    if not ok then
      ev("except BaseException", err(e))
    end
  end
  do
    local ok, e = pcall(function()
      ev("f1", state(f1))
      try_do("set f3", function() f3:set_result(3) end)
    end)
    ev("cleanup", 5)
    if not ok then error(e, 0) end
  end
  try_do("fail f2", function() f2:set_exception(FatalError("no")) end)
  c4 = watch("c4", lucio.create_task(function() return h2(n + 1) end))
  lucio.sleep(0.5)
end

w2 = lucio.async(function(n)
  if c5 then
    c5 = watch("c5", lucio.create_task(lucio.wait_for, c5, 0.25))
  end
  c6 = watch("c6", lucio.create_task(function() return lucio.sleep(0, 1) end))
  do
    local ok, e = pcall(function()
      lucio.sleep(0)
      lucio.sleep(0.5)
    end)
    if not ok then
      if not isa(e, lucio.TimeoutError) then error(e, 0) end
      ev("except TimeoutError", err(e))
      error(e, 0)
    end
  end
  lucio.sleep(0.5)
  return n + 1
end)

function w3(n)
  lucio.sleep(0)
  try_do("set f2", function() f2:set_result(3) end)
  ev("cancel t2", t2:cancel("stop"))
  ev("step", n)
  ev("here", n)
end

local function settle()
  if not f1:done() then f1:set_result(77) end
  if not f2:done() then f2:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.Future())
  f3 = reg("f3", lucio.Future())
  t1 = watch("t1", lucio.create_task(function() return w1(3) end))
  t2 = watch("t2", lucio.get_running_loop():create_task(w1, 2))
  t3 = keep(lucio.create_task{w2(1), name = "t3"})
  t4 = watch("t4", lucio.create_task(w3, 5))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
  ev("final", "f3", state(f3))
end

run(main)
