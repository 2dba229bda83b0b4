-- 104: task groups, uncancel, cancellation
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, ev, try_do, try_get, reg, watch = P.isa, P.err, P.state, P.begin, P.ev, P.try_do, P.try_get, P.reg, P.watch
local named, finish, run, AppError, NetError, DataError = P.named, P.finish, P.run, P.AppError, P.NetError, P.DataError

local f1, t1, t2, t3, g1, c1, c2, c3, g2, c4, c5, hd1
local k1, d1, h1, h2, w1, w2, w3

function k1(n)
  ev("k1", n)
  ev("cancel t3", t3:cancel())
  ev("step", n)
end

function d1(f)
  ev("d1", f, state(f))
end

function h1(n)
  do
    local ok, e = pcall(function()
      lucio.sleep(0)
      ev("cancel t3", t3:cancel())
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
      ev("t2 done", t2:done(), t2:cancelled())
      ev("uncancel", lucio.current_task():uncancel())
    end
  end
  ev("cancel t2", t2:cancel())
  error(AppError("bad"))
end

function h2(n)
  ev("h2", n)
  ev("removed d1", f1:remove_done_callback(d1))
  lucio.sleep(0.5)
  do
    local scope <close> = lucio.TaskGroup()
    g1 = scope
    c1 = watch("c1", g1:create_task(function() return h1(n + 1) end))
    c2 = watch("c2", g1:create_task(h1, n + 1))
    lucio.sleep(0.125)
    c3 = watch("c3", g1:create_task(function() return h1(n) end))
  end
  ev("g1 done")
  error(DataError("no"))
end

function w1(n)
  for i1 = 0, 1 do
    lucio.sleep(0.125)
  end
  do
    local ok, e = pcall(function()
      do
        local scope <close> = lucio.TaskGroup()
        g2 = scope
        c4 = watch("c4", g2:create_task(function() return h2(1) end))
      end
      ev("g2 done")
    end)
    if not ok then
      ev("except BaseException", err(e))
      ev("cancel t2", t2:cancel())
      if g2 then
        try_do("add to g2", function() g2:create_task(named("y1", h1, 4)) end)
      end
    end
  end
  return n + 1
end

function w2(n)
  ev("await t2", (t2:await()))
  ev("removed d1", t1:remove_done_callback(d1))
  return n * 10
end

function w3(n)
  lucio.sleep(0.25)
  c5 = watch("c5", lucio.get_running_loop():create_task(h2, 9))
  ev("cancelling", lucio.current_task():cancelling())
  lucio.sleep(0.25)
  ev("cancel t3", t3:cancel())
  ev("cancelling", lucio.current_task():cancelling())
  hd1 = lucio.get_running_loop():call_soon(k1, 4)
  if hd1 then
    hd1:cancel()
    ev("cancelled hd1", hd1:cancelled())
  end
  lucio.sleep(0)
  try_get("result f1", function() return f1:result() end)
  ev("cancelling", lucio.current_task():cancelling())
  ev("cancel t3", t3:cancel())
  try_do("fail f1", function() f1:set_exception(NetError("oops")) end)
end

local function settle()
  if not f1:done() then f1:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  t3 = watch("t3", lucio.create_task(w1, 6))
  t2 = watch("t2", lucio.get_running_loop():create_task(w2, 3))
  t2:add_done_callback(d1)
  t1 = watch("t1", lucio.create_task(w3, 5))
  finish(settle, 6)
  ev("final", "f1", state(f1))
end

run(main)
