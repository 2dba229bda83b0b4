-- 151: tasks left to the end of run, cancellation
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local state, begin, ev, try_do, try_get, reg, watch, daemon, named = P.state, P.begin, P.ev, P.try_do, P.try_get, P.reg, P.watch, P.daemon, P.named
local finally, finish, run, NetError, FatalError = P.finally, P.finish, P.run, P.NetError, P.FatalError

local f1, f2, t1, t2, t3, t4, t5, t6, m1, m2
local d1, h2, w1, w2, w3

function d1(f)
  ev("d1", f, state(f))
end

h2 = lucio.async(function(n)
  ev("h2", n)
  lucio.sleep(1)
  lucio.sleep(-1)
  f1:add_done_callback(d1)
  do
    local _ <close> = finally(function()
      ev("cleanup", 2)
      lucio.sleep(0)
    end)
    ev("await t4", (t4:await()))
  end
  error(FatalError("no"))
end)

w1 = lucio.async(function(n)
  ev("cancel f1", f1:cancel())
  ev("cancel t6", t6:cancel())
  ev("await t4", (t4:await()))
  ev("removed d1", t1:remove_done_callback(d1))
  return n + 1
end)

function w2(n)
  lucio.sleep(0.25)
  lucio.sleep(0)
  lucio.sleep(0.5)
  return n
end

function w3(n)
  lucio.sleep(0.75)
  try_do("set f1", function() f1:set_result(n) end)
  try_do("fail f2", function() f2:set_exception(NetError("bad")) end)
  try_do("set f1", function() f1:set_result(1) end)
  ev("cancel t1", t1:cancel())
  lucio.sleep(0.125)
  try_get("exception f1", function() return f1:exception() end)
  lucio.sleep(0.5)
  try_do("fail f2", function() f2:set_exception(NetError("bad")) end)
  ev("removed d1", f2:remove_done_callback(d1))
  f1:add_done_callback(d1)
  ev("cancel f1", f1:cancel())
end

local function settle()
  if not f1:done() then f1:set_result(77) end
  if not f2:done() then f2:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.Future())
  t2 = watch("t2", lucio.create_task(w1(1)))
  t4 = watch("t4", lucio.create_task(w2, 7))
  t4:add_done_callback(d1)
  t1 = watch("t1", lucio.create_task(w3, 2))
  t6 = watch("t6", lucio.create_task(w2, 9))
  t3 = watch("t3", lucio.get_running_loop():create_task(w3, 8))
  t5 = lucio.create_task(named("t5", w2, 9))
  t5:add_done_callback(d1)
  m1 = daemon("m1", lucio.create_task(h2(7)))
  m2 = daemon("m2", lucio.get_running_loop():create_task(w2, 1))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
end

run(main)
