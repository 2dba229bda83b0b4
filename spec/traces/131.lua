-- 131: a condition, cancellation
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, same, begin, ev, try_do, reg, watch = P.isa, P.err, P.state, P.same, P.begin, P.ev, P.try_do, P.reg, P.watch
local finish, run = P.finish, P.run

local f1, cond1, n1, t1, t2, t3, c1, c2, c3, z91t
n1 = 0
local d1, d2, h1, w1, w2, w3, z91

function d1(f)
  ev("d1", f, state(f))
end

function d2(f)
  ev("d2", f, state(f))
  ev("cancel t1", t1:cancel())
end

function h1(n)
  ev("await f1", (f1:await()))
  do
    local _ <close> = cond1:acquire()
    ev("in cond1")
    n1 = n1 + 1
    try_do("notify cond1", function() cond1:notify(1) end)
  end
  ev("await f1", (f1:await()))
  f1:add_done_callback(d1)
  return 1
end

w1 = lucio.async(function(n)
  lucio.sleep(0)
  do
    local ok, e = pcall(function()
      try_do("set f1", function() f1:set_result(n + 1) end)
      ev("h1", (h1(n)))
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
    end
  end
  return n
end)

w2 = lucio.async(function(n)
  lucio.sleep(0.25)
  ev("here", 4)
  if c1 then
    c1:add_done_callback(d2)
  end
  lucio.with(cond1:acquire(), function()
    ev("in cond1")
    ev("wait cond1", (cond1:wait()))
  end)
  for i1 = 0, 1 do
    do
      local _ <close> = cond1:acquire()
      ev("in cond1")
      ev("wait cond1", (cond1:wait()))
    end
  end
end)

function w3(n)
  c2 = watch("c2", lucio.create_task(function() return lucio.sleep(0.5, 8) end))
  ev("slept", (lucio.sleep(0.5, 4)))
  c3 = watch("c3", lucio.create_task(lucio.sleep, 0.25, 5))
  do
    local ok, e = pcall(function()
      lucio.sleep(0.25)
      ev("cancel f1", f1:cancel())
      ev("await f1", (f1:await()))
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
      ev("same", same(e, f1))
    end
  end
  do
    local _ <close> = cond1:acquire()
    ev("in cond1")
    ev("wait_for cond1", (cond1:wait_for(function() return n1 >= 2 end)))
    ev("wait cond1", (cond1:wait()))
  end
  return 5
end

function z91(n)
  do
    local _ <close> = cond1:acquire()
    cond1:notify_all()
  end
end

local function settle()
  if not f1:done() then f1:set_result(77) end
  z91t = watch("z91t", lucio.create_task(z91, 1))
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  cond1 = lucio.Condition()
  t1 = watch("t1", lucio.create_task(w1(1)))
  t1:add_done_callback(d1)
  t2 = watch("t2", lucio.create_task(w2(7)))
  t3 = watch("t3", lucio.get_running_loop():create_task(w3, 8))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "cond1", cond1:locked())
end

run(main)
