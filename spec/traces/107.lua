-- 107: gather, cancellation
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, ev, try_do, reg, watch, named = P.isa, P.err, P.state, P.begin, P.ev, P.try_do, P.reg, P.watch, P.named
local finally, finish, run, AppError, NetError, DataError = P.finally, P.finish, P.run, P.AppError, P.NetError, P.DataError

local f1, f2, t1, t2, t3, c1
local d1, d2, h2, w1, w2, w3

function d1(f)
  ev("d1", f, state(f))
end

function d2(f)
  ev("d2", f, state(f))
end

function h2(n)
  ev("h2", n)
  do
    local ok, e = pcall(function()
      ev("gather", lucio.gather{return_exceptions = true})
    end)
    ev("cleanup", 7)
    if not ok then error(e, 0) end
  end
  do
    local ok, e = pcall(function()
      ev("slept", (lucio.sleep(0.75, 4)))
      do
        local _ <close> = finally(function()
          ev("cleanup", 2)
        end)
        ev("gather", lucio.gather(f1, f1, f2))
        f1:add_done_callback(d2)
      end
    end)
    if not ok then
      if not isa(e, AppError) then error(e, 0) end
      ev("except AppError", err(e))
    end
  end
  ev("await t2", (t2:await()))
  return n + 1
end

function w1(n)
  c1 = watch("c1", lucio.create_task(h2, 6))
  ev("note", 8)
  ev("gather", lucio.gather(named("y1", h2, n), f1))
  ev("h2", (h2(2)))
end

function w2(n)
  lucio.sleep(0.5)
  ev("gather", lucio.gather{f1, return_exceptions = true})
  if c1 then
    ev("await c1", (c1:await()))
  end
  return 7
end

function w3(n)
  lucio.sleep(0.25)
  try_do("fail f1", function() f1:set_exception(DataError("no")) end)
  if c1 then
    ev("cancel c1", c1:cancel())
  end
  f1:add_done_callback(d2)
  ev("removed d2", f2:remove_done_callback(d2))
  lucio.sleep(0.5)
  if c1 then
    ev("cancel c1", c1:cancel())
  end
  lucio.sleep(0.25)
  try_do("set f2", function() f2:set_result(n + 1) end)
  lucio.sleep(0.5)
  try_do("set f2", function() f2:set_result(n) end)
  if c1 then
    ev("cancel c1", c1:cancel())
  end
  try_do("fail f2", function() f2:set_exception(NetError("bad")) end)
  ev("cancel t2", t2:cancel())
  return 1
end

local function settle()
  if not f1:done() then f1:set_result(77) end
  if not f2:done() then f2:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.Future())
  t1 = watch("t1", lucio.create_task(w1, 9))
  t2 = watch("t2", lucio.get_running_loop():create_task(w2, 2))
  t2:add_done_callback(d1)
  t3 = watch("t3", lucio.create_task(w3, 9))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
end

run(main)
