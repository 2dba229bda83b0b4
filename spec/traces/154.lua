-- 154: generators that await, cancellation
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local err, state, begin, ev, try_do, try_get, reg, watch, named = P.err, P.state, P.begin, P.ev, P.try_do, P.try_get, P.reg, P.watch, P.named
local finish, run, DataError = P.finish, P.run, P.DataError

local f1, t1, t2, t3, c1, c2, c3, c4
local d1, a1, h1, w1, w2, w3

function d1(f)
  ev("d1", f, state(f))
  ev("cancel t2", t2:cancel("late"))
end

function a1(n)
  return coroutine.wrap(function()
    lucio.sleep(0)
    coroutine.yield(n + 1)
    lucio.sleep(0.25)
    coroutine.yield(n + 1)
    coroutine.yield(n)
    error(DataError("broken"))
  end)
end

h1 = lucio.async(function(n)
  ev("h1", n)
  try_get("exception f1", function() return f1:exception() end)
  lucio.sleep(0.25)
  return n * 10
end)

function w1(n)
  do
    local ok, e = lucio.pcall(function()
      ev("h1", (lucio.await(h1(n + 1))))
    end)
    if not ok then
      ev("except Exception", err(e))
    end
  end
  lucio.sleep(0.125)
  c1 = watch("c1", lucio.create_task(function() return lucio.gather{named("y1", h1, n), named("y2", h1, n + 1), return_exceptions = true} end))
  do
    local ok, e = pcall(function()
      try_do("set f1", function() f1:set_result(n) end)
    end)
    ev("cleanup", 5)
    if not ok then error(e, 0) end
  end
  return n
end

function w2(n)
  for x1 in a1(n + 1) do
    ev("item", x1)
    lucio.sleep(0.75)
    lucio.sleep(0.5)
  end
  for x2 in a1(7) do
    ev("item", x2)
  end
  c2 = watch("c2", lucio.create_task(h1(9)))
  ev("note", n)
  return n * 10
end

function w3(n)
  c3 = watch("c3", lucio.create_task(h1(n)))
  try_do("set f1", function() f1:set_result(n) end)
  ev("cancel t3", t3:cancel("late"))
  if c2 then
    ev("c2", state(c2))
  end
  if c1 then
    ev("await c1", (c1:await()))
  end
  c4 = watch("c4", lucio.get_running_loop():create_task(h1(2)))
  return n + 1
end

local function settle()
  if not f1:done() then f1:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  t1 = lucio.create_task(named("t1", w1, 3))
  t2 = watch("t2", lucio.create_task(function() return w2(2) end))
  t2:add_done_callback(d1)
  t3 = watch("t3", lucio.create_task(w3, 1))
  t3:add_done_callback(d1)
  finish(settle, 6)
  ev("final", "f1", state(f1))
end

run(main)
