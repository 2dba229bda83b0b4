-- 129: an event, cancellation
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, ev, try_do, try_get, reg, watch = P.isa, P.err, P.state, P.begin, P.ev, P.try_do, P.try_get, P.reg, P.watch
local finally, finish, run, keep = P.finally, P.finish, P.run, P.keep

local f1, f2, f3, e1, t1, t2, t3, t4, c1, c2, c3, c4
local h2, w1, w2, w3, w4

h2 = lucio.async(function(n)
  do
    local _ <close> = finally(function()
      ev("cleanup", 2)
    end)
    ev("wait e1", (e1:wait()))
    lucio.sleep(0.5)
  end
  e1:set()
  ev("set e1")
  return n * 10, n
end)

function w1(n)
  c1 = watch("c1", lucio.create_task(h2(n + 1)))
  lucio.sleep(1)
  ev("slept", (lucio.sleep(0.25, 2)))
end

function w2(n)
  do
    local ok, e = pcall(function()
      c2 = keep(lucio.create_task{h2(n), name = "c2"})
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
      try_get("result f3", function() return f3:result() end)
    end
  end
  ev("wait e1", (e1:wait()))
  c3 = watch("c3", lucio.create_task(h2(n + 1)))
  ev("h2", lucio.await(h2(5)))
  lucio.sleep(0)
  return n
end

w3 = lucio.async(function(n)
  lucio.sleep(-1)
  lucio.sleep(1)
  ev("wait e1", (e1:wait()))
  ev("wait e1", (e1:wait()))
  ev("f1", state(f1))
  return n * 10
end)

function w4(n)
  lucio.sleep(0)
  c4 = watch("c4", lucio.create_task(function() return lucio.gather(f3, f1) end))
  if c3 then
    ev("cancel c3", c3:cancel())
  end
  if c1 then
    ev("c1 cancelling", c1:cancelling())
  end
  lucio.sleep(0.75)
  ev("cancel t3", t3:cancel("enough"))
  lucio.sleep(0.25)
  try_do("set f2", function() f2:set_result(n + 1) end)
  ev("f1", state(f1))
  try_do("set f2", function() f2:set_result(n) end)
end

local function settle()
  if not f1:done() then f1:set_result(77) end
  if not f3:done() then f3:set_result(77) end
  e1:set()
end

local function main()
  begin()
  f1 = reg("f1", lucio.get_running_loop():create_future())
  f2 = reg("f2", lucio.Future())
  f3 = reg("f3", lucio.Future())
  e1 = lucio.Event()
  t4 = watch("t4", lucio.create_task(w1, 6))
  t1 = watch("t1", lucio.create_task(w2, 9))
  t2 = watch("t2", lucio.create_task(w3(8)))
  t3 = watch("t3", lucio.create_task(w4, 9))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
  ev("final", "f3", state(f3))
  ev("final", "e1", e1:is_set())
end

run(main)
