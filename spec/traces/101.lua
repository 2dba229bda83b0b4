-- 101: task groups
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, ev, try_do, try_get, reg, watch = P.isa, P.err, P.state, P.begin, P.ev, P.try_do, P.try_get, P.reg, P.watch
local named, finish, run, keep, AppError = P.named, P.finish, P.run, P.keep, P.AppError

local f1, f2, t1, t2, t3, t4, t5, g1, c1, c2, c3, c4
local g2, c5
local h1, w1, w2, w3

h1 = lucio.async(function(n)
  lucio.sleep(0)
  ev("f2 done", f2:done(), f2:cancelled())
  for i1 = 0, 1 do
    lucio.sleep(0)
  end
end)

function w1(n)
  ev("h1", (lucio.await(h1(n))))
  lucio.sleep(0.25)
  ev("await f1", (f1:await()))
  do
    local ok, e = lucio.pcall(function()
      do
        local scope <close> = lucio.TaskGroup()
        g1 = scope
        c1 = watch("c1", g1:create_task(h1(n)))
        c2 = keep(g1:create_task{h1(n + 1), name = "c2"})
        do
          local ok, e = pcall(function()
            lucio.sleep(0.5)
            try_do("set f1", function() f1:set_result(n) end)
            ev("note", n)
          end)
          if not ok then
            if not isa(e, lucio.CancelledError) then error(e, 0) end
            ev("except CancelledError", err(e))
            lucio.sleep(0.5)
            c3 = watch("c3", lucio.create_task(h1(n + 1)))
            ev("h1", (lucio.await(h1(n + 1))))
            error(e, 0)
          end
        end
        ev("step", 8)
      end
      ev("g1 done")
    end)
    if not ok then
      ev("except Exception", err(e))
    end
  end
  lucio.sleep(1)
  c4 = watch("c4", lucio.create_task(h1(8)))
  return n
end

function w2(n)
  lucio.sleep(0.25)
  do
    local scope <close> = lucio.TaskGroup()
    g2 = scope
    c5 = watch("c5", g2:create_task(h1(n + 1)))
    lucio.sleep(0)
    error("bad", 0)
  end
  ev("g2 done")
  return n + 1
end

function w3(n)
  lucio.sleep(0.25)
  try_do("fail f2", function() f2:set_exception(AppError("no")) end)
  if g2 then
    try_do("add to g2", function() g2:create_task(named("y1", h1, 7)) end)
  end
  if g2 then
    try_do("add to g2", function() g2:create_task(named("y2", h1, 8)) end)
  end
  lucio.sleep(0.25)
  try_get("exception f2", function() return f2:exception() end)
  ev("cancel t1", t1:cancel())
  if g2 then
    try_do("add to g2", function() g2:create_task(named("y3", h1, 7)) end)
  end
  return 9
end

local function settle()
  if not f1:done() then f1:set_result(77) end
  if not f2:done() then f2:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.Future())
  t4 = lucio.create_task(named("t4", w1, 2))
  t5 = watch("t5", lucio.create_task(w3, 5))
  t2 = watch("t2", lucio.get_running_loop():create_task(w2, 8))
  t1 = watch("t1", lucio.create_task(function() return w2(4) end))
  t3 = watch("t3", lucio.create_task(w3, 2))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
end

run(main)
