-- 143: context variables, loop callbacks
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local err, state, same, begin, at, ev, try_do, reg, watch = P.err, P.state, P.same, P.begin, P.at, P.ev, P.try_do, P.reg, P.watch
local finish, run, DataError = P.finish, P.run, P.DataError

local f1, f2, f3, ctx1, t1, t2, t3, c1, tok1, hd1, c2, c3
local tok2, tok3
local v1 = lucio.ContextVar("v1", 5)
local k2, d1, d2, h1, w1, w2, w3

function k2(n)
  ev("k2", n)
  try_do("fail f3", function() f3:set_exception(DataError("oops")) end)
end

function d1(f)
  ev("d1", f, state(f))
end

function d2(f)
  ev("d2", f, state(f))
end

h1 = lucio.async(function(n)
  lucio.sleep(0.25)
  do
    local ok, e = pcall(function()
      lucio.sleep(1)
    end)
    ev("cleanup", 7)
    if not ok then error(e, 0) end
  end
end)

function w1(n)
  c1 = watch("c1", lucio.create_task{h1(n), context = ctx1})
  for i1 = 0, 1 do
    tok1 = v1:set(1)
    lucio.sleep(0.5)
    hd1 = lucio.get_running_loop():call_at(at(0), k2, 9)
  end
  c2 = watch("c2", lucio.create_task(function() return lucio.sleep(0.25, 3) end))
  lucio.sleep(0.5)
end

function w2(n)
  ev("await f2", (f2:await()))
  do
    local ok, e = lucio.pcall(function()
      ev("h1", (lucio.await(h1(n + 1))))
      ev("await f1", (f1:await()))
      ev("await f2", (f2:await()))
    end)
    if not ok then
      ev("except Exception", err(e))
      ev("same", same(e, f1))
      lucio.sleep(0.75)
    end
  end
  c3 = watch("c3", lucio.create_task{h1(n), context = ctx1})
  ev("h1", (lucio.await(h1(n * 10))))
  ev("h1", (lucio.await(h1(5))))
  ev("slept", (lucio.sleep(0.75, 1)))
  return n * 10
end

function w3(n)
  lucio.sleep(0)
  ev("step", 5)
  if c3 then
    ev("removed d1", c3:remove_done_callback(d1))
  end
  ev("f2 done", f2:done(), f2:cancelled())
  lucio.sleep(0)
  tok2 = v1:set(6)
  tok3 = v1:set(6)
  try_do("set f2", function() f2:set_result(n) end)
  ev("note", n)
  lucio.sleep(0)
  if tok3 then
    try_do("reset v1", function() v1:reset(tok3) end)
  end
  return 6
end

local function settle()
  if not f1:done() then f1:set_result(77) end
  if not f2:done() then f2:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.Future())
  f3 = reg("f3", lucio.Future())
  ctx1 = lucio.copy_context()
  t3 = watch("t3", lucio.create_task(w1, 1))
  t2 = watch("t2", lucio.get_running_loop():create_task(w2, 8))
  t2:add_done_callback(d2)
  t1 = watch("t1", lucio.create_task{w3, 1, context = ctx1})
  t1:add_done_callback(d1)
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
  ev("final", "f3", state(f3))
end

run(main)
