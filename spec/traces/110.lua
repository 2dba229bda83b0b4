-- 110: wait, cancellation
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, split, begin, ev, try_do, try_get, reg = P.isa, P.err, P.state, P.split, P.begin, P.ev, P.try_do, P.try_get, P.reg
local watch, finish, run = P.watch, P.finish, P.run

local f1, f2, t1, t2, t3, t4, c1, c2, c3
local d1, h1, w1, w2, w3, w4

function d1(f)
  ev("d1", f, state(f))
end

function h1(n)
  lucio.sleep(0)
  do
    local ok, e = lucio.pcall(function()
      ev("wait", split(lucio.wait({f2, f1}, {return_when = lucio.FIRST_COMPLETED})))
      ev("await t3", (t3:await()))
      ev("await t3", (t3:await()))
    end)
    if not ok then
      ev("except Exception", err(e))
      ev("wait", split(lucio.wait({f1}, {timeout = 0, return_when = lucio.ALL_COMPLETED})))
      lucio.sleep(1)
    end
  end
  lucio.sleep(0.5)
  ev("wait", split(lucio.wait({f2, f1, f1}, {timeout = 0.5, return_when = lucio.FIRST_COMPLETED})))
  return n, n
end

function w1(n)
  do
    local ok, e = pcall(function()
      ev("wait", split(lucio.wait({f2}, {timeout = 1, return_when = lucio.ALL_COMPLETED})))
      ev("wait", split(lucio.wait({t4, f1}, {timeout = 0, return_when = lucio.FIRST_EXCEPTION})))
    end)
    ev("cleanup", 8)
    if not ok then error(e, 0) end
  end
  ev("wait", split(lucio.wait({f1, f1, f1}, {timeout = 0.5, return_when = lucio.FIRST_EXCEPTION})))
  return n
end

function w2(n)
  ev("f2", state(f2))
  ev("h1", h1(7))
  ev("wait", split(lucio.wait({f2}, {timeout = 1, return_when = lucio.ALL_COMPLETED})))
  do
    local ok, e = lucio.pcall(function()
      do
        local ok, e = lucio.pcall(function()
          lucio.sleep(0.25)
        end)
        if not ok then
          ev("except Exception", err(e))
          error(e, 0)
        end
      end
      ev("wait", split(lucio.wait({f1}, {timeout = 1, return_when = lucio.FIRST_EXCEPTION})))
      lucio.sleep(1)
    end)
    if not ok then
      ev("except Exception", err(e))
    end
  end
  lucio.sleep(0.25)
end

function w3(n)
  c1 = watch("c1", lucio.create_task(function() return h1(n) end))
  do
    local ok, e = pcall(function()
      ev("await f2", (f2:await()))
      ev("wait", split(lucio.wait({f1}, {return_when = lucio.FIRST_EXCEPTION})))
    end)
    if not ok then
      if not isa(e, lucio.CancelledError) then error(e, 0) end
      ev("except CancelledError", err(e))
      lucio.sleep(0)
      error(e, 0)
    end
  end
  lucio.sleep(0.75)
  return n + 1
end

function w4(n)
  lucio.sleep(0.75)
  try_get("exception f2", function() return f2:exception() end)
  lucio.sleep(0.5)
  if c1 then
    ev("cancel c1", c1:cancel())
  end
  try_do("set f1", function() f1:set_result(n + 1) end)
  ev("cancel t2", t2:cancel())
  c2 = watch("c2", lucio.create_task(h1, n + 1))
  lucio.sleep(0)
  c3 = watch("c3", lucio.create_task(function() return lucio.gather{f2, f1, return_exceptions = true} end))
  try_get("result f2", function() return f2:result() end)
  lucio.sleep(0.25)
  ev("note", 2)
end

local function settle()
  if not f1:done() then f1:set_result(77) end
  if not f2:done() then f2:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.get_running_loop():create_future())
  f2 = reg("f2", lucio.Future())
  t1 = watch("t1", lucio.create_task(function() return w1(2) end))
  t1:add_done_callback(d1)
  t2 = watch("t2", lucio.create_task(w2, 3))
  t3 = watch("t3", lucio.create_task(function() return w3(6) end))
  t4 = watch("t4", lucio.create_task(w4, 6))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
end

run(main)
