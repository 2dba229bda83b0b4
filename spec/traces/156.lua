-- 156: how main ends, cancellation
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, ev, try_do, try_get, reg, watch = P.isa, P.err, P.state, P.begin, P.ev, P.try_do, P.try_get, P.reg, P.watch
local finally, finish, run, NetError = P.finally, P.finish, P.run, P.NetError

local f1, t1, t2, t3, t4, c1
local d1, h1, w1, w2

function d1(f)
  ev("d1", f, state(f))
end

h1 = lucio.async(function(n)
  lucio.sleep(1)
  do
    local ok, e = pcall(function()
      ev("slept", (lucio.sleep(0.5, n)))
      try_do("set f1", function() f1:set_result(2) end)
    end)
    if not ok then
      if not isa(e, NetError) then error(e, 0) end
      ev("except NetError", err(e))
      do
        local _ <close> = finally(function()
          ev("cleanup", 8)
        end)
        ev("await f1", (f1:await()))
        ev("await t4", (t4:await()))
      end
    end
  end
  ev("cancel f1", f1:cancel())
  f1:add_done_callback(d1)
end)

w1 = lucio.async(function(n)
  do
    local ok, e = pcall(function()
      try_do("set f1", function() f1:set_result(n) end)
      ev("note", n)
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
      error(e, 0)
    end
  end
  ev("step", 8)
  lucio.sleep(1)
  do
    local _ <close> = finally(function()
      ev("cleanup", 2)
      lucio.sleep(0.125)
    end)
    ev("f1", state(f1))
  end
  ev("tasks", #lucio.all_tasks())
end)

function w2(n)
  lucio.sleep(0.5)
  c1 = watch("c1", lucio.create_task(h1(2)))
  lucio.sleep(0.5)
  try_get("exception t2", function() return t2:exception() end)
  return 9
end

local function settle()
  if not f1:done() then f1:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.get_running_loop():create_future())
  t1 = watch("t1", lucio.create_task(w1(1)))
  t2 = watch("t2", lucio.create_task(w2, 1))
  t2:add_done_callback(d1)
  t3 = watch("t3", lucio.get_running_loop():create_task(w1(7)))
  t3:add_done_callback(d1)
  t4 = watch("t4", lucio.create_task(w1(5)))
  ev("cancel t4", t4:cancel())
  finish(settle, 6)
  ev("final", "f1", state(f1))
  return 5
end

run(main)
