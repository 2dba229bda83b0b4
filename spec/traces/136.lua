-- 136: a barrier, timeouts
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, state, begin, now, at, ev, try_do, try_get, reg = P.isa, P.state, P.begin, P.now, P.at, P.ev, P.try_do, P.try_get, P.reg
local watch, named, handle_errors, finish, run, keep, NetError, DataError, FatalError = P.watch, P.named, P.handle_errors, P.finish, P.run, P.keep, P.NetError, P.DataError, P.FatalError

local f1, f2, bar1, t1, t2, t3, t4, c1, hd1, hd2, z91t
local k1, w1, w2, z91

function k1(n)
  ev("k1", n)
  ev("step", 6)
  try_do("fail f2", function() f2:set_exception(FatalError("no")) end)
end

function w1(n)
  do
    local s5
    local ok, e = pcall(function()
      lucio.with(lucio.timeout(0.25), function(scope)
        s5 = scope
        try_do("reschedule s5", function() s5:reschedule(at(now() + 0.5)) end)
        bar1:wait()
        ev("passed bar1")
        c1 = watch("c1", lucio.create_task(function() return lucio.wait_for(function() return lucio.sleep(0.25, 2) end, 0.25) end))
      end)
    end)
    if ok then
      ev("s5 in time", s5:expired())
    elseif isa(e, lucio.TimeoutError) then
      ev("s5 timed out", s5:expired(), lucio.current_task():cancelling())
    else
      error(e, 0)
    end
  end
  bar1:wait()
  ev("passed bar1")
  hd1 = lucio.get_running_loop():call_later(0.25, k1, 1)
  try_get("result f1", function() return f1:result() end)
  lucio.sleep(1)
  return n * 10
end

w2 = lucio.async(function(n)
  lucio.sleep(0)
  try_do("fail f1", function() f1:set_exception(NetError("no")) end)
  if hd1 then
    hd1:cancel()
    ev("cancelled hd1", hd1:cancelled())
  end
  hd2 = lucio.get_running_loop():call_at(at(now() + 0.25), k1, 1)
  ev("cancel t3", t3:cancel())
  lucio.sleep(0)
  try_do("fail f2", function() f2:set_exception(DataError("broken")) end)
  return 8
end)

function z91(n)
  bar1:abort()
  ev("abort bar1")
end

local function settle()
  if not f1:done() then f1:set_result(77) end
  z91t = watch("z91t", lucio.create_task(z91, 1))
end

local function main()
  begin()
  handle_errors()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.Future())
  bar1 = lucio.Barrier(1)
  t2 = keep(lucio.create_task{w2(9), name = "t2"})
  t4 = lucio.create_task(named("t4", w1, 1))
  t1 = watch("t1", lucio.create_task(w2(4)))
  t3 = watch("t3", lucio.create_task(w2(3)))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
  ev("final", "bar1", bar1.n_waiting, bar1.broken)
end

run(main)
