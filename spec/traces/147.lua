-- 147: eager tasks, gather
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local state, begin, ev, try_do, reg, watch, named, finish, run = P.state, P.begin, P.ev, P.try_do, P.reg, P.watch, P.named, P.finish, P.run
local keep, AppError, FatalError = P.keep, P.AppError, P.FatalError

local f1, f2, t1, t2, t3, t4, c1, c2, c3
local d1, h1, h2, w1, w2, w3, w4

function d1(f)
  ev("d1", f, state(f))
end

function h1(n)
  lucio.sleep(0.75)
  lucio.sleep(0.75)
end

h2 = lucio.async(function(n)
  ev("h2", n)
  c1 = watch("c1", lucio.get_running_loop():create_task(h1, n + 1))
  lucio.sleep(0.25)
  if t2 then
    ev("removed d1", t2:remove_done_callback(d1))
  end
  error(AppError("bad"))
end)

function w1(n)
  try_do("fail f2", function() f2:set_exception(FatalError("broken")) end)
  if t3 then
    ev("await t3", (t3:await()))
  end
  do
    local ok, e = pcall(function()
      lucio.sleep(0.5)
      c2 = watch("c2", lucio.create_task(lucio.sleep, 0.5, 8))
      lucio.sleep(0)
    end)
    ev("cleanup", 5)
    try_do("set f1", function() f1:set_result(n) end)
    if not ok then error(e, 0) end
  end
  if t4 then
    ev("await t4", (t4:await()))
  end
  ev("note", 7)
  if c1 then
    ev("gather", lucio.gather{f2, f2, c1, return_exceptions = true})
  end
  return n * 10
end

function w2(n)
  for i1 = 0, 1 do
    if t3 then
      ev("await t3", (t3:await()))
    end
  end
  if c2 then
    ev("await c2", (c2:await()))
  end
  if t1 then
    ev("removed d1", t1:remove_done_callback(d1))
  end
  try_do("fail f2", function() f2:set_exception(FatalError("no")) end)
  return n + 1
end

function w3(n)
  ev("h2", (lucio.await(h2(n))))
  c3 = lucio.create_task{named("c3", h1, n + 1), eager_start = true}
  return n * 10
end

function w4(n)
  lucio.sleep(0.5)
  if c1 then
    c1:add_done_callback(d1)
  end
  f1:add_done_callback(d1)
  try_do("set f2", function() f2:set_result(n + 1) end)
  try_do("set f1", function() f1:set_result(n + 1) end)
  return 8
end

local function settle()
  if not f1:done() then f1:set_result(77) end
  if not f2:done() then f2:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.get_running_loop():create_future())
  t2 = keep(lucio.create_task{w1, 3, name = "t2"})
  t4 = watch("t4", lucio.create_task(w2, 6))
  t1 = watch("t1", lucio.get_running_loop():create_task(w3, 8))
  t3 = lucio.create_task{named("t3", w4, 3), eager_start = true}
  t3:add_done_callback(d1)
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
end

run(main)
