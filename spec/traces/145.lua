-- 145: eager tasks
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, ev, watch, named, finish, run = P.isa, P.err, P.state, P.begin, P.ev, P.watch, P.named, P.finish, P.run
local FatalError = P.FatalError

local t1, t2, t3, c1, c2, c3, c4, c5, c6
local d1, d2, h1, h2, w1, w2, w3

function d1(f)
  ev("d1", f, state(f))
end

function d2(f)
  ev("d2", f, state(f))
end

h1 = lucio.async(function(n)
  lucio.sleep(0.5)
  ev("note", 8)
  return 8, n
end)

h2 = lucio.async(function(n)
  ev("h2", n)
  c1 = watch("c1", lucio.create_task(lucio.sleep, 0, 5))
  do
    local ok, e = pcall(function()
      ev("slept", (lucio.sleep(0.5, n)))
      lucio.sleep(0.75)
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
      if c1 then
        c1:add_done_callback(d1)
      end
      lucio.sleep(0.25)
      ev("h1", lucio.await(h1(n * 10)))
    end
  end
  if c1 then
    ev("removed d1", c1:remove_done_callback(d1))
  end
  error(FatalError("oops"))
end)

function w1(n)
  ev("h1", lucio.await(h1(n + 1)))
  c2 = lucio.create_task(named("c2", h1, n))
  lucio.sleep(0.25)
  return 8
end

w2 = lucio.async(function(n)
  c3 = lucio.create_task{named("c3", h2, 3), eager_start = true}
  ev("h2", (lucio.await(h2(2))))
  ev("here", 3)
  do
    local ok, e = pcall(function()
      if c1 then
        ev("removed d2", c1:remove_done_callback(d2))
      end
    end)
    if not ok then
      if not isa(e, FatalError) then error(e, 0) end
      ev("except FatalError", err(e))
    end
  end
  return n + 1
end)

function w3(n)
  lucio.sleep(0.25)
  if t2 then
    ev("removed d2", t2:remove_done_callback(d2))
  end
  lucio.sleep(0)
  if c1 then
    c4 = watch("c4", lucio.create_task(lucio.gather, {function() return lucio.sleep(-1, 3) end, c1, return_exceptions = true}))
  end
  if t3 then
    ev("cancel t3", t3:cancel())
  end
  lucio.sleep(0)
  ev("note", 5)
  c5 = watch("c5", lucio.create_task(h1(n)))
  c6 = lucio.create_task{named("c6", h1, 3), eager_start = true}
  lucio.sleep(0.5)
  if c2 then
    ev("cancel c2", c2:cancel())
  end
  if t2 then
    t2:add_done_callback(d2)
  end
  if t3 then
    ev("cancel t3", t3:cancel())
  end
end

local function settle()
end

local function main()
  begin()
  t1 = watch("t1", lucio.get_running_loop():create_task(w1, 7))
  t3 = lucio.create_task{named("t3", w2, 2), eager_start = true}
  t2 = lucio.create_task{named("t2", w3, 2), eager_start = true}
  t2:add_done_callback(d1)
  finish(settle, 6)
end

run(main)
