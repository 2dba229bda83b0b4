-- 108: gather, timeouts
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, state, begin, now, at, rel, ev, try_do, reg = P.isa, P.state, P.begin, P.now, P.at, P.rel, P.ev, P.try_do, P.reg
local watch, named, finish, run, AppError, NetError, DataError = P.watch, P.named, P.finish, P.run, P.AppError, P.NetError, P.DataError

local f1, f2, f3, t1, t2, t3, t4, t5, t6, c1, c2, c3
local h1, h2, w1, w2, w3

function h1(n)
  ev("note", n)
  ev("gather", lucio.gather{f1, f2, function() return lucio.wait_for(t6, 0.5) end, f1, return_exceptions = true})
  lucio.sleep(0)
  ev("slept", (lucio.sleep(0.25, n)))
  error(NetError("no"))
end

function h2(n)
  ev("h2", n)
  ev("gather", lucio.gather(f2, f2))
  lucio.sleep(0)
end

function w1(n)
  ev("note", n + 1)
  ev("await t2", (t2:await()))
  do
    local s1
    do
      lucio.with(lucio.timeout(nil), function(scope)
        s1 = scope
        c1 = watch("c1", lucio.create_task(h2, 6))
        c2 = watch("c2", lucio.create_task(h1, 4))
        ev("await t6", (t6:await()))
      end)
    end
    ev("s1 in time", s1:expired())
  end
  ev("gather", lucio.gather(named("y1", h2, n + 1)))
  try_do("fail f2", function() f2:set_exception(DataError("no")) end)
  ev("h1", (h1(n)))
  return 8
end

w2 = lucio.async(function(n)
  do
    local s2
    do
      local scope <close> = lucio.timeout_at(nil)
      s2 = scope
      ev("slept", (lucio.sleep(0.75, n + 1)))
      do
        local s3
        local ok, e = pcall(function()
          local scope <close> = lucio.timeout(0.125)
          s3 = scope
          try_do("reschedule s3", function() s3:reschedule(at(0.75)) end)
          ev("s3 when", rel(s3:when()))
          lucio.sleep(0.25)
        end)
        if ok then
          ev("s3 in time", s3:expired())
        elseif isa(e, lucio.TimeoutError) then
          ev("s3 timed out", s3:expired(), lucio.current_task():cancelling())
        else
          error(e, 0)
        end
      end
    end
    ev("s2 in time", s2:expired())
    try_do("reschedule s2", function() s2:reschedule(at(now() + 1)) end)
  end
  lucio.sleep(1)
  ev("gather", lucio.gather{f2, f1, named("y2", h1, n), return_exceptions = true})
  c3 = watch("c3", lucio.create_task(function() return lucio.wait_for(f2, 1) end))
end)

function w3(n)
  lucio.sleep(0.5)
  ev("step", n)
  ev("cancel t2", t2:cancel())
  lucio.sleep(0.75)
  try_do("fail f1", function() f1:set_exception(AppError("no")) end)
  try_do("fail f3", function() f3:set_exception(NetError("oops")) end)
  ev("cancel t6", t6:cancel())
  try_do("set f1", function() f1:set_result(n) end)
  lucio.sleep(0)
  try_do("set f1", function() f1:set_result(n + 1) end)
  return 6
end

local function settle()
  if not f2:done() then f2:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.Future())
  f3 = reg("f3", lucio.Future())
  t1 = watch("t1", lucio.create_task(w1, 7))
  t2 = watch("t2", lucio.create_task(w2(3)))
  t3 = watch("t3", lucio.create_task(w3, 3))
  t4 = watch("t4", lucio.create_task(w2(3)))
  t5 = watch("t5", lucio.create_task(function() return w1(1) end))
  t6 = watch("t6", lucio.create_task(w1, 4))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
  ev("final", "f3", state(f3))
end

run(main)
