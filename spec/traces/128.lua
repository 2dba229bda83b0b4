-- 128: a semaphore
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local err, begin, ev, try_do, watch, finally, finish, permits, run = P.err, P.begin, P.ev, P.try_do, P.watch, P.finally, P.finish, P.permits, P.run
local keep = P.keep

local sem1, t1, t2, t3, c1
local h1, w1, w2, w3

h1 = lucio.async(function(n)
  lucio.sleep(0.125)
  try_do("release sem1", function() sem1:release() end)
  do
    local _ <close> = sem1:acquire()
    ev("in sem1")
    lucio.sleep(0)
  end
  return n + 1, 1
end)

w1 = lucio.async(function(n)
  ev("h1", lucio.await(h1(n * 10)))
  lucio.await(h1(3))
  ev("h1", lucio.await(h1(n)))
  for i1 = 0, 1 do
    lucio.sleep(0.25)
  end
  do
    local _ <close> = finally(function()
      ev("cleanup", 5)
      lucio.sleep(0.25)
    end)
    lucio.await(h1(n))
  end
  lucio.with(sem1:acquire(), function()
    ev("in sem1")
    lucio.sleep(0.25)
    ev("sem1 locked", sem1:locked())
  end)
end)

w2 = lucio.async(function(n)
  do
    local ok, e = pcall(function()
      do
        local _ <close> = sem1:acquire()
        ev("in sem1")
        lucio.sleep(0.25)
      end
    end)
    if not ok then
      ev("except BaseException", err(e))
      lucio.sleep(0.25)
      lucio.sleep(0.75)
    end
  end
  lucio.sleep(0)
  do
    sem1:acquire()
    local ok, e = pcall(function()
      ev("got sem1")
      lucio.sleep(0.5)
    end)
    try_do("release sem1", function() sem1:release() end)
    if not ok then error(e, 0) end
  end
  c1 = watch("c1", lucio.create_task(h1(n + 1)))
  try_do("release sem1", function() sem1:release() end)
  ev("step", n)
  return n
end)

function w3(n)
  lucio.sleep(0.125)
  try_do("release sem1", function() sem1:release() end)
  lucio.sleep(0.75)
  ev("sem1 locked", sem1:locked())
  lucio.sleep(0.5)
  ev("cancel t3", t3:cancel())
  ev("sem1 locked", sem1:locked())
  try_do("release sem1", function() sem1:release() end)
  ev("sem1 locked", sem1:locked())
  lucio.sleep(0.125)
  ev("cancel t3", t3:cancel())
  ev("cancel t2", t2:cancel())
  ev("note", 4)
  ev("cancel t2", t2:cancel())
  return 5
end

local function settle()
  try_do("release sem1", function() sem1:release() end)
end

local function main()
  begin()
  sem1 = lucio.Semaphore(3)
  t1 = watch("t1", lucio.get_running_loop():create_task(w1(5)))
  t2 = watch("t2", lucio.get_running_loop():create_task(w2(6)))
  t3 = keep(lucio.create_task{w3, 3, name = "t3"})
  ev("cancel t3", t3:cancel())
  finish(settle, 6)
  permits("sem1", sem1)
end

run(main)
