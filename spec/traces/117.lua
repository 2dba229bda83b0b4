-- 117: timeouts, uncancel, cancellation
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, rel, ev, try_do, try_get, reg = P.isa, P.err, P.state, P.begin, P.rel, P.ev, P.try_do, P.try_get, P.reg
local watch, finally, finish, run = P.watch, P.finally, P.finish, P.run

local f2, f3, t1, t2, t3, t4, c1, c2, hd1
local k1, d1, h1, w1, w2

function k1(n)
  ev("k1", n)
  try_get("result t1", function() return t1:result() end)
  ev("here", 4)
end

function d1(f)
  ev("d1", f, state(f))
end

h1 = lucio.async(function(n)
  ev("cancel t1", t1:cancel())
  lucio.sleep(-1)
  do
    local _ <close> = finally(function()
      ev("cleanup", 9)
    end)
    ev("here", 3)
    lucio.sleep(1)
    ev("tasks", #lucio.all_tasks())
  end
  do
    local s1
    local ok, e = pcall(function()
      lucio.with(lucio.timeout(0.5), function(scope)
        s1 = scope
        ev("await f3", (f3:await()))
      end)
    end)
    if ok then
      ev("s1 in time", s1:expired())
    elseif isa(e, lucio.TimeoutError) then
      ev("s1 timed out", s1:expired(), lucio.current_task():cancelling())
    else
      error(e, 0)
    end
    ev("s1 when", rel(s1:when()))
  end
end)

function w1(n)
  do
    local ok, e = lucio.pcall(function()
      ev("await t4", (t4:await()))
    end)
    if not ok then
      ev("except Exception", err(e))
      ev("await f2", (f2:await()))
    end
  end
  c1 = watch("c1", lucio.create_task(h1(7)))
  lucio.sleep(0)
  c2 = watch("c2", lucio.create_task(h1(9)))
end

function w2(n)
  lucio.sleep(0.5)
  if c1 then
    ev("cancel c1", c1:cancel())
  end
  try_do("set f3", function() f3:set_result(2) end)
  lucio.sleep(0.75)
  ev("removed d1", f2:remove_done_callback(d1))
  ev("uncancel", lucio.current_task():uncancel())
  return 9
end

local function settle()
  if not f2:done() then f2:set_result(77) end
  if not f3:done() then f3:set_result(77) end
end

local function main()
  begin()
  f2 = reg("f2", lucio.Future())
  f3 = reg("f3", lucio.get_running_loop():create_future())
  t1 = watch("t1", lucio.create_task(w1, 8))
  t2 = watch("t2", lucio.create_task(w2, 7))
  t2:add_done_callback(d1)
  t3 = watch("t3", lucio.create_task(w1, 9))
  t4 = watch("t4", lucio.create_task(w1, 6))
  t4:add_done_callback(d1)
  hd1 = lucio.get_running_loop():call_soon(k1, 3)
  finish(settle, 6)
  ev("final", "f2", state(f2))
  ev("final", "f3", state(f3))
end

run(main)
