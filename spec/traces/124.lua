-- 124: a lock, cancellation
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local state, begin, ev, try_do, try_get, reg, watch, finally, finish = P.state, P.begin, P.ev, P.try_do, P.try_get, P.reg, P.watch, P.finally, P.finish
local run, AppError = P.run, P.AppError

local f1, f2, lock1, lock2, t1, t2, t3, t4, c1, c2, c3
local d1, h2, w1, w2, w3

function d1(f)
  ev("d1", f, state(f))
  ev("step", 6)
end

function h2(n)
  lucio.sleep(0.25)
  ev("cancel t4", t4:cancel())
  c1 = watch("c1", lucio.create_task(function() return lucio.sleep(0.5, 6) end))
  return n
end

function w1(n)
  lucio.sleep(0.25)
  do
    local ok, e = pcall(function()
      lucio.sleep(1)
    end)
    ev("cleanup", 9)
    if not ok then error(e, 0) end
  end
  do
    lucio.wait_for(function() lock2:acquire() end, 0.25)
    local ok, e = pcall(function()
      ev("got lock2")
      lucio.sleep(0.25)
    end)
    try_do("release lock2", function() lock2:release() end)
    if not ok then error(e, 0) end
  end
  return 4
end

function w2(n)
  do
    local _ <close> = finally(function()
      ev("cleanup", 7)
      lucio.sleep(0)
      ev("note", n)
    end)
    c2 = watch("c2", lucio.create_task(h2, n))
    do
      local _ <close> = lock2:acquire()
      ev("in lock2")
      lucio.sleep(0.25)
    end
  end
  do
    lucio.wait_for(function() lock2:acquire() end, 0)
    local ok, e = pcall(function()
      ev("got lock2")
      lucio.sleep(0.25)
    end)
    try_do("release lock2", function() lock2:release() end)
    if not ok then error(e, 0) end
  end
  do
    lucio.wait_for(function() return lock1:acquire() end, 0)
    local ok, e = pcall(function()
      ev("got lock1")
      lucio.sleep(0.5)
      ev("cancel t4", t4:cancel())
      lucio.with(lock2:acquire(), function()
        ev("in lock2")
        try_do("set f1", function() f1:set_result(7) end)
      end)
      if c1 then
        ev("await c1", (c1:await()))
      end
    end)
    try_do("release lock1", function() lock1:release() end)
    if not ok then error(e, 0) end
  end
  ev("cancel t4", t4:cancel())
  return 8
end

function w3(n)
  lucio.sleep(0.25)
  if c1 then
    ev("cancel c1", c1:cancel())
  end
  try_do("fail f2", function() f2:set_exception(AppError("no")) end)
  ev("f2", state(f2))
  ev("cancel f1", f1:cancel())
  lucio.sleep(0.5)
  ev("cancel t3", t3:cancel())
  try_do("set f1", function() f1:set_result(n + 1) end)
  lucio.sleep(0.125)
  try_get("exception f2", function() return f2:exception() end)
  c3 = watch("c3", lucio.create_task(h2, 8))
  return 8
end

local function settle()
  if not f2:done() then f2:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.Future())
  lock1 = lucio.Lock()
  lock2 = lucio.Lock()
  t1 = watch("t1", lucio.create_task(w1, 3))
  t2 = watch("t2", lucio.get_running_loop():create_task(w2, 7))
  t3 = watch("t3", lucio.create_task(w2, 2))
  t4 = watch("t4", lucio.create_task(w3, 6))
  t4:add_done_callback(d1)
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
  ev("final", "lock1", lock1:locked())
  ev("final", "lock2", lock2:locked())
end

run(main)
