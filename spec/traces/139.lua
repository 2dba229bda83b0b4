-- 139: a queue, timeouts
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, now, at, rel, ev, try_do = P.isa, P.err, P.state, P.begin, P.now, P.at, P.rel, P.ev, P.try_do
local try_get, reg, watch, finish, drain, run, keep, DataError = P.try_get, P.reg, P.watch, P.finish, P.drain, P.run, P.keep, P.DataError

local f1, f2, q1, t1, t2, t3, t4, c1
local d1, h1, w1, w2, w3

function d1(f)
  ev("d1", f, state(f))
end

function h1(n)
  lucio.sleep(0.25)
  do
    local s1
    local ok, e = pcall(function()
      local scope <close> = lucio.timeout(-1)
      s1 = scope
      ev("s1 when", rel(s1:when()))
      q1:put(1)
      ev("put q1", 1)
      ev("get q1", (q1:get()))
    end)
    if ok then
      ev("s1 in time", s1:expired())
    elseif isa(e, lucio.TimeoutError) then
      ev("s1 timed out", s1:expired(), lucio.current_task():cancelling())
    else
      error(e, 0)
    end
  end
  error("broken", 0)
end

function w1(n)
  ev("get q1", (q1:get()))
  try_do("task_done q1", function() q1:task_done() end)
  lucio.sleep(0)
  lucio.sleep(0.125)
end

function w2(n)
  do
    local ok, e = pcall(function()
      do
        local s2
        local ok, e = pcall(function()
          local scope <close> = lucio.timeout(0.5)
          s2 = scope
          try_do("reschedule s2", function() s2:reschedule(at(now() + 0.25)) end)
          do
            local s3
            local ok, e = pcall(function()
              lucio.with(lucio.timeout_at(at(now())), function(scope)
                s3 = scope
                ev("get q1", (q1:get()))
              end)
            end)
            if ok then
              ev("s3 in time", s3:expired())
            elseif isa(e, lucio.TimeoutError) then
              ev("s3 timed out", s3:expired(), lucio.current_task():cancelling())
            else
              error(e, 0)
            end
          end
        end)
        if ok then
          ev("s2 in time", s2:expired())
        elseif isa(e, lucio.TimeoutError) then
          ev("s2 timed out", s2:expired(), lucio.current_task():cancelling())
        else
          error(e, 0)
        end
      end
      ev("get q1", (q1:get()))
    end)
    if not ok then
      ev("except BaseException", err(e))
    end
  end
  c1 = watch("c1", lucio.get_running_loop():create_task(h1, 2))
  q1:put(6)
  ev("put q1", 6)
  ev("get q1", (q1:get()))
  return n + 1
end

w3 = lucio.async(function(n)
  lucio.sleep(0.25)
  try_get("get_nowait q1", function() return q1:get_nowait() end)
  ev("cancel t3", t3:cancel())
  try_do("fail f2", function() f2:set_exception(DataError("broken")) end)
  ev("q1", q1:qsize(), q1:empty(), q1:full())
  lucio.sleep(0.25)
  ev("step", n)
  lucio.sleep(0)
  t4:add_done_callback(d1)
end)

local function settle()
  if not f1:done() then f1:set_result(77) end
  if not f2:done() then f2:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.Future())
  q1 = lucio.PriorityQueue()
  t4 = watch("t4", lucio.create_task(w1, 4))
  t3 = keep(lucio.create_task{w1, 4, name = "t3"})
  t3:add_done_callback(d1)
  t1 = keep(lucio.create_task{w2, 1, name = "t1"})
  t2 = watch("t2", lucio.create_task(w3(2)))
  t2:add_done_callback(d1)
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
  drain("q1", q1)
end

run(main)
