-- 109: gather, shield, cancellation
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, ev, try_do, reg, watch, named = P.isa, P.err, P.state, P.begin, P.ev, P.try_do, P.reg, P.watch, P.named
local finish, run, keep, DataError, FatalError = P.finish, P.run, P.keep, P.DataError, P.FatalError

local f1, f3, t1, t2, t3, t4, c1, c2, c3, c4, c5, c6
local h1, h2, w1, w2, w3, w4

function h1(n)
  do
    local ok, e = pcall(function()
      ev("gather", lucio.gather{f1, function() return lucio.sleep(0.5, 9) end, return_exceptions = true})
      ev("shield", (lucio.shield(function() return lucio.sleep(0.25, 2) end):await()))
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
      lucio.sleep(0.125)
    end
  end
  lucio.sleep(0)
  return n + 1
end

h2 = lucio.async(function(n)
  try_do("fail f3", function() f3:set_exception(DataError("oops")) end)
  ev("await f1", (f1:await()))
  c1 = watch("c1", lucio.create_task(h1, n))
  error(FatalError("oops"))
end)

function w1(n)
  c2 = watch("c2", lucio.get_running_loop():create_task(h1, 7))
  ev("shield", (lucio.shield(function() return lucio.sleep(0.25, 6) end):await()))
  if c1 then
    ev("gather", lucio.gather(function() return lucio.sleep(0.25, 3) end, c1))
  end
  c3 = watch("c3", lucio.create_task(h2(n)))
  if c1 then
    ev("await c1", (c1:await()))
  end
  ev("h1", (h1(n + 1)))
  return n
end

w2 = lucio.async(function(n)
  lucio.sleep(0.5)
  lucio.sleep(0.75)
  c4 = watch("c4", lucio.get_running_loop():create_task(h1, n))
  lucio.sleep(0.25)
  ev("cancel t2", t2:cancel())
  return n * 10
end)

function w3(n)
  c5 = keep(lucio.create_task{h1, n, name = "c5"})
  if c3 then
    ev("await c3", (c3:await()))
  end
  return n * 10
end

function w4(n)
  do
    local ok, e = pcall(function()
      lucio.sleep(0.25)
    end)
    ev("cleanup", 9)
    lucio.sleep(0)
    ev("step", n)
    if not ok then error(e, 0) end
  end
  c6 = keep(lucio.create_task{h1, n, name = "c6"})
  return n + 1
end

local function settle()
  if not f1:done() then f1:set_result(77) end
  if not f3:done() then f3:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  f3 = reg("f3", lucio.Future())
  t1 = keep(lucio.create_task{function() return w1(4) end, name = "t1"})
  t2 = watch("t2", lucio.create_task(w2(1)))
  t3 = lucio.create_task(named("t3", w3, 9))
  t4 = watch("t4", lucio.create_task(function() return w4(8) end))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f3", state(f3))
end

run(main)
