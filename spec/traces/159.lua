-- 159: futures, cancellation
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, same, begin, ev, try_do, try_get, reg = P.isa, P.err, P.state, P.same, P.begin, P.ev, P.try_do, P.try_get, P.reg
local watch, named, handle_errors, finally, finish, run, keep, AppError = P.watch, P.named, P.handle_errors, P.finally, P.finish, P.run, P.keep, P.AppError

local f1, f2, f3, t1, t2, t3, c1, c2, c3, c4, hd1
local k3, d1, h1, h2, w1, w2, w3

function k3(n)
  ev("k3", n)
  try_do("set f1", function() f1:set_result(n) end)
end

function d1(f)
  ev("d1", f, state(f))
end

function h1(n)
  ev("await t2", (t2:await()))
  lucio.sleep(0)
  error(AppError("oops"))
end

function h2(n)
  do
    local ok, e = pcall(function()
      ev("await t3", (t3:await()))
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
      ev("same", same(e, t3))
      c1 = keep(lucio.create_task{h1, 6, name = "c1"})
    end
  end
  try_do("set f1", function() f1:set_result(5) end)
  do
    local _ <close> = finally(function()
      ev("cleanup", 2)
    end)
    ev("await f3", (f3:await()))
  end
  error(AppError("broken"))
end

function w1(n)
  do
    local ok, e = lucio.pcall(function()
      lucio.sleep(1)
      lucio.sleep(-1)
    end)
    if not ok then
      ev("except Exception", err(e))
    end
  end
  h1(n)
  c2 = watch("c2", lucio.create_task(h2, n))
  return 1
end

function w2(n)
  do
    local ok, e = pcall(function()
      c3 = lucio.create_task(named("c3", h2, n))
      if c3 then
        c3:add_done_callback(d1)
      end
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
      error(e, 0)
    end
  end
  f1:add_done_callback(d1)
  lucio.sleep(0.75)
  c4 = watch("c4", lucio.create_task(lucio.gather, t1, named("y1", h2, n)))
  try_get("exception t2", function() return t2:exception() end)
  return n * 10
end

function w3(n)
  lucio.sleep(0.125)
  ev("cancel t3", t3:cancel())
  f3:add_done_callback(d1)
  try_get("result f1", function() return f1:result() end)
  hd1 = lucio.get_running_loop():call_later(0.75, k3, 9)
  return 9
end

local function settle()
  if not f1:done() then f1:set_result(77) end
  if not f2:done() then f2:set_result(77) end
end

local function main()
  begin()
  handle_errors()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.get_running_loop():create_future())
  f3 = reg("f3", lucio.get_running_loop():create_future())
  t1 = lucio.create_task(named("t1", w1, 4))
  t2 = watch("t2", lucio.create_task(w2, 1))
  t3 = watch("t3", lucio.get_running_loop():create_task(w3, 6))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
  ev("final", "f3", state(f3))
end

run(main)
