-- 157: failing callbacks, loop callbacks
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, now, at, ev, try_do, try_get = P.isa, P.err, P.state, P.begin, P.now, P.at, P.ev, P.try_do, P.try_get
local reg, watch, handle_errors, finish, run, NetError, FatalError = P.reg, P.watch, P.handle_errors, P.finish, P.run, P.NetError, P.FatalError

local f1, t1, t2, t3, t4, t5, hd1, hd2
local k1, d1, h1, h2, w1, w2, w3, w4, w5

function k1(n)
  ev("k1", n)
  try_do("set f1", function() f1:set_result(4) end)
  error(NetError("oops"))
end

function d1(f)
  ev("d1", f, state(f))
end

function h1(n)
  do
    local ok, e = lucio.pcall(function()
      lucio.sleep(0)
      do
        local ok, e = pcall(function()
          ev("here", n + 1)
          lucio.sleep(0.25)
        end)
        if not ok then
          if not isa(e, FatalError) then error(e, 0) end
          ev("except FatalError", err(e))
          lucio.sleep(0)
          error(e, 0)
        end
      end
    end)
    if not ok then
      ev("except Exception", err(e))
    end
  end
  lucio.sleep(0.25)
  return 6
end

function h2(n)
  ev("h1", (h1(n)))
  ev("slept", (lucio.sleep(0.5, 2)))
  h1(7)
end

w1 = lucio.async(function(n)
  ev("h2", (h2(n)))
  ev("h1", (h1(n * 10)))
end)

function w2(n)
  try_get("result f1", function() return f1:result() end)
  hd1 = lucio.get_running_loop():call_at(at(now() + 0.25), k1, 4)
  lucio.sleep(0.25)
  ev("h2", (h2(n * 10)))
  return 2
end

function w3(n)
  lucio.sleep(0)
  lucio.sleep(0.25)
  ev("await f1", (f1:await()))
  ev("removed d1", t5:remove_done_callback(d1))
  lucio.sleep(0.25)
  return n + 1
end

function w4(n)
  ev("h1", (h1(n * 10)))
  ev("h1", (h1(8)))
  ev("h1", (h1(5)))
end

w5 = lucio.async(function(n)
  lucio.sleep(0.25)
  hd2 = lucio.get_running_loop():call_soon(k1, 8)
  ev("cancel t1", t1:cancel())
end)

local function settle()
  if not f1:done() then f1:set_result(77) end
end

local function main()
  begin()
  handle_errors()
  f1 = reg("f1", lucio.Future())
  t1 = watch("t1", lucio.create_task(w1(9)))
  t2 = watch("t2", lucio.create_task(w2, 8))
  t2:add_done_callback(d1)
  t3 = watch("t3", lucio.get_running_loop():create_task(w3, 5))
  t4 = watch("t4", lucio.create_task(function() return w4(1) end))
  t5 = watch("t5", lucio.get_running_loop():create_task(w5(8)))
  finish(settle, 6)
  ev("final", "f1", state(f1))
end

run(main)
