-- 132: a condition, timeouts
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local state, begin, ev, try_do, try_get, reg, watch, finish, run = P.state, P.begin, P.ev, P.try_do, P.try_get, P.reg, P.watch, P.finish, P.run
local FatalError = P.FatalError

local lock1, f1, f2, cond1, n1, t1, t2, t3, t4, z91t
n1 = 0
local w1, w2, w3, w4, z91

function w1(n)
  do
    local _ <close> = cond1:acquire()
    ev("in cond1")
    ev("wait cond1", (cond1:wait()))
  end
  do
    local _ <close> = cond1:acquire()
    ev("in cond1")
    ev("wait cond1", (cond1:wait()))
    lucio.sleep(0.25)
  end
  try_get("exception f1", function() return f1:exception() end)
  return 7
end

w2 = lucio.async(function(n)
  lucio.sleep(-1)
  do
    local _ <close> = cond1:acquire()
    ev("in cond1")
    n1 = n1 + 1
    try_do("notify cond1", function() cond1:notify() end)
  end
  error("bad", 0)
end)

w3 = lucio.async(function(n)
  ev("await f2", (f2:await()))
  ev("await f2", (f2:await()))
  try_get("result f1", function() return f1:result() end)
  do
    local _ <close> = cond1:acquire()
    ev("in cond1")
    ev("wait cond1", (cond1:wait()))
    lucio.sleep(0.25)
  end
  for i1 = 0, 1 do
    lucio.with(cond1:acquire(), function()
      ev("in cond1")
      ev("wait_for cond1", (cond1:wait_for(function() return n1 >= 1 end)))
      lucio.sleep(0.125)
    end)
  end
  error(FatalError("no"))
end)

function w4(n)
  do
    local s6
    do
      local scope <close> = lucio.timeout(nil)
      s6 = scope
      lucio.with(cond1:acquire(), function()
        ev("in cond1")
        n1 = n1 + 1
        try_do("notify cond1", function() cond1:notify() end)
      end)
    end
    ev("s6 in time", s6:expired())
  end
  lucio.with(cond1:acquire(), function()
    ev("in cond1")
    n1 = n1 + 1
    try_do("notify cond1", function() cond1:notify(2) end)
    try_do("set f1", function() f1:set_result(6) end)
    n1 = n1 + 1
    try_do("notify cond1", function() cond1:notify() end)
    ev("note", 4)
  end)
end

function z91(n)
  do
    local _ <close> = cond1:acquire()
    cond1:notify_all()
  end
end

local function settle()
  if not f1:done() then f1:set_result(77) end
  if not f2:done() then f2:set_result(77) end
  z91t = watch("z91t", lucio.create_task(z91, 1))
end

local function main()
  begin()
  lock1 = lucio.Lock()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.Future())
  cond1 = lucio.Condition(lock1)
  t1 = watch("t1", lucio.create_task(w1, 8))
  t2 = watch("t2", lucio.create_task(w2(5)))
  t3 = watch("t3", lucio.create_task(w3(2)))
  t4 = watch("t4", lucio.create_task(w4, 2))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
  ev("final", "cond1", cond1:locked())
end

run(main)
