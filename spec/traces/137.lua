-- 137: a queue
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, begin, ev, try_do, watch, named, finish, drain = P.isa, P.err, P.begin, P.ev, P.try_do, P.watch, P.named, P.finish, P.drain
local run = P.run

local q1, t1, t2, t3, t4, c1
local h1, h2, w1, w2, w3, w4

function h1(n)
  q1:join()
  ev("joined q1")
  lucio.sleep(0)
  lucio.sleep(0.75)
  return n
end

function h2(n)
  ev("h1", (h1(7)))
  ev("get q1", (q1:get()))
  lucio.sleep(0.125)
end

function w1(n)
  q1:put({4, "b"})
  ev("put q1", {4, "b"})
  ev("get q1", (q1:get()))
  error("oops", 0)
end

w2 = lucio.async(function(n)
  q1:join()
  ev("joined q1")
  c1 = watch("c1", lucio.create_task(function() return lucio.gather{function() return lucio.sleep(0, 7) end, named("y1", h2, n + 1), t3, return_exceptions = true} end))
  q1:put(2)
  ev("put q1", 2)
  q1:put(n)
  ev("put q1", n)
  ev("get q1", (q1:get()))
end)

w3 = lucio.async(function(n)
  ev("slept", (lucio.sleep(0.125, n + 1)))
  ev("q1", q1:qsize(), q1:empty(), q1:full())
  do
    local ok, e = pcall(function()
      try_do("put_nowait q1 1", function() q1:put_nowait(1) end)
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
      ev("get q1", (q1:get()))
      for i1 = 0, 1 do
        try_do("put_nowait q1 n", function() q1:put_nowait(n) end)
        ev("note", n + 1)
        lucio.sleep(0)
      end
    end
  end
  return n * 10
end)

w4 = lucio.async(function(n)
  try_do("task_done q1", function() q1:task_done() end)
  ev("h2", (h2(n * 10)))
  ev("get q1", (q1:get()))
  try_do("task_done q1", function() q1:task_done() end)
  for i2 = 0, 1 do
    q1:put(4)
    ev("put q1", 4)
  end
  return 2
end)

local function settle()
  q1:shutdown()
end

local function main()
  begin()
  q1 = lucio.LifoQueue(2)
  t1 = watch("t1", lucio.create_task(w1, 2))
  t2 = watch("t2", lucio.create_task(w2(3)))
  t3 = watch("t3", lucio.get_running_loop():create_task(w3(3)))
  t4 = watch("t4", lucio.create_task(w4(6)))
  finish(settle, 6)
  drain("q1", q1)
end

run(main)
