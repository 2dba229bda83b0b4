-- 122: shield, cancellation
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, ev, try_do, reg, watch, named = P.isa, P.err, P.state, P.begin, P.ev, P.try_do, P.reg, P.watch, P.named
local finally, finish, run, DataError = P.finally, P.finish, P.run, P.DataError

local f1, f2, t1, t2, t3, c1, c2, c3
local d1, d2, h1, h2, w1, w2, w3

function d1(f)
  ev("d1", f, state(f))
end

function d2(f)
  ev("d2", f, state(f))
  t2:add_done_callback(d1)
end

h1 = lucio.async(function(n)
  ev("t3 cancelling", t3:cancelling())
  lucio.sleep(-1)
end)

function h2(n)
  ev("h2", n)
  ev("cancel f1", f1:cancel())
  do
    local ok, e = lucio.pcall(function()
      do
        local _ <close> = finally(function()
          ev("cleanup", 1)
          lucio.sleep(0.125)
          ev("here", n)
        end)
        ev("shield", (lucio.shield(function() return lucio.sleep(0.5, 4) end):await()))
        ev("h1", (lucio.await(h1(n + 1))))
        ev("slept", (lucio.sleep(0, 2)))
      end
    end)
    if not ok then
      ev("except Exception", err(e))
      ev("here", n)
      c1 = watch("c1", lucio.create_task(h1(n)))
      ev("shield", (lucio.shield(named("y1", h1, n + 1)):await()))
    end
  end
  lucio.sleep(0.75)
end

function w1(n)
  c2 = watch("c2", lucio.create_task(function() return lucio.sleep(0.25, 4) end))
  f2:add_done_callback(d2)
  ev("shield", (lucio.shield(named("y2", h1, n + 1)):await()))
  error("broken", 0)
end

w2 = lucio.async(function(n)
  ev("shield", (lucio.shield(t2):await()))
  ev("h2", (h2(n)))
  do
    local ok, e = pcall(function()
      lucio.sleep(0.125)
      ev("h1", (lucio.await(h1(6))))
      if c1 then
        ev("c1 cancelling", c1:cancelling())
      end
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
      lucio.sleep(1)
      do
        local _ <close> = finally(function()
          ev("cleanup", 1)
        end)
        lucio.sleep(0.75)
      end
    end
  end
  ev("shield", (lucio.shield(f1):await()))
  ev("h1", (lucio.await(h1(n + 1))))
  return n + 1
end)

function w3(n)
  lucio.sleep(0.25)
  ev("cancel t1", t1:cancel())
  try_do("set f2", function() f2:set_result(2, 8) end)
  lucio.sleep(0.125)
  try_do("fail f2", function() f2:set_exception(DataError("broken")) end)
  lucio.sleep(0.25)
  c3 = watch("c3", lucio.create_task(function() return h2(n + 1) end))
  ev("cancel f2", f2:cancel())
  return 5
end

local function settle()
  if not f1:done() then f1:set_result(77) end
  if not f2:done() then f2:set_result(77, 78) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.Future())
  t1 = watch("t1", lucio.get_running_loop():create_task(w1, 7))
  t2 = watch("t2", lucio.create_task(w2(8)))
  t3 = watch("t3", lucio.get_running_loop():create_task(w3, 5))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
end

run(main)
