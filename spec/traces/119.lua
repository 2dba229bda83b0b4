-- 119: wait_for, cancellation
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, ev, try_do, try_get, reg, watch = P.isa, P.err, P.state, P.begin, P.ev, P.try_do, P.try_get, P.reg, P.watch
local finish, run, keep, NetError, DataError, FatalError = P.finish, P.run, P.keep, P.NetError, P.DataError, P.FatalError

local f1, f2, t1, t2, t3, t4, c1, c2, c3, c4
local d1, h1, h2, w1, w2, w3, w4

function d1(f)
  ev("d1", f, state(f))
end

function h1(n)
  ev("h1", n)
  ev("await f2", (f2:await()))
  do
    local ok, e = pcall(function()
      ev("cancel t3", t3:cancel("stop"))
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
    end
  end
  error(DataError("no"))
end

h2 = lucio.async(function(n)
  ev("h1", (h1(n)))
  c1 = watch("c1", lucio.create_task(lucio.sleep, 0.5, 5))
  ev("wait_for", (lucio.wait_for(function() return lucio.sleep(-1, 9) end, nil)))
  error(FatalError("oops"))
end)

function w1(n)
  ev("cancel f2", f2:cancel("enough"))
  do
    local ok, e = pcall(function()
      ev("wait_for", (lucio.wait_for(h2(8), 0.25)))
    end)
    ev("cleanup", 4)
    if c1 then
      ev("cancel c1", c1:cancel("enough"))
    end
    if not ok then error(e, 0) end
  end
  lucio.sleep(0.5)
  ev("cancel f2", f2:cancel())
  return n * 10
end

function w2(n)
  lucio.sleep(0.25)
  lucio.sleep(0)
  do
    local ok, e = pcall(function()
      lucio.sleep(0.25)
      ev("wait_for", (lucio.wait_for(function() return h1(n + 1) end, 0)))
      ev("wait_for", (lucio.wait_for(f2, 0.75)))
    end)
    if not ok then
      if not isa(e, lucio.TimeoutError) then error(e, 0) end
      ev("except TimeoutError", err(e))
      try_get("exception t2", function() return t2:exception() end)
      c2 = watch("c2", lucio.create_task(h1, n))
    end
  end
  ev("wait_for", (lucio.wait_for(t4, 0.125)))
  c3 = watch("c3", lucio.get_running_loop():create_task(h1, n))
  ev("h1", (h1(n)))
  return n + 1
end

function w3(n)
  try_do("fail f1", function() f1:set_exception(NetError("no")) end)
  ev("slept", (lucio.sleep(0.25, 8)))
  do
    local ok, e = pcall(function()
      ev("wait_for", (lucio.wait_for(h2(n), 0.25)))
      lucio.sleep(0.5)
    end)
    if not ok then
      ev("except BaseException", err(e))
    end
  end
  lucio.sleep(0.125)
  ev("await f1", (f1:await()))
  if c3 then
    c4 = watch("c4", lucio.create_task(lucio.gather, c3, f1))
  end
  error(DataError("broken"))
end

function w4(n)
  lucio.sleep(0.25)
  try_do("set f2", function() f2:set_result(n) end)
  ev("removed d1", f1:remove_done_callback(d1))
  ev("cancel t1", t1:cancel())
  lucio.sleep(0)
  ev("step", 9)
end

local function settle()
  if not f2:done() then f2:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.Future())
  t1 = keep(lucio.create_task{w1, 5, name = "t1"})
  t1:add_done_callback(d1)
  t2 = watch("t2", lucio.create_task(w2, 8))
  t2:add_done_callback(d1)
  t3 = watch("t3", lucio.create_task(function() return w3(2) end))
  t4 = watch("t4", lucio.create_task(w4, 6))
  t4:add_done_callback(d1)
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
end

run(main)
