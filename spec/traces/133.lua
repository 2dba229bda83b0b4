-- 133: a condition
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local err, begin, ev, try_do, watch, named, finally, finish, run = P.err, P.begin, P.ev, P.try_do, P.watch, P.named, P.finally, P.finish, P.run

local lock1, cond1, t1, t2, t3, t4, c1, z91t
local h1, w1, w2, w3, z91

function h1(n)
  ev("h1", n)
  do
    lucio.wait_for(function() return lock1:acquire() end, 0.25)
    local ok, e = pcall(function()
      ev("got lock1")
      lucio.sleep(0)
    end)
    try_do("release lock1", function() lock1:release() end)
    if not ok then error(e, 0) end
  end
  do
    local ok, e = lucio.pcall(function()
      do
        local _ <close> = cond1:acquire()
        ev("in cond1")
        ev("wait cond1", (cond1:wait()))
        try_do("notify cond1", function() cond1:notify(1) end)
        lucio.sleep(0.125)
      end
    end)
    if not ok then
      ev("except Exception", err(e))
      do
        local _ <close> = finally(function()
          ev("cleanup", 9)
        end)
        ev("tasks", #lucio.all_tasks())
        lucio.sleep(0.5)
      end
    end
  end
  lucio.sleep(0.5)
end

function w1(n)
  c1 = watch("c1", lucio.get_running_loop():create_task(h1, n))
  ev("step", n)
  return n
end

w2 = lucio.async(function(n)
  ev("step", n + 1)
  h1(n + 1)
  return n * 10
end)

w3 = lucio.async(function(n)
  do
    local ok, e = pcall(function()
      do
        local _ <close> = lock1:acquire()
        ev("in lock1")
        lucio.sleep(0)
      end
    end)
    ev("cleanup", 9)
    ev("here", 4)
    if not ok then error(e, 0) end
  end
  do
    local _ <close> = cond1:acquire()
    ev("in cond1")
    ev("wait cond1", (cond1:wait()))
    lucio.sleep(0)
    ev("wait_for", (lucio.wait_for(function() return cond1:wait() end, 1)))
    lucio.sleep(0.125)
  end
  return n + 1
end)

function z91(n)
  do
    local _ <close> = cond1:acquire()
    cond1:notify_all()
  end
end

local function settle()
  z91t = watch("z91t", lucio.create_task(z91, 1))
end

local function main()
  begin()
  lock1 = lucio.Lock()
  cond1 = lucio.Condition(lock1)
  t1 = watch("t1", lucio.create_task(w1, 4))
  t2 = watch("t2", lucio.create_task(w2(8)))
  t3 = watch("t3", lucio.create_task(w3(8)))
  t4 = lucio.create_task(named("t4", w3, 1))
  finish(settle, 6)
  ev("final", "cond1", cond1:locked())
end

run(main)
