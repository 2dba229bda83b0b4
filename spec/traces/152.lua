-- 152: tasks left to the end of run, timeouts
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, now, at, rel, ev, try_do = P.isa, P.err, P.state, P.begin, P.now, P.at, P.rel, P.ev, P.try_do
local try_get, reg, watch, daemon, finish, run = P.try_get, P.reg, P.watch, P.daemon, P.finish, P.run

local f1, f2, t1, t2, c1, c2, m1, m2
local h1, h2, w1, w2, w3

function h1(n)
  try_get("result f1", function() return f1:result() end)
  do
    local s1
    do
      local scope <close> = lucio.timeout(0.25)
      s1 = scope
      try_do("reschedule s1", function() s1:reschedule(nil) end)
      lucio.sleep(0)
    end
    ev("s1 in time", s1:expired())
  end
  return 6
end

function h2(n)
  ev("h2", n)
  ev("step", 5)
  lucio.sleep(0.5)
  do
    local s2
    local ok, e = pcall(function()
      lucio.with(lucio.timeout(-1), function(scope)
        s2 = scope
        try_do("reschedule s2", function() s2:reschedule(at(now())) end)
        c1 = watch("c1", lucio.create_task(function() return lucio.sleep(0.25, 7) end))
        try_get("result f1", function() return f1:result() end)
      end)
    end)
    if ok then
      ev("s2 in time", s2:expired())
    elseif isa(e, lucio.TimeoutError) then
      ev("s2 timed out", s2:expired(), lucio.current_task():cancelling())
    else
      error(e, 0)
    end
  end
  do
    local s3
    local ok, e = pcall(function()
      local scope <close> = lucio.timeout_at(at(0.25))
      s3 = scope
      ev("s3 when", rel(s3:when()))
      ev("here", n)
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

w1 = lucio.async(function(n)
  lucio.sleep(-1)
  lucio.sleep(1)
  ev("slept", (lucio.sleep(0.125, 1)))
  do
    local s8
    local ok, e = pcall(function()
      local scope <close> = lucio.timeout(0.25)
      s8 = scope
      lucio.sleep(0)
      h1(n * 10)
    end)
    if ok then
      ev("s8 in time", s8:expired())
    elseif isa(e, lucio.TimeoutError) then
      ev("s8 timed out", s8:expired(), lucio.current_task():cancelling())
    else
      error(e, 0)
    end
  end
  return n * 10
end)

function w2(n)
  c2 = watch("c2", lucio.create_task(h1, 3))
  do
    local ok, e = pcall(function()
      lucio.sleep(0.25)
    end)
    if not ok then
      if not isa(e, lucio.TimeoutError) then error(e, 0) end
      ev("except TimeoutError", err(e))
    end
  end
  return 2
end

w3 = lucio.async(function(n)
  try_do("set f2", function() f2:set_result(n) end)
  try_do("set f2", function() f2:set_result(n) end)
  return n
end)

local function settle()
  if not f1:done() then f1:set_result(77) end
  if not f2:done() then f2:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.Future())
  t2 = watch("t2", lucio.create_task(w1(4)))
  t1 = watch("t1", lucio.create_task(w2, 5))
  m1 = daemon("m1", lucio.create_task(h2, 3))
  m2 = daemon("m2", lucio.create_task(w3(8)))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
end

run(main)
