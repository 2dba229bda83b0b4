-- 146: eager tasks, task groups
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, ev, try_do, try_get, reg, watch = P.isa, P.err, P.state, P.begin, P.ev, P.try_do, P.try_get, P.reg, P.watch
local named, finally, finish, run, FatalError = P.named, P.finally, P.finish, P.run, P.FatalError

local f1, f2, t1, t2, t3, t4, t5, g1, c1, c2, c3
local d1, h1, h2, w1, w2

function d1(f)
  ev("d1", f, state(f))
end

h1 = lucio.async(function(n)
  lucio.sleep(0.25)
  lucio.sleep(0.5)
  try_do("set f1", function() f1:set_result(n) end)
  return n * 10, n
end)

function h2(n)
  lucio.await(h1(2))
  try_get("exception f2", function() return f2:exception() end)
end

function w1(n)
  ev("h1", lucio.await(h1(9)))
  try_do("set f1", function() f1:set_result(n) end)
  do
    local ok, e = pcall(function()
      do
        local _ <close> = finally(function()
          ev("cleanup", 4)
        end)
        lucio.sleep(0.5)
      end
      if t1 then
        t1:add_done_callback(d1)
      end
    end)
    if not ok then
      if not isa(e, lucio.ExceptionGroup) then error(e, 0) end
      ev("except ExceptionGroup", err(e))
      error(e, 0)
    end
  end
  do
    local ok, e = pcall(function()
      do
        local scope <close> = lucio.TaskGroup()
        g1 = scope
        c1 = watch("c1", g1:create_task(function() return h2(1) end))
        c2 = watch("c2", g1:create_task(h1(n)))
        lucio.sleep(0)
        c3 = g1:create_task{named("c3", h1, 5), eager_start = true}
        error(FatalError("oops"))
      end
      ev("g1 done")
    end)
    if not ok then
      ev("except BaseException", err(e))
    end
  end
  return n * 10
end

w2 = lucio.async(function(n)
  lucio.sleep(0.5)
  ev("f1", state(f1))
  lucio.sleep(0.125)
  if c1 then
    ev("cancel c1", c1:cancel())
  end
  ev("removed d1", f1:remove_done_callback(d1))
  return 6
end)

local function settle()
  if not f1:done() then f1:set_result(77) end
  if not f2:done() then f2:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.get_running_loop():create_future())
  t1 = lucio.create_task{named("t1", w1, 5), eager_start = true}
  t2 = watch("t2", lucio.create_task(w2(9)))
  t3 = lucio.create_task{named("t3", w2, 7), eager_start = true}
  t4 = watch("t4", lucio.create_task(w1, 2))
  t5 = lucio.create_task{named("t5", w1, 4), eager_start = true}
  if t5 then
    ev("cancel t5", t5:cancel())
  end
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
end

run(main)
