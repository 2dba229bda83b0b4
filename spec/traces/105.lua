-- 105: task groups, how main ends
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local err, state, begin, ev, try_do, try_get, reg, watch, named = P.err, P.state, P.begin, P.ev, P.try_do, P.try_get, P.reg, P.watch, P.named
local finish, run, keep = P.finish, P.run, P.keep

local f1, f2, t1, t2, c1, g1, c2, c3, g2, c4, g3, c5
local h1, h2, w1, w2

function h1(n)
  try_do("set f2", function() f2:set_result(n + 1) end)
  lucio.sleep(0.75)
  return n * 10
end

function h2(n)
  try_get("exception f1", function() return f1:exception() end)
  c1 = watch("c1", lucio.create_task(h1, n + 1))
  return 9
end

function w1(n)
  ev("h2", (h2(n * 10)))
  lucio.sleep(0)
  try_get("exception f1", function() return f1:exception() end)
  do
    local ok, e = pcall(function()
      lucio.with(lucio.TaskGroup(), function(scope)
        g1 = scope
        c2 = watch("c2", g1:create_task(h2, n))
        lucio.sleep(0.25)
        c3 = keep(g1:create_task{function() return h1(n) end, name = "c3"})
      end)
      ev("g1 done")
    end)
    if not ok then
      ev("except BaseException", err(e))
      ev("cancelling", lucio.current_task():cancelling())
    end
  end
  return n * 10
end

w2 = lucio.async(function(n)
  do
    local scope <close> = lucio.TaskGroup()
    g2 = scope
    c4 = watch("c4", g2:create_task(function() return h1(n) end))
    lucio.sleep(0)
    ev("await f1", (f1:await()))
    do
      local ok, e = pcall(function()
        do
          local ok, e = pcall(function()
            do
              local scope <close> = lucio.TaskGroup()
              g3 = scope
              c5 = g3:create_task(named("c5", h2, n))
              lucio.sleep(0)
            end
            ev("g3 done")
          end)
          if not ok then
            ev("except BaseException", err(e))
            lucio.sleep(0.5)
            ev("f1 done", f1:done(), f1:cancelled())
            error(e, 0)
          end
        end
      end)
      ev("cleanup", 6)
      try_do("set f2", function() f2:set_result(9) end)
      if not ok then error(e, 0) end
    end
  end
  ev("g2 done")
  ev("h2", (h2(4)))
end)

local function settle()
  if not f1:done() then f1:set_result(77) end
  if not f2:done() then f2:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.Future())
  t1 = watch("t1", lucio.create_task(function() return w1(4) end))
  t2 = watch("t2", lucio.get_running_loop():create_task(w2(2)))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
  return 5
end

run(main)
