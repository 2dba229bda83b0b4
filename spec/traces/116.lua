-- 116: timeouts, cancellation
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, state, begin, rel, ev, try_do, try_get, reg, watch = P.isa, P.state, P.begin, P.rel, P.ev, P.try_do, P.try_get, P.reg, P.watch
local named, finally, finish, run = P.named, P.finally, P.finish, P.run

local f1, f2, f3, t1, t2, t3, t4, hd1, c4, hd2
local k3, d1, w1, w2, w3

function k3(n)
  ev("k3", n)
  try_do("set f3", function() f3:set_result(n + 1) end)
end

function d1(f)
  ev("d1", f, state(f))
end

w1 = lucio.async(function(n)
  if c4 then
    c4:add_done_callback(d1)
  end
  ev("removed d1", t4:remove_done_callback(d1))
  do
    local _ <close> = finally(function()
      ev("cleanup", 7)
    end)
    ev("f1", state(f1))
  end
  ev("f3 done", f3:done(), f3:cancelled())
  try_get("result t4", function() return t4:result() end)
  return n * 10
end)

function w2(n)
  do
    local s7
    local ok, e = pcall(function()
      local scope <close> = lucio.timeout(0.25)
      s7 = scope
      ev("s7 when", rel(s7:when()))
      ev("await t2", (t2:await()))
      try_do("set f3", function() f3:set_result(6) end)
    end)
    if ok then
      ev("s7 in time", s7:expired())
    elseif isa(e, lucio.TimeoutError) then
      ev("s7 timed out", s7:expired(), lucio.current_task():cancelling())
    else
      error(e, 0)
    end
  end
  if hd1 then
    hd1:cancel()
    ev("cancelled hd1", hd1:cancelled())
  end
  return n + 1
end

function w3(n)
  lucio.sleep(0)
  try_do("set f2", function() f2:set_result(n) end)
  ev("cancel f3", f3:cancel("late"))
  ev("step", 6)
  if c4 then
    ev("cancel c4", c4:cancel())
  end
  lucio.sleep(0.5)
  f3:add_done_callback(d1)
  lucio.sleep(0.25)
  hd2 = lucio.get_running_loop():call_later(0.75, k3, 2)
  lucio.sleep(0.25)
  if hd2 then
    ev("hd2 when", rel(hd2:when()), hd2:cancelled())
  end
  return 1
end

local function settle()
  if not f1:done() then f1:set_result(77) end
  if not f2:done() then f2:set_result(77) end
  if not f3:done() then f3:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.Future())
  f3 = reg("f3", lucio.get_running_loop():create_future())
  t1 = watch("t1", lucio.create_task(w1(1)))
  t2 = lucio.create_task(named("t2", w3, 6))
  t3 = watch("t3", lucio.get_running_loop():create_task(w2, 3))
  t4 = watch("t4", lucio.get_running_loop():create_task(w3, 5))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
  ev("final", "f3", state(f3))
end

run(main)
