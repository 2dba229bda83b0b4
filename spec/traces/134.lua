-- 134: a barrier
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local bidx, begin, ev, watch, named, finish, run = P.bidx, P.begin, P.ev, P.watch, P.named, P.finish, P.run

local bar1, t1, t2, t3, hd1, c1, hd2, z91t
local k1, k2, h1, h2, w1, w2, z91

function k1(n)
  ev("k1", n)
  ev("bar1", bar1.n_waiting, bar1.broken)
  ev("bar1", bar1.n_waiting, bar1.broken)
end

function k2(n)
  ev("k2", n)
  hd1 = lucio.get_running_loop():call_later(0.25, k1, 6)
end

function h1(n)
  ev("h1", n)
  ev("passed bar1", bidx(bar1:wait()))
  lucio.sleep(0.5)
  ev("passed bar1", bidx(bar1:wait()))
  return n * 10
end

function h2(n)
  do
    local ok, e = pcall(function()
      h1(n * 10)
    end)
    ev("cleanup", 6)
    if not ok then error(e, 0) end
  end
  lucio.sleep(0)
  bar1:reset()
  ev("reset bar1")
  ev("passed bar1", bidx(bar1:wait()))
end

function w1(n)
  lucio.sleep(0.25)
  c1 = watch("c1", lucio.create_task(lucio.gather, function() return lucio.sleep(0.25, 8) end, named("y1", h2, 1), named("y2", h1, n + 1)))
  hd2 = lucio.get_running_loop():call_later(0.5, k2, 6)
  ev("passed bar1", bidx(bar1:wait()))
  ev("here", 1)
end

function w2(n)
  ev("slept", (lucio.sleep(0.75, 2)))
  ev("h1", (h1(2)))
  ev("step", 2)
  ev("passed bar1", bidx(bar1:wait()))
end

function z91(n)
  bar1:abort()
  ev("abort bar1")
end

local function settle()
  z91t = watch("z91t", lucio.create_task(z91, 1))
end

local function main()
  begin()
  bar1 = lucio.Barrier(2)
  t2 = watch("t2", lucio.create_task(w2, 1))
  t3 = lucio.create_task(named("t3", w1, 2))
  t1 = watch("t1", lucio.create_task(w2, 9))
  ev("cancel t1", t1:cancel())
  finish(settle, 6)
  ev("final", "bar1", bar1.n_waiting, bar1.broken)
end

run(main)
