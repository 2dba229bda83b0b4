-- 113: as_completed, timeouts
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, state, begin, now, at, ev, try_do, reg, watch = P.isa, P.state, P.begin, P.now, P.at, P.ev, P.try_do, P.reg, P.watch
local finish, run, fresh, FatalError = P.finish, P.run, P.fresh, P.FatalError

local f1, f2, f3, t1, t2, t3, c1
local h1, w1, w2, w3

function h1(n)
  ev("h1", n)
  lucio.sleep(0.25)
  lucio.sleep(0.5)
  try_do("set f1", function() f1:set_result(n + 1) end)
  do
    local s1
    local ok, e = pcall(function()
      lucio.with(lucio.timeout(0.75), function(scope)
        s1 = scope
        for x1 in lucio.as_completed(fresh(f1, f1)) do
          ev("completed", x1, state(x1))
          ev("value", (x1:await()))
        end
      end)
    end)
    if ok then
      ev("s1 in time", s1:expired())
    elseif isa(e, lucio.TimeoutError) then
      ev("s1 timed out", s1:expired(), lucio.current_task():cancelling())
    else
      error(e, 0)
    end
  end
end

w1 = lucio.async(function(n)
  h1(n)
  c1 = watch("c1", lucio.create_task(h1, n))
  do
    local s2
    do
      local scope <close> = lucio.timeout(0.5)
      s2 = scope
      try_do("reschedule s2", function() s2:reschedule(at(now())) end)
      ev("h1", (h1(3)))
      ev("await f2", (f2:await()))
    end
    ev("s2 in time", s2:expired())
  end
  ev("await f3", (f3:await()))
  return 7
end)

w2 = lucio.async(function(n)
  lucio.sleep(0)
  ev("h1", (h1(n)))
  for x2 in lucio.as_completed(fresh(f1, f3), {timeout = 1}) do
    ev("completed", x2, state(x2))
  end
  error(FatalError("broken"))
end)

function w3(n)
  ev("note", 3)
  ev("slept", (lucio.sleep(0.25, n)))
  return 7
end

local function settle()
  if not f1:done() then f1:set_result(77) end
  if not f2:done() then f2:set_result(77) end
  if not f3:done() then f3:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.Future())
  f3 = reg("f3", lucio.get_running_loop():create_future())
  t1 = watch("t1", lucio.create_task(w1(9)))
  t2 = watch("t2", lucio.create_task(w2(8)))
  t3 = watch("t3", lucio.create_task(w3, 8))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
  ev("final", "f3", state(f3))
end

run(main)
