-- 135: a barrier, cancellation
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, ev, try_do, try_get, reg, watch = P.isa, P.err, P.state, P.begin, P.ev, P.try_do, P.try_get, P.reg, P.watch
local named, finish, run = P.named, P.finish, P.run

local f1, f2, bar1, t1, t2, t3, c1, c2, c3, c4, z91t
local d1, d2, h1, h2, w1, w2, z91

function d1(f)
  ev("d1", f, state(f))
  ev("f1", state(f1))
end

function d2(f)
  ev("d2", f, state(f))
end

function h1(n)
  lucio.sleep(0.25)
  ev("bar1", bar1.n_waiting, bar1.broken)
end

h2 = lucio.async(function(n)
  ev("h2", n)
  try_do("set f2", function() f2:set_result(9) end)
  c1 = watch("c1", lucio.create_task(h1, n))
  lucio.sleep(0.5)
  return n * 10
end)

w1 = lucio.async(function(n)
  if c1 then
    c1:add_done_callback(d2)
  end
  lucio.sleep(0.5)
  c2 = watch("c2", lucio.create_task(h2(n)))
  ev("await t2", (t2:await()))
  bar1:wait()
  ev("passed bar1")
  return n
end)

w2 = lucio.async(function(n)
  bar1:wait()
  ev("passed bar1")
  do
    local ok, e = pcall(function()
      try_get("exception t1", function() return t1:exception() end)
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
      bar1:wait()
      ev("passed bar1")
      bar1:wait()
      ev("passed bar1")
      error(e, 0)
    end
  end
  do
    local ok, e = pcall(function()
      bar1:wait()
      ev("passed bar1")
      ev("removed d1", f2:remove_done_callback(d1))
      ev("h2", (lucio.await(h2(8))))
    end)
    if not ok then
      ev("except BaseException", err(e))
      bar1:wait()
      ev("passed bar1")
      ev("slept", (lucio.sleep(0.25, n + 1)))
      c3 = watch("c3", lucio.create_task(lucio.gather, {f1, return_exceptions = true}))
    end
  end
  ev("f2", state(f2))
  lucio.sleep(0.75)
  c4 = watch("c4", lucio.create_task(h2(n)))
  error("oops", 0)
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
  f1 = reg("f1", lucio.get_running_loop():create_future())
  f2 = reg("f2", lucio.Future())
  bar1 = lucio.Barrier(1)
  t1 = lucio.create_task(named("t1", w2, 7))
  t2 = watch("t2", lucio.create_task(w1(1)))
  t2:add_done_callback(d2)
  t3 = watch("t3", lucio.get_running_loop():create_task(w2(6)))
  ev("cancel t3", t3:cancel())
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
  ev("final", "bar1", bar1.n_waiting, bar1.broken)
end

run(main)
