-- 138: a queue, cancellation
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, same, begin, ev, try_do, try_get, reg = P.isa, P.err, P.state, P.same, P.begin, P.ev, P.try_do, P.try_get, P.reg
local watch, finish, drain, run, keep = P.watch, P.finish, P.drain, P.run, P.keep

local f1, f2, q1, t1, t2, t3, c1, c2, c3, c4, c5, c6
local d1, h1, w1, w2, w3

function d1(f)
  ev("d1", f, state(f))
end

function h1(n)
  ev("h1", n)
  q1:put(7)
  ev("put q1", 7)
  ev("q1", q1:qsize(), q1:empty(), q1:full())
end

function w1(n)
  q1:put(4)
  ev("put q1", 4)
  q1:put(4)
  ev("put q1", 4)
  c1 = watch("c1", lucio.get_running_loop():create_task(h1, n))
  ev("await t1", (t1:await()))
  q1:put(5)
  ev("put q1", 5)
  return n * 10
end

function w2(n)
  c2 = keep(lucio.create_task{function() return h1(n) end, name = "c2"})
  do
    local ok, e = lucio.pcall(function()
      try_do("set f1", function() f1:set_result(8) end)
      do
        local ok, e = pcall(function()
          do
            local ok, e = pcall(function()
              if c1 then
                ev("await c1", (c1:await()))
              end
              ev("get q1", (q1:get()))
              ev("await f2", (f2:await()))
            end)
            if not ok then
              if not isa(e, lucio.QueueShutDown) then error(e, 0) end
              ev("except QueueShutDown", err(e))
              ev("same", same(e, f2))
              if c2 then
                try_get("result c2", function() return c2:result() end)
              end
              error(e, 0)
            end
          end
          c3 = watch("c3", lucio.create_task(function() return lucio.wait_for(f1, nil) end))
        end)
        if not ok then
          if not isa(e, lucio.QueueShutDown) then error(e, 0) end
          ev("except QueueShutDown", err(e))
        end
      end
      ev("await f1", (f1:await()))
    end)
    if not ok then
      ev("except Exception", err(e))
      ev("same", same(e, f1))
      c4 = watch("c4", lucio.create_task(h1, 1))
      q1:put(9)
      ev("put q1", 9)
    end
  end
  c5 = keep(lucio.create_task{h1, 6, name = "c5"})
  lucio.sleep(0)
end

function w3(n)
  lucio.sleep(0)
  ev("cancel t1", t1:cancel())
  try_do("put_nowait q1 4", function() q1:put_nowait(4) end)
  try_get("get_nowait q1", function() return q1:get_nowait() end)
  lucio.sleep(0.25)
  ev("f2 done", f2:done(), f2:cancelled())
  ev("cancel f2", f2:cancel("stop"))
  try_get("result f2", function() return f2:result() end)
  lucio.sleep(0.25)
  c6 = watch("c6", lucio.create_task(h1, n))
  try_do("set f1", function() f1:set_result(6) end)
  try_do("task_done q1", function() q1:task_done() end)
  lucio.sleep(0.25)
  try_do("put_nowait q1 9", function() q1:put_nowait(9) end)
  ev("cancel t3", t3:cancel())
  return 8
end

local function settle()
  if not f1:done() then f1:set_result(77) end
  q1:shutdown()
end

local function main()
  begin()
  f1 = reg("f1", lucio.get_running_loop():create_future())
  f2 = reg("f2", lucio.Future())
  q1 = lucio.Queue(2)
  t1 = watch("t1", lucio.create_task(w1, 2))
  t1:add_done_callback(d1)
  t2 = watch("t2", lucio.get_running_loop():create_task(w2, 1))
  t3 = watch("t3", lucio.create_task(w3, 9))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
  drain("q1", q1)
end

run(main)
