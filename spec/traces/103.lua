-- 103: task groups, shield
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local err, state, begin, ev, try_do, try_get, reg, watch, named = P.err, P.state, P.begin, P.ev, P.try_do, P.try_get, P.reg, P.watch, P.named
local finish, run, FatalError = P.finish, P.run, P.FatalError

local f1, f2, t1, t2, t3, t4, g1, c1, c2, c3, c4
local h2, h3, w1, w2, w3, w4

function h2(n)
  ev("h2", n)
  try_get("exception f2", function() return f2:exception() end)
  ev("shield", (lucio.shield(f2):await()))
  try_do("set f1", function() f1:set_result(9, 9) end)
end

function h3(n)
  ev("h3", n)
  do
    local scope <close> = lucio.TaskGroup()
    g1 = scope
    c1 = watch("c1", g1:create_task(function() return h2(n) end))
    c2 = watch("c2", g1:create_task(function() return h2(n + 1) end))
    ev("slept", (lucio.sleep(0.5, 6)))
    ev("shield", (lucio.shield(t2):await()))
  end
  ev("g1 done")
  lucio.sleep(0)
  ev("await t3", (t3:await()))
  return n, 7
end

function w1(n)
  lucio.sleep(0.5)
  c3 = watch("c3", lucio.create_task(h3, 3))
  lucio.sleep(0.75)
  ev("shield", (lucio.shield(f2):await()))
  return n
end

function w2(n)
  if g1 then
    try_do("add to g1", function() g1:create_task(named("y1", h3, 3)) end)
  end
  ev("await t4", (t4:await()))
  if c1 then
    c4 = watch("c4", lucio.create_task(lucio.gather, c1, named("y2", h2, n)))
  end
  lucio.sleep(0.75)
  return n * 10
end

function w3(n)
  do
    local ok, e = pcall(function()
      try_do("fail f1", function() f1:set_exception(FatalError("bad")) end)
    end)
    if not ok then
      ev("except BaseException", err(e))
      error(e, 0)
    end
  end
  do
    local ok, e = pcall(function()
      if g1 then
        try_do("add to g1", function() g1:create_task(named("y3", h2, 5)) end)
      end
      ev("shield", (lucio.shield(named("y4", h2, n)):await()))
    end)
    ev("cleanup", 9)
    if not ok then error(e, 0) end
  end
  return n
end

function w4(n)
  lucio.sleep(0.5)
  ev("cancel t3", t3:cancel("stop"))
  lucio.sleep(0.125)
  ev("cancel t4", t4:cancel("stop"))
  lucio.sleep(0.75)
  ev("cancel t2", t2:cancel())
  try_do("set f1", function() f1:set_result(5, 8) end)
  ev("cancel t2", t2:cancel("late"))
  ev("step", n)
end

local function settle()
  if not f1:done() then f1:set_result(77, 78) end
  if not f2:done() then f2:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.Future())
  t1 = watch("t1", lucio.create_task(w1, 3))
  t4 = watch("t4", lucio.create_task(w2, 8))
  t2 = watch("t2", lucio.create_task(w3, 2))
  t3 = watch("t3", lucio.create_task(function() return w4(8) end))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
end

run(main)
