-- 130: an event, timeouts
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, now, at, ev, try_do, try_get = P.isa, P.err, P.state, P.begin, P.now, P.at, P.ev, P.try_do, P.try_get
local reg, watch, finish, run, AppError, FatalError = P.reg, P.watch, P.finish, P.run, P.AppError, P.FatalError

local f1, f2, e1, t1, t2, t3, t4
local h1, w1, w2, w3

function h1(n)
  ev("f1 done", f1:done(), f1:cancelled())
  try_do("set f1", function() f1:set_result(2) end)
  lucio.sleep(0.125)
  return 1, 8
end

function w1(n)
  do
    local ok, e = pcall(function()
      ev("wait e1", (e1:wait()))
      do
        local s10
        local ok, e = pcall(function()
          local scope <close> = lucio.timeout_at(at(now() + 0.25))
          s10 = scope
          try_get("exception f1", function() return f1:exception() end)
        end)
        if ok then
          ev("s10 in time", s10:expired())
        elseif isa(e, lucio.TimeoutError) then
          ev("s10 timed out", s10:expired(), lucio.current_task():cancelling())
        else
          error(e, 0)
        end
      end
    end)
    if not ok then
      ev("except BaseException", err(e))
      ev("await f1", (f1:await()))
      try_do("fail f1", function() f1:set_exception(FatalError("bad")) end)
    end
  end
  h1(n)
  return 5
end

function w2(n)
  ev("wait e1", (e1:wait()))
  ev("note", n)
end

function w3(n)
  lucio.sleep(0.5)
  e1:set()
  ev("set e1")
  lucio.sleep(0)
  ev("cancel t2", t2:cancel())
  lucio.sleep(0.5)
  try_do("fail f1", function() f1:set_exception(AppError("oops")) end)
  ev("cancel t4", t4:cancel())
  try_get("result f2", function() return f2:result() end)
  e1:clear()
  ev("clear e1")
  lucio.sleep(0)
  try_get("exception f1", function() return f1:exception() end)
end

local function settle()
  if not f1:done() then f1:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.get_running_loop():create_future())
  f2 = reg("f2", lucio.Future())
  e1 = lucio.Event()
  t3 = watch("t3", lucio.get_running_loop():create_task(w1, 8))
  t4 = watch("t4", lucio.create_task(w2, 9))
  t1 = watch("t1", lucio.create_task(w3, 3))
  t2 = watch("t2", lucio.create_task(w1, 2))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
  ev("final", "e1", e1:is_set())
end

run(main)
