-- 158: loop callbacks, cancellation
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, ev, try_do, reg, watch, finally = P.isa, P.err, P.state, P.begin, P.ev, P.try_do, P.reg, P.watch, P.finally
local finish, run, NetError = P.finish, P.run, P.NetError

local f1, t1, t2, t3, c1, c2, c3, c4, hd2
local k1, d1, h1, h3, w1, w2, w3

function k1(n)
  ev("k1", n)
  try_do("set f1", function() f1:set_result(n) end)
  ev("cancel t1", t1:cancel())
end

function d1(f)
  ev("d1", f, state(f))
  ev("cancel f1", f1:cancel())
end

h1 = lucio.async(function(n)
  ev("await t2", (t2:await()))
  try_do("set f1", function() f1:set_result(n) end)
  ev("slept", (lucio.sleep(0.25, 1)))
  error(NetError("bad"))
end)

function h3(n)
  c1 = watch("c1", lucio.create_task(function() return lucio.sleep(0.25, 7) end))
  ev("slept", (lucio.sleep(1, 1)))
  do
    local ok, e = pcall(function()
      c2 = watch("c2", lucio.create_task(h1(n + 1)))
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
      ev("removed d1", f1:remove_done_callback(d1))
      do
        local _ <close> = finally(function()
          ev("cleanup", 9)
        end)
        if c2 then
          ev("await c2", (c2:await()))
        end
      end
    end
  end
  do
    local ok, e = lucio.pcall(function()
      if c2 then
        ev("cancel c2", c2:cancel())
      end
    end)
    if not ok then
      ev("except Exception", err(e))
    end
  end
end

function w1(n)
  do
    local _ <close> = finally(function()
      ev("cleanup", 2)
      lucio.sleep(0)
    end)
    lucio.sleep(0.25)
    c3 = watch("c3", lucio.create_task(lucio.sleep, 0, 4))
    try_do("set f1", function() f1:set_result(4) end)
  end
  ev("h3", (h3(n * 10)))
  c4 = watch("c4", lucio.create_task(h3, 5))
  return n * 10
end

w2 = lucio.async(function(n)
  lucio.sleep(0.75)
  ev("await f1", (f1:await()))
  return n * 10
end)

function w3(n)
  lucio.sleep(0.5)
  ev("await t3", (t3:await()))
  ev("h3", (h3(2)))
end

local function settle()
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  t3 = watch("t3", lucio.create_task(w1, 6))
  hd2 = lucio.get_running_loop():call_soon(k1, 9)
  t2 = watch("t2", lucio.create_task(w2(2)))
  t1 = watch("t1", lucio.create_task(w3, 4))
  t1:add_done_callback(d1)
  finish(settle, 6)
  ev("final", "f1", state(f1))
end

run(main)
