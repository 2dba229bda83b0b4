-- 115: timeouts
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, now, at, ev, try_do, try_get = P.isa, P.err, P.state, P.begin, P.now, P.at, P.ev, P.try_do, P.try_get
local reg, watch, finish, run, keep, FatalError = P.reg, P.watch, P.finish, P.run, P.keep, P.FatalError

local f1, f2, f3, t1, t2, t3, c1, c2
local h1, w1, w2, w3

function h1(n)
  ev("h1", n)
  lucio.sleep(0)
  do
    local ok, e = pcall(function()
      ev("note", n)
      do
        local s1
        local ok, e = pcall(function()
          local scope <close> = lucio.timeout(1)
          s1 = scope
          do
            local ok, e = pcall(function()
              lucio.sleep(0.125)
              try_do("set f3", function() f3:set_result(n) end)
              lucio.sleep(-1)
            end)
            if not ok then
              if not isa(e, lucio.TimeoutError) then error(e, 0) end
              ev("except TimeoutError", err(e))
              lucio.sleep(0.25)
              ev("note", n)
              error(e, 0)
            end
          end
          do
            local ok, e = pcall(function()
              try_do("set f3", function() f3:set_result(n) end)
            end)
            ev("cleanup", 8)
            if not ok then error(e, 0) end
          end
        end)
        if ok then
          ev("s1 in time", s1:expired())
        elseif isa(e, lucio.TimeoutError) then
          ev("s1 timed out", s1:expired(), lucio.current_task():cancelling())
        else
          error(e, 0)
        end
        try_do("reschedule s1", function() s1:reschedule(at(now() + 1)) end)
      end
    end)
    ev("cleanup", 4)
    if not ok then error(e, 0) end
  end
  error(FatalError("no"))
end

function w1(n)
  try_get("exception f2", function() return f2:exception() end)
  c1 = watch("c1", lucio.get_running_loop():create_task(h1, 6))
  try_do("fail f1", function() f1:set_exception(FatalError("bad")) end)
  try_do("set f2", function() f2:set_result(2, 5) end)
  do
    local s2
    local ok, e = pcall(function()
      local scope <close> = lucio.timeout(0.25)
      s2 = scope
      do
        local ok, e = pcall(function()
          lucio.sleep(0.5)
          ev("f2", state(f2))
        end)
        ev("cleanup", 8)
        if not ok then error(e, 0) end
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
  return n * 10
end

function w2(n)
  lucio.sleep(0)
  try_do("set f1", function() f1:set_result(n) end)
end

function w3(n)
  ev("here", n)
  ev("await f1", (f1:await()))
  c2 = watch("c2", lucio.create_task(h1, n + 1))
  lucio.sleep(0.125)
  return 7
end

local function settle()
  if not f3:done() then f3:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.get_running_loop():create_future())
  f2 = reg("f2", lucio.Future())
  f3 = reg("f3", lucio.Future())
  t1 = watch("t1", lucio.get_running_loop():create_task(w1, 1))
  t2 = watch("t2", lucio.create_task(w2, 5))
  t3 = keep(lucio.create_task{function() return w3(3) end, name = "t3"})
  ev("cancel t3", t3:cancel())
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
  ev("final", "f3", state(f3))
end

run(main)
