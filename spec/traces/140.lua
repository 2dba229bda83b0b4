-- 140: a queue, gather
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local state, begin, ev, try_do, reg, watch, named, finish, drain = P.state, P.begin, P.ev, P.try_do, P.reg, P.watch, P.named, P.finish, P.drain
local run, NetError = P.run, P.NetError

local f1, f2, q1, q2, t1, t2, t3, t4, t5, t6, c2
local h1, h3, w1, w2, w3, w4, w5

function h1(n)
  q1:put(3)
  ev("put q1", 3)
  ev("gather", lucio.gather(lucio.shield(t2)))
  lucio.sleep(0.75)
  q2:join()
  ev("joined q2")
  error(NetError("bad"))
end

function h3(n)
  ev("h3", n)
  q2:put(nil)
  ev("put q2", nil)
  q1:join()
  ev("joined q1")
  ev("await f1", (f1:await()))
  return n
end

w1 = lucio.async(function(n)
  ev("get q1", (q1:get()))
  q1:put(7)
  ev("put q1", 7)
  return n
end)

w2 = lucio.async(function(n)
  try_do("put_nowait q1 n", function() q1:put_nowait(n) end)
  c2 = watch("c2", lucio.create_task(h1, n))
  ev("gather", lucio.gather{named("y1", h1, n), named("y2", h3, n), return_exceptions = true})
  ev("gather", lucio.gather(named("y3", h1, 8)))
  q2:join()
  ev("joined q2")
  ev("await t3", (t3:await()))
  return n + 1
end)

w3 = lucio.async(function(n)
  ev("q2", q2:qsize(), q2:empty(), q2:full())
  ev("get q2", (q2:get()))
  ev("gather", lucio.gather{function() return lucio.sleep(0.25, 7) end, return_exceptions = true})
end)

w4 = lucio.async(function(n)
  ev("h3", (h3(n)))
  ev("gather", lucio.gather{named("y4", h1, n), function() return q1:get() end, return_exceptions = true})
  lucio.sleep(0.25)
  q2:put(8)
  ev("put q2", 8)
  lucio.sleep(0.25)
  return 7
end)

function w5(n)
  lucio.sleep(0)
  try_do("task_done q2", function() q2:task_done() end)
  ev("cancel t4", t4:cancel())
  lucio.sleep(0)
  try_do("fail f2", function() f2:set_exception(NetError("no")) end)
  ev("note", 3)
  ev("cancel t5", t5:cancel())
end

local function settle()
  if not f2:done() then f2:set_result(77) end
  q1:shutdown()
  q2:shutdown()
end

local function main()
  begin()
  f1 = reg("f1", lucio.get_running_loop():create_future())
  f2 = reg("f2", lucio.Future())
  q1 = lucio.LifoQueue(1)
  q2 = lucio.Queue(1)
  t1 = watch("t1", lucio.create_task(w3(1)))
  t2 = watch("t2", lucio.create_task(w1(9)))
  t3 = watch("t3", lucio.create_task(w2(9)))
  t4 = watch("t4", lucio.create_task(w3(8)))
  t5 = watch("t5", lucio.create_task(w4(9)))
  t6 = watch("t6", lucio.get_running_loop():create_task(w5, 1))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
  drain("q1", q1)
  drain("q2", q2)
end

run(main)
