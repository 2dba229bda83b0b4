-- 123: shield, wait_for
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local err, state, begin, ev, try_do, try_get, reg, watch, named = P.err, P.state, P.begin, P.ev, P.try_do, P.try_get, P.reg, P.watch, P.named
local finish, run, DataError = P.finish, P.run, P.DataError

local f1, f2, f3, t1, t2, c1, c2
local d1, h1, h2, w1, w2

function d1(f)
  ev("d1", f, state(f))
  try_do("fail f1", function() f1:set_exception(DataError("oops")) end)
  try_get("exception f1", function() return f1:exception() end)
end

function h1(n)
  ev("h1", n)
  ev("await f1", (f1:await()))
  for i1 = 0, 1 do
    ev("await f2", (f2:await()))
  end
  ev("tasks", #lucio.all_tasks())
  ev("wait_for", (lucio.wait_for(f1, -1)))
  return n * 10, 8
end

h2 = lucio.async(function(n)
  ev("h2", n)
  lucio.sleep(0.25)
  lucio.sleep(0.25)
  ev("shield", (lucio.shield(f1):await()))
end)

function w1(n)
  c1 = watch("c1", lucio.create_task(h1, n))
  ev("step", 5)
  lucio.sleep(0.25)
  do
    local ok, e = lucio.pcall(function()
      lucio.sleep(0.25)
      ev("wait_for", (lucio.wait_for(h2(n), 0.25)))
      f3:add_done_callback(d1)
    end)
    if not ok then
      ev("except Exception", err(e))
      ev("await f1", (f1:await()))
    end
  end
  ev("wait_for", (lucio.wait_for(h2(n), -1)))
  ev("await t2", (t2:await()))
end

function w2(n)
  if c1 then
    ev("await c1", c1:await())
  end
  h1(n + 1)
  ev("note", 5)
  c2 = watch("c2", lucio.create_task(h2(n + 1)))
  ev("shield", (lucio.shield(named("y1", h2, 9)):await()))
  return n + 1
end

local function settle()
  if not f1:done() then f1:set_result(77) end
  if not f2:done() then f2:set_result(77) end
  if not f3:done() then f3:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.get_running_loop():create_future())
  f3 = reg("f3", lucio.Future())
  t1 = watch("t1", lucio.get_running_loop():create_task(w1, 6))
  t2 = watch("t2", lucio.create_task(function() return w2(6) end))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
  ev("final", "f3", state(f3))
end

run(main)
