-- 120: wait_for, an event
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, at, ev, try_do, try_get, reg = P.isa, P.err, P.state, P.begin, P.at, P.ev, P.try_do, P.try_get, P.reg
local watch, finish, run = P.watch, P.finish, P.run

local f1, f2, f3, e1, e2, t1, t2, t3, t4, t5, hd1, c1
local c2, hd2
local k1, d1, h1, w1, w2, w3, w4

function k1(n)
  ev("k1", n)
  e2:set()
  ev("set e2")
  try_get("result f3", function() return f3:result() end)
end

function d1(f)
  ev("d1", f, state(f))
end

function h1(n)
  ev("wait_for", (lucio.wait_for(t4, 0.25)))
  ev("wait e1", (e1:wait()))
  ev("wait e1", (e1:wait()))
  try_do("set f3", function() f3:set_result(n + 1) end)
  return 8
end

function w1(n)
  ev("await f3", (f3:await()))
  do
    local ok, e = pcall(function()
      ev("here", n)
      e2:set()
      ev("set e2")
      ev("wait e1", (e1:wait()))
    end)
    if not ok then
      if not isa(e, lucio.TimeoutError) then error(e, 0) end
      ev("except TimeoutError", err(e))
      ev("wait_for", (lucio.wait_for(f3, 0.5)))
    end
  end
  lucio.sleep(-1)
  return 3
end

w2 = lucio.async(function(n)
  hd1 = lucio.get_running_loop():call_at(at(0.25), k1, 6)
  c1 = watch("c1", lucio.create_task(lucio.sleep, 0.25, 6))
  try_do("set f2", function() f2:set_result(5) end)
  do
    local ok, e = pcall(function()
      ev("h1", (h1(n)))
      c2 = watch("c2", lucio.create_task(h1, n))
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
    end
  end
  return n
end)

function w3(n)
  f3:add_done_callback(d1)
  if hd1 then
    hd1:cancel()
    ev("cancelled hd1", hd1:cancelled())
  end
  lucio.sleep(0)
  return 8
end

function w4(n)
  lucio.sleep(0.25)
  ev("cancel t5", t5:cancel())
  lucio.sleep(0.75)
  ev("removed d1", t1:remove_done_callback(d1))
  lucio.sleep(0.125)
  try_do("set f3", function() f3:set_result(n) end)
  lucio.sleep(0)
  ev("cancel t3", t3:cancel())
  return 4
end

local function settle()
  if not f1:done() then f1:set_result(77) end
  if not f2:done() then f2:set_result(77) end
  if not f3:done() then f3:set_result(77) end
  e1:set()
  e2:set()
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.Future())
  f3 = reg("f3", lucio.Future())
  e1 = lucio.Event()
  e2 = lucio.Event()
  t1 = watch("t1", lucio.create_task(function() return w1(5) end))
  hd2 = lucio.get_running_loop():call_later(0.75, k1, 9)
  t3 = watch("t3", lucio.create_task(function() return w1(8) end))
  t3:add_done_callback(d1)
  t5 = watch("t5", lucio.get_running_loop():create_task(w2(3)))
  t4 = watch("t4", lucio.get_running_loop():create_task(w3, 2))
  t2 = watch("t2", lucio.create_task(w4, 6))
  t2:add_done_callback(d1)
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
  ev("final", "f3", state(f3))
  ev("final", "e1", e1:is_set())
  ev("final", "e2", e2:is_set())
end

run(main)
