-- 106: gather
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, same, begin, ev, try_do, reg, watch = P.isa, P.err, P.state, P.same, P.begin, P.ev, P.try_do, P.reg, P.watch
local named, finish, run, keep = P.named, P.finish, P.run, P.keep

local f1, t1, t2, c1, c2, c3
local d1, h1, h2, w1, w2

function d1(f)
  ev("d1", f, state(f))
end

h1 = lucio.async(function(n)
  lucio.sleep(1)
  do
    local ok, e = pcall(function()
      ev("f1 done", f1:done(), f1:cancelled())
      ev("await t2", (t2:await()))
      ev("gather", lucio.gather(function() return lucio.sleep(0, 2) end, function() return lucio.sleep(0.25, 2) end, f1))
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
      ev("same", same(e, t2))
      ev("gather", lucio.gather{f1, function() return lucio.sleep(0.5, 5) end, return_exceptions = true})
    end
  end
  return n, 9
end)

function h2(n)
  do
    local ok, e = pcall(function()
      do
        local ok, e = pcall(function()
          f1:add_done_callback(d1)
          ev("h1", lucio.await(h1(n)))
        end)
        if not ok then
          if not isa(e, lucio.CancelledError) then error(e, 0) end
          ev("except CancelledError", err(e))
          c1 = watch("c1", lucio.create_task(h1(4)))
        end
      end
      ev("slept", (lucio.sleep(0.5, 6)))
    end)
    if not ok then
      ev("except BaseException", err(e))
      ev("removed d1", t1:remove_done_callback(d1))
      ev("await f1", (f1:await()))
    end
  end
  if c1 then
    ev("await c1", c1:await())
  end
  return n + 1
end

function w1(n)
  ev("f1", state(f1))
  ev("gather", lucio.gather{named("y1", h2, 5), return_exceptions = true})
  c2 = watch("c2", lucio.create_task(h2, n))
  try_do("set f1", function() f1:set_result(n) end)
  if c3 then
    c3 = watch("c3", lucio.create_task(lucio.wait_for, c3, nil))
  end
  return n * 10
end

w2 = lucio.async(function(n)
  do
    local ok, e = pcall(function()
      ev("f1 done", f1:done(), f1:cancelled())
      ev("h1", lucio.await(h1(n * 10)))
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
    end
  end
  lucio.sleep(0.25)
  return n * 10
end)

local function settle()
  if not f1:done() then f1:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  t1 = keep(lucio.create_task{w1, 2, name = "t1"})
  t2 = watch("t2", lucio.create_task(w2(6)))
  t2:add_done_callback(d1)
  ev("cancel t2", t2:cancel())
  finish(settle, 6)
  ev("final", "f1", state(f1))
end

run(main)
