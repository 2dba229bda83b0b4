-- 112: as_completed
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, ev, try_do, reg, watch, named = P.isa, P.err, P.state, P.begin, P.ev, P.try_do, P.reg, P.watch, P.named
local finish, run, fresh, AppError, DataError = P.finish, P.run, P.fresh, P.AppError, P.DataError

local f1, t1, t2, t3, t4, t5, c1, c2, c3
local h1, w1, w2, w3, w4

function h1(n)
  for x1 in lucio.as_completed({f1}) do
    ev("completed", x1, state(x1))
  end
  ev("slept", (lucio.sleep(0.25, 8)))
  return n
end

w1 = lucio.async(function(n)
  lucio.sleep(0)
  do
    local ok, e = pcall(function()
      do
        local ok, e = pcall(function()
          for x2 in lucio.as_completed(fresh(named("y1", h1, n), f1, t4)) do
            ev("completed", x2, state(x2))
          end
        end)
        if not ok then
          if not isa(e, lucio.TimeoutError) then error(e, 0) end
          ev("except TimeoutError", err(e))
          for x3 in lucio.as_completed(fresh(f1, f1)) do
            ev("completed", x3, state(x3))
          end
          ev("await f1", (f1:await()))
        end
      end
    end)
    if not ok then
      if not isa(e, lucio.TimeoutError) then error(e, 0) end
      ev("except TimeoutError", err(e))
      ev("note", n + 1)
      lucio.sleep(0.125)
    end
  end
  ev("await f1", (f1:await()))
  for i1 = 0, 1 do
    lucio.sleep(0)
  end
  ev("note", 6)
  c1 = watch("c1", lucio.create_task(function() return h1(n + 1) end))
  return n + 1
end)

function w2(n)
  for x4 in lucio.as_completed({t4}, {timeout = 0.25}) do
    ev("completed", x4, state(x4))
  end
  lucio.sleep(0.25)
  h1(n + 1)
  h1(n + 1)
  lucio.sleep(0)
  error(AppError("broken"))
end

w3 = lucio.async(function(n)
  do
    local ok, e = lucio.pcall(function()
      lucio.sleep(0.75)
      do
        local ok, e = pcall(function()
          lucio.sleep(0.25)
          c2 = watch("c2", lucio.create_task(h1, 6))
        end)
        if not ok then
          if not isa(e, lucio.TimeoutError) then error(e, 0) end
          ev("except TimeoutError", err(e))
        end
      end
    end)
    if not ok then
      ev("except Exception", err(e))
    end
  end
  if c2 then
    for x5 in lucio.as_completed({c2}) do
      ev("completed", x5, state(x5))
    end
  end
  c3 = watch("c3", lucio.create_task(h1, n))
  ev("h1", (h1(n + 1)))
end)

function w4(n)
  ev("await f1", (f1:await()))
  try_do("fail f1", function() f1:set_exception(DataError("oops")) end)
  lucio.sleep(0.75)
  return 3
end

local function settle()
  if not f1:done() then f1:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  t1 = watch("t1", lucio.get_running_loop():create_task(w1(9)))
  t2 = watch("t2", lucio.create_task(function() return w2(9) end))
  t5 = watch("t5", lucio.create_task(w2, 5))
  t4 = watch("t4", lucio.create_task(w3(2)))
  t3 = watch("t3", lucio.get_running_loop():create_task(w4, 3))
  ev("cancel t3", t3:cancel())
  finish(settle, 6)
  ev("final", "f1", state(f1))
end

run(main)
