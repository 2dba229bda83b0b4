-- 161: tasks and done callbacks, cancellation
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, at, rel, ev, try_do, try_get = P.isa, P.err, P.state, P.begin, P.at, P.rel, P.ev, P.try_do, P.try_get
local reg, watch, named, finish, run, AppError = P.reg, P.watch, P.named, P.finish, P.run, P.AppError

local f1, f2, t1, t2, t3, t4, c1, c2, hd1, hd2
local k1, d1, h1, w1, w2, w3

function k1(n)
  ev("k1", n)
end

function d1(f)
  ev("d1", f, state(f))
  try_get("exception t2", function() return t2:exception() end)
end

h1 = lucio.async(function(n)
  lucio.sleep(1)
  ev("cancel t2", t2:cancel())
  return n * 10
end)

w1 = lucio.async(function(n)
  do
    local ok, e = pcall(function()
      try_do("set f2", function() f2:set_result(6) end)
      c1 = watch("c1", lucio.create_task(h1(5)))
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
    end
  end
  try_get("result t4", function() return t4:result() end)
  ev("h1", (lucio.await(h1(4))))
  return n
end)

w2 = lucio.async(function(n)
  do
    local ok, e = pcall(function()
      lucio.sleep(-1)
      lucio.sleep(0.125)
      ev("slept", (lucio.sleep(0.5, n)))
    end)
    ev("cleanup", 3)
    if not ok then error(e, 0) end
  end
  c2 = lucio.create_task(named("c2", h1, n))
  return n
end)

function w3(n)
  lucio.sleep(0.5)
  if c2 then
    ev("removed d1", c2:remove_done_callback(d1))
  end
  ev("cancel t2", t2:cancel())
  try_do("fail f2", function() f2:set_exception(AppError("bad")) end)
  hd1 = lucio.get_running_loop():call_at(at(0.5), k1, 4)
  lucio.sleep(0)
  ev("f1 done", f1:done(), f1:cancelled())
  if hd1 then
    ev("hd1 when", rel(hd1:when()), hd1:cancelled())
  end
end

local function settle()
  if not f1:done() then f1:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.get_running_loop():create_future())
  t1 = watch("t1", lucio.get_running_loop():create_task(w1(2)))
  t2 = watch("t2", lucio.create_task(w1(8)))
  t3 = watch("t3", lucio.create_task(w2(5)))
  t3:add_done_callback(d1)
  hd2 = lucio.get_running_loop():call_later(0.5, k1, 1)
  t4 = watch("t4", lucio.create_task(function() return w3(3) end))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
end

run(main)
