-- 149: uncancel, cancellation
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, same, begin, ev, try_do, try_get, reg = P.isa, P.err, P.state, P.same, P.begin, P.ev, P.try_do, P.try_get, P.reg
local watch, finish, run, AppError, FatalError = P.watch, P.finish, P.run, P.AppError, P.FatalError

local f1, f2, f3, t1, t2, t3, t4, c1, c2, c3, c4
local d1, h1, w1, w2, w3, w4

function d1(f)
  ev("d1", f, state(f))
end

function h1(n)
  do
    local ok, e = pcall(function()
      lucio.sleep(0.5)
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
    end
  end
  do
    local ok, e = pcall(function()
      do
        local ok, e = lucio.pcall(function()
          lucio.sleep(0.25)
          ev("cancel t3", t3:cancel())
          ev("note", 3)
        end)
        if not ok then
          ev("except Exception", err(e))
          ev("cancelling", lucio.current_task():cancelling())
        end
      end
      try_do("set f1", function() f1:set_result(9) end)
      lucio.sleep(0.25)
    end)
    if not ok then
      if not isa(e, FatalError) then error(e, 0) end
      ev("except FatalError", err(e))
    end
  end
  ev("await f2", (f2:await()))
  t3:add_done_callback(d1)
  error(AppError("no"))
end

w1 = lucio.async(function(n)
  c1 = watch("c1", lucio.create_task(lucio.gather, {f2, f3, return_exceptions = true}))
  lucio.sleep(0.75)
  try_get("exception t3", function() return t3:exception() end)
  do
    local ok, e = lucio.pcall(function()
      ev("h1", (h1(n)))
      do
        local ok, e = lucio.pcall(function()
          if c1 then
            ev("await c1", (c1:await()))
          end
          lucio.sleep(1)
          ev("cancelling", lucio.current_task():cancelling())
        end)
        if not ok then
          ev("except Exception", err(e))
        end
      end
      ev("cancel f3", f3:cancel())
    end)
    if not ok then
      ev("except Exception", err(e))
    end
  end
  lucio.sleep(0.75)
  lucio.sleep(0.75)
  return n
end)

w2 = lucio.async(function(n)
  ev("slept", (lucio.sleep(0.25, 2)))
  c2 = watch("c2", lucio.create_task(h1, 5))
end)

w3 = lucio.async(function(n)
  do
    local ok, e = pcall(function()
      ev("await f3", (f3:await()))
    end)
    if not ok then
      ev("except BaseException", err(e))
      ev("same", same(e, f3))
      ev("await t3", (t3:await()))
      error(e, 0)
    end
  end
  c3 = watch("c3", lucio.create_task(h1, 6))
  return n + 1
end)

w4 = lucio.async(function(n)
  lucio.sleep(0.75)
  c4 = watch("c4", lucio.create_task(h1, n + 1))
  ev("uncancel", lucio.current_task():uncancel())
  return 4
end)

local function settle()
  if not f1:done() then f1:set_result(77) end
  if not f2:done() then f2:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.get_running_loop():create_future())
  f2 = reg("f2", lucio.Future())
  f3 = reg("f3", lucio.Future())
  t1 = watch("t1", lucio.create_task(w1(6)))
  t2 = watch("t2", lucio.get_running_loop():create_task(w2(1)))
  t3 = watch("t3", lucio.get_running_loop():create_task(w3(4)))
  t4 = watch("t4", lucio.get_running_loop():create_task(w4(4)))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
  ev("final", "f3", state(f3))
end

run(main)
