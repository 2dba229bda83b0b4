-- 148: eager tasks, timeouts
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, now, at, rel, ev, try_do = P.isa, P.err, P.state, P.begin, P.now, P.at, P.rel, P.ev, P.try_do
local reg, watch, named, finish, run, NetError = P.reg, P.watch, P.named, P.finish, P.run, P.NetError

local f1, t1, t2, t3, t4, c1
local d1, h1, w1, w2, w3

function d1(f)
  ev("d1", f, state(f))
end

function h1(n)
  ev("h1", n)
  ev("f1 done", f1:done(), f1:cancelled())
  ev("note", n)
  return 8, 9
end

function w1(n)
  do
    local s1
    local ok, e = pcall(function()
      local scope <close> = lucio.timeout_at(at(now() + 0.5))
      s1 = scope
      try_do("reschedule s1", function() s1:reschedule(at(now())) end)
      if t2 then
        t2:add_done_callback(d1)
      end
      do
        local ok, e = pcall(function()
          ev("removed d1", f1:remove_done_callback(d1))
          c1 = watch("c1", lucio.create_task(function() return lucio.gather{f1, f1, return_exceptions = true} end))
        end)
        if not ok then
          if not isa(e, NetError) then error(e, 0) end
          ev("except NetError", err(e))
          lucio.sleep(0.5)
        end
      end
      h1(7)
    end)
    if ok then
      ev("s1 in time", s1:expired())
    elseif isa(e, lucio.TimeoutError) then
      ev("s1 timed out", s1:expired(), lucio.current_task():cancelling())
    else
      error(e, 0)
    end
  end
  do
    local s2
    local ok, e = pcall(function()
      local scope <close> = lucio.timeout(0.5)
      s2 = scope
      ev("s2 when", rel(s2:when()))
      lucio.sleep(0.5)
      lucio.sleep(0.75)
    end)
    if ok then
      ev("s2 in time", s2:expired())
    elseif isa(e, lucio.TimeoutError) then
      ev("s2 timed out", s2:expired(), lucio.current_task():cancelling())
    else
      error(e, 0)
    end
  end
  return n + 1
end

function w2(n)
  do
    local s3
    local ok, e = pcall(function()
      local scope <close> = lucio.timeout(0.25)
      s3 = scope
      try_do("reschedule s3", function() s3:reschedule(at(now() + 1)) end)
      try_do("reschedule s3", function() s3:reschedule(nil) end)
      do
        local ok, e = pcall(function()
          lucio.sleep(0.75)
        end)
        if not ok then
          if not isa(e, lucio.CancelledError) then error(e, 0) end
          ev("except CancelledError", err(e))
          error(e, 0)
        end
      end
    end)
    if ok then
      ev("s3 in time", s3:expired())
    elseif isa(e, lucio.TimeoutError) then
      ev("s3 timed out", s3:expired(), lucio.current_task():cancelling())
    else
      error(e, 0)
    end
  end
  h1(6)
  return n * 10
end

w3 = lucio.async(function(n)
  lucio.sleep(0.75)
  try_do("set f1", function() f1:set_result(7) end)
  if c1 then
    ev("cancel c1", c1:cancel())
  end
  ev("here", n + 1)
end)

local function settle()
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  t4 = lucio.create_task{named("t4", w3, 8), eager_start = true}
  t1 = watch("t1", lucio.create_task(function() return w1(5) end))
  t2 = lucio.create_task{named("t2", w2, 6), eager_start = true}
  t3 = lucio.create_task{named("t3", w3, 4), eager_start = true}
  finish(settle, 6)
  ev("final", "f1", state(f1))
end

run(main)
