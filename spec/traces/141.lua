-- 141: a queue, tasks and done callbacks
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, ev, try_do, try_get, watch, finish = P.isa, P.err, P.state, P.begin, P.ev, P.try_do, P.try_get, P.watch, P.finish
local drain, run, keep, AppError, FatalError = P.drain, P.run, P.keep, P.AppError, P.FatalError

local q1, q2, t1, t2, t3, t4, t5, c1
local d1, h1, h2, w1, w2, w3, w4, w5

function d1(f)
  ev("d1", f, state(f))
end

function h1(n)
  lucio.sleep(0)
  q2:put(4)
  ev("put q2", 4)
  return 2
end

function h2(n)
  ev("removed d1", t5:remove_done_callback(d1))
  ev("get q1", (q1:get()))
end

function w1(n)
  lucio.sleep(0.125)
  do
    local ok, e = pcall(function()
      ev("step", 6)
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
      ev("slept", (lucio.sleep(0.125, n)))
      q1:put(8)
      ev("put q1", 8)
      error(e, 0)
    end
  end
  try_do("put_nowait q1 3", function() q1:put_nowait(3) end)
  try_get("result t3", function() return t3:result() end)
  ev("get q1", (q1:get()))
  do
    local ok, e = pcall(function()
      ev("h1", (h1(n + 1)))
      q1:put(1)
      ev("put q1", 1)
      t1:add_done_callback(d1)
    end)
    if not ok then
      if not isa(e, FatalError) then error(e, 0) end
      ev("except FatalError", err(e))
    end
  end
  return 2
end

function w2(n)
  ev("h1", (h1(n * 10)))
  lucio.sleep(0)
  try_do("put_nowait q2 4", function() q2:put_nowait(4) end)
  q1:put(n)
  ev("put q1", n)
  ev("get q1", (q1:get()))
  ev("get q1", (q1:get()))
  return n * 10
end

function w3(n)
  q2:put(5)
  ev("put q2", 5)
  ev("tasks", #lucio.all_tasks())
  q1:join()
  ev("joined q1")
  error(AppError("broken"))
end

function w4(n)
  lucio.sleep(0.125)
  q1:put({2, "b"})
  ev("put q1", {2, "b"})
  try_do("put_nowait q1 nil", function() q1:put_nowait(nil) end)
  lucio.sleep(0.25)
  ev("h1", (h1(2)))
end

w5 = lucio.async(function(n)
  lucio.sleep(0.25)
  try_do("task_done q1", function() q1:task_done() end)
  lucio.sleep(0.125)
  ev("cancel t1", t1:cancel("late"))
  try_get("get_nowait q2", function() return q2:get_nowait() end)
  ev("t4", state(t4))
  c1 = keep(lucio.create_task{function() return h2(n) end, name = "c1"})
  lucio.sleep(0)
  ev("cancel t2", t2:cancel("stop"))
  try_do("put_nowait q1 5", function() q1:put_nowait(5) end)
  ev("q1", q1:qsize(), q1:empty(), q1:full())
  lucio.sleep(0.5)
  try_get("get_nowait q2", function() return q2:get_nowait() end)
  try_get("get_nowait q2", function() return q2:get_nowait() end)
  if c1 then
    ev("cancel c1", c1:cancel("stop"))
  end
  return 4
end)

local function settle()
  q2:shutdown()
end

local function main()
  begin()
  q1 = lucio.LifoQueue(1)
  q2 = lucio.PriorityQueue(1)
  t2 = watch("t2", lucio.create_task(w1, 3))
  t1 = watch("t1", lucio.create_task(function() return w2(5) end))
  t5 = watch("t5", lucio.create_task(function() return w3(4) end))
  t3 = watch("t3", lucio.create_task(w4, 9))
  t4 = keep(lucio.create_task{w5(5), name = "t4"})
  t4:add_done_callback(d1)
  finish(settle, 6)
  drain("q1", q1)
  drain("q2", q2)
end

run(main)
