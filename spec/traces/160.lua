-- 160: nested calls, loop callbacks
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, ev, try_do, reg, watch, named = P.isa, P.err, P.state, P.begin, P.ev, P.try_do, P.reg, P.watch, P.named
local finally, finish, run, AppError, NetError, DataError, FatalError = P.finally, P.finish, P.run, P.AppError, P.NetError, P.DataError, P.FatalError

local f1, t1, t2, t3, c1, c2, hd1
local k2, d1, h1, h2, w1, w2

function k2(n)
  ev("k2", n)
end

function d1(f)
  ev("d1", f, state(f))
end

h1 = lucio.async(function(n)
  ev("h1", n)
  ev("slept", (lucio.sleep(0.75, n + 1)))
  try_do("set f1", function() f1:set_result(n + 1) end)
  ev("await f1", (f1:await()))
  error(DataError("no"))
end)

function h2(n)
  ev("h2", n)
  ev("h1", (lucio.await(h1(n))))
  lucio.sleep(0.25)
  ev("h1", (lucio.await(h1(n + 1))))
  error(NetError("broken"))
end

function w1(n)
  do
    local ok, e = pcall(function()
      do
        local ok, e = pcall(function()
        end)
        if not ok then
          if not isa(e, FatalError) then error(e, 0) end
          ev("except FatalError", err(e))
        end
      end
      c1 = watch("c1", lucio.get_running_loop():create_task(h2, 7))
      t1:add_done_callback(d1)
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
    end
  end
  do
    local _ <close> = finally(function()
      ev("cleanup", 5)
    end)
    try_do("set f1", function() f1:set_result(n) end)
    ev("here", n)
    try_do("fail f1", function() f1:set_exception(AppError("oops")) end)
  end
  return 5
end

w2 = lucio.async(function(n)
  c2 = watch("c2", lucio.create_task(h1(1)))
  f1:add_done_callback(d1)
  return n + 1
end)

local function settle()
  if not f1:done() then f1:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  t1 = watch("t1", lucio.get_running_loop():create_task(w2(8)))
  t2 = watch("t2", lucio.create_task(w1, 8))
  hd1 = lucio.get_running_loop():call_later(1, k2, 7)
  t3 = lucio.create_task(named("t3", w2, 2))
  finish(settle, 6)
  ev("final", "f1", state(f1))
end

run(main)
