-- 121: wait_for, a queue
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, ev, try_do, reg, watch, finish = P.isa, P.err, P.state, P.begin, P.ev, P.try_do, P.reg, P.watch, P.finish
local drain, run, keep, AppError = P.drain, P.run, P.keep, P.AppError

local f1, f2, q1, q2, t1, t2, t3, t4, t5, c1
local d1, d2, h1, h2, w1, w2

function d1(f)
  ev("d1", f, state(f))
  try_do("put_nowait q2 5", function() q2:put_nowait(5) end)
  ev("note", 5)
end

function d2(f)
  ev("d2", f, state(f))
end

h1 = lucio.async(function(n)
  ev("h1", n)
  lucio.sleep(1)
  do
    local ok, e = pcall(function()
      q1:join()
      ev("joined q1")
      ev("get q1", (q1:get()))
      ev("wait_for", (lucio.wait_for(lucio.shield(t2), 0.5)))
    end)
    if not ok then
      ev("except BaseException", err(e))
      ev("wait_for", (lucio.wait_for(f1, 0.75)))
      do
        local ok, e = pcall(function()
          lucio.sleep(0.5)
          q2:put(n)
          ev("put q2", n)
        end)
        if not ok then
          if not isa(e, lucio.CancelledError) then error(e, 0) end
          ev("except CancelledError", err(e))
        end
      end
      ev("get q1", (q1:get()))
      try_do("task_done q1", function() q1:task_done() end)
    end
  end
  ev("removed d1", t3:remove_done_callback(d1))
  error(AppError("broken"))
end)

function h2(n)
  q1:put(7)
  ev("put q1", 7)
  f2:add_done_callback(d2)
  ev("get q2", (q2:get()))
  ev("h1", (lucio.await(h1(n))))
  return n + 1
end

w1 = lucio.async(function(n)
  c1 = watch("c1", lucio.create_task(h2, n + 1))
  ev("wait_for", (lucio.wait_for(t4, 1)))
  lucio.sleep(0)
  ev("wait_for", (lucio.wait_for(f1, 0.5)))
  return n * 10
end)

function w2(n)
  lucio.sleep(0)
  ev("removed d2", t4:remove_done_callback(d2))
  ev("cancel t4", t4:cancel())
  try_do("put_nowait q2 1", function() q2:put_nowait(1) end)
end

local function settle()
  if not f1:done() then f1:set_result(77) end
  if not f2:done() then f2:set_result(77) end
  q1:shutdown()
end

local function main()
  begin()
  f1 = reg("f1", lucio.get_running_loop():create_future())
  f2 = reg("f2", lucio.get_running_loop():create_future())
  q1 = lucio.LifoQueue(1)
  q2 = lucio.Queue()
  t1 = keep(lucio.create_task{w1(5), name = "t1"})
  t1:add_done_callback(d1)
  t2 = watch("t2", lucio.create_task(w1(2)))
  t3 = watch("t3", lucio.create_task(w2, 1))
  t4 = watch("t4", lucio.get_running_loop():create_task(w2, 8))
  t5 = watch("t5", lucio.get_running_loop():create_task(w2, 5))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
  drain("q1", q1)
  drain("q2", q2)
end

run(main)
