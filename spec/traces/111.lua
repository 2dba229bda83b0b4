-- 111: wait, tasks and done callbacks
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, split, begin, ev, try_do, try_get, reg = P.isa, P.err, P.state, P.split, P.begin, P.ev, P.try_do, P.try_get, P.reg
local watch, finish, run, AppError, NetError = P.watch, P.finish, P.run, P.AppError, P.NetError

local f1, f2, f3, t1, t2, t3, t4, c1
local d1, d2, h1, w1, w2, w3

function d1(f)
  ev("d1", f, state(f))
end

function d2(f)
  ev("d2", f, state(f))
end

function h1(n)
  ev("h1", n)
  ev("removed d2", t3:remove_done_callback(d2))
  do
    local ok, e = pcall(function()
      ev("wait", split(lucio.wait({f2, f3}, {timeout = 1})))
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
      try_get("exception f1", function() return f1:exception() end)
      ev("wait", split(lucio.wait({f2}, {timeout = 1, return_when = lucio.ALL_COMPLETED})))
      ev("t2", state(t2))
    end
  end
  do
    local ok, e = lucio.pcall(function()
      ev("wait", split(lucio.wait({t4, f3, f3}, {return_when = lucio.ALL_COMPLETED})))
      do
        local ok, e = lucio.pcall(function()
          try_do("fail f3", function() f3:set_exception(AppError("no")) end)
          ev("wait", split(lucio.wait({f3, f2, f2}, {timeout = 0.5, return_when = lucio.FIRST_EXCEPTION})))
        end)
        if not ok then
          ev("except Exception", err(e))
          ev("slept", (lucio.sleep(0.25, n)))
        end
      end
      ev("wait", split(lucio.wait({t4, f2}, {timeout = 1, return_when = lucio.ALL_COMPLETED})))
    end)
    if not ok then
      ev("except Exception", err(e))
      ev("await f3", (f3:await()))
      ev("wait", split(lucio.wait({f2, f3})))
      error(e, 0)
    end
  end
  ev("wait", split(lucio.wait({t1, f2, f3}, {return_when = lucio.ALL_COMPLETED})))
  error(NetError("no"))
end

function w1(n)
  try_do("set f2", function() f2:set_result(5) end)
  for i1 = 0, 1 do
    ev("wait", split(lucio.wait({t4}, {timeout = 0.25, return_when = lucio.ALL_COMPLETED})))
  end
  lucio.sleep(0.125)
  ev("wait", split(lucio.wait({f2, f3, f3}, {return_when = lucio.FIRST_COMPLETED})))
  c1 = watch("c1", lucio.create_task(h1, n + 1))
  lucio.sleep(0)
end

w2 = lucio.async(function(n)
  if c1 then
    ev("await c1", (c1:await()))
  end
  ev("wait", split(lucio.wait({t4, f3, f3})))
  return n + 1
end)

function w3(n)
  lucio.sleep(0.125)
  t1:add_done_callback(d1)
  lucio.sleep(0.75)
  if c1 then
    ev("cancel c1", c1:cancel())
  end
  return 2
end

local function settle()
  if not f3:done() then f3:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.get_running_loop():create_future())
  f3 = reg("f3", lucio.Future())
  t1 = watch("t1", lucio.create_task(function() return w1(4) end))
  t2 = watch("t2", lucio.create_task(function() return w3(6) end))
  t3 = watch("t3", lucio.get_running_loop():create_task(w2(2)))
  t4 = watch("t4", lucio.create_task(w3, 5))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
  ev("final", "f3", state(f3))
end

run(main)
