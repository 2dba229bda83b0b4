-- 155: how main ends, tasks and done callbacks
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, ev, watch, finish, run = P.isa, P.err, P.state, P.begin, P.ev, P.watch, P.finish, P.run

local t1, t2, t3, t4, t5, tm, c1, c2, c3, c4
local d1, h1, h2, w1, w2, w3

function d1(f)
  ev("d1", f, state(f))
end

h1 = lucio.async(function(n)
  ev("h1", n)
  lucio.sleep(0.5)
  ev("removed d1", t4:remove_done_callback(d1))
  ev("removed d1", t3:remove_done_callback(d1))
  return n + 1
end)

function h2(n)
  for i1 = 0, 1 do
    t2:add_done_callback(d1)
    ev("here", n + 1)
  end
  lucio.sleep(0.5)
  c1 = watch("c1", lucio.create_task(h1(n)))
  ev("h1", (lucio.await(h1(n + 1))))
  return 5
end

w1 = lucio.async(function(n)
  lucio.sleep(0.75)
  t5:add_done_callback(d1)
  return n + 1
end)

function w2(n)
  ev("h1", (lucio.await(h1(n + 1))))
  do
    local ok, e = pcall(function()
      lucio.sleep(0)
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
      error(e, 0)
    end
  end
  c2 = watch("c2", lucio.get_running_loop():create_task(h2, n))
end

function w3(n)
  lucio.sleep(0.75)
  c3 = watch("c3", lucio.create_task(h1(n + 1)))
  ev("step", 5)
  if c3 then
    ev("cancel c3", c3:cancel())
  end
  lucio.sleep(0.5)
  c4 = watch("c4", lucio.create_task(lucio.sleep, 0.5, 5))
end

local function settle()
end

local function main()
  begin()
  tm = lucio.current_task()
  t1 = watch("t1", lucio.create_task(w1(6)))
  t1:add_done_callback(d1)
  t2 = watch("t2", lucio.create_task(w1(3)))
  t3 = watch("t3", lucio.get_running_loop():create_task(w2, 5))
  t4 = watch("t4", lucio.create_task(function() return w3(4) end))
  t5 = watch("t5", lucio.create_task(w1(1)))
  finish(settle, 6)
  return 5
end

run(main)
