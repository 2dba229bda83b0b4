-- 114: as_completed, cancellation
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, ev, try_do, reg, watch, finally = P.isa, P.err, P.state, P.begin, P.ev, P.try_do, P.reg, P.watch, P.finally
local finish, run, fresh, keep, AppError, DataError = P.finish, P.run, P.fresh, P.keep, P.AppError, P.DataError

local f1, t1, t2, t3, c1, c2, c3, c4
local d2, h1, w1, w2, w3

function d2(f)
  ev("d2", f, state(f))
end

function h1(n)
  do
    local ok, e = pcall(function()
      ev("await f1", (f1:await()))
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
      ev("await t3", (t3:await()))
    end
  end
  do
    local _ <close> = finally(function()
      ev("cleanup", 8)
    end)
    ev("step", 1)
    lucio.sleep(0.25)
    do
      local ok, e = pcall(function()
        for x1 in lucio.as_completed(fresh(f1, f1)) do
          ev("completed", x1, state(x1))
        end
      end)
      if not ok then
        ev("except BaseException", err(e))
        error(e, 0)
      end
    end
  end
  lucio.sleep(0.25)
  do
    local ok, e = pcall(function()
      lucio.sleep(0.25)
      try_do("fail f1", function() f1:set_exception(AppError("no")) end)
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
    end
  end
  return n * 10
end

function w1(n)
  c1 = watch("c1", lucio.create_task(lucio.gather, f1, f1))
  ev("note", n + 1)
  ev("slept", (lucio.sleep(0.75, n)))
  c2 = watch("c2", lucio.create_task(h1, 3))
  lucio.sleep(0.25)
  return n * 10
end

w2 = lucio.async(function(n)
  lucio.sleep(0.75)
  if c1 then
    for x2 in lucio.as_completed(fresh(c1, f1, f1)) do
      ev("completed", x2, state(x2))
    end
  end
  ev("await t2", (t2:await()))
  lucio.sleep(0.5)
  try_do("fail f1", function() f1:set_exception(DataError("no")) end)
  if c1 then
    for x3 in lucio.as_completed(fresh(t3, c1)) do
      ev("completed", x3, state(x3))
    end
  end
  return n * 10
end)

w3 = lucio.async(function(n)
  c3 = watch("c3", lucio.create_task(h1, n))
  ev("await f1", (f1:await()))
  c4 = watch("c4", lucio.create_task(lucio.sleep, 0.5, 3))
  ev("cancel t2", t2:cancel("late"))
end)

local function settle()
  if not f1:done() then f1:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  t1 = keep(lucio.create_task{w1, 7, name = "t1"})
  t2 = watch("t2", lucio.get_running_loop():create_task(w2(3)))
  t2:add_done_callback(d2)
  t3 = watch("t3", lucio.create_task(w3(1)))
  finish(settle, 6)
  ev("final", "f1", state(f1))
end

run(main)
