-- 102: task groups, cancellation
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, same, begin, ev, try_do, try_get, reg = P.isa, P.err, P.state, P.same, P.begin, P.ev, P.try_do, P.try_get, P.reg
local watch, finally, finish, run, NetError = P.watch, P.finally, P.finish, P.run, P.NetError

local f1, f2, t1, t2, t3, t4, g1, c1, c2, c3, c4, c5
local d1, h1, h2, w1, w2, w3

function d1(f)
  ev("d1", f, state(f))
  ev("cancel t1", t1:cancel())
  try_do("set f2", function() f2:set_result(6) end)
end

function h1(n)
  ev("h1", n)
  do
    local _ <close> = finally(function()
      ev("cleanup", 7)
      lucio.sleep(0)
    end)
    ev("cancel f2", f2:cancel("late"))
  end
  ev("cancel f2", f2:cancel())
  lucio.sleep(0.25)
  ev("cancel f1", f1:cancel("enough"))
  error(NetError("broken"))
end

function h2(n)
  ev("removed d1", f2:remove_done_callback(d1))
  do
    local ok, e = lucio.pcall(function()
      do
        local scope <close> = lucio.TaskGroup()
        g1 = scope
        c1 = watch("c1", g1:create_task(function() return h1(n) end))
        do
          local ok, e = pcall(function()
            do
              local ok, e = pcall(function()
                ev("await t4", (t4:await()))
                c2 = watch("c2", lucio.create_task(function() return h1(n + 1) end))
              end)
              if not ok then
                if not isa(e, NetError) then error(e, 0) end
                ev("except NetError", err(e))
                ev("same", same(e, t4))
              end
            end
            lucio.sleep(1)
          end)
          if not ok then
            if not isa(e, lucio.CancelledError) then error(e, 0) end
            ev("except CancelledError", err(e))
            lucio.sleep(0)
            ev("await f1", (f1:await()))
          end
        end
        ev("h1", (h1(n)))
      end
      ev("g1 done")
    end)
    if not ok then
      ev("except Exception", err(e))
    end
  end
  try_get("result f1", function() return f1:result() end)
  lucio.sleep(0.125)
end

function w1(n)
  c3 = watch("c3", lucio.create_task(h1, n + 1))
  c4 = watch("c4", lucio.create_task(h2, n + 1))
  error("no", 0)
end

w2 = lucio.async(function(n)
  ev("await t2", (t2:await()))
  c5 = watch("c5", lucio.create_task(lucio.gather, {f2, f2, return_exceptions = true}))
  return n * 10
end)

function w3(n)
  lucio.sleep(0)
  ev("f1", state(f1))
  lucio.sleep(0)
  ev("cancel t1", t1:cancel())
  lucio.sleep(0.25)
  ev("cancel t4", t4:cancel("late"))
  return 1
end

local function settle()
  if not f1:done() then f1:set_result(77) end
end

local function main()
  begin()
  f1 = reg("f1", lucio.Future())
  f2 = reg("f2", lucio.get_running_loop():create_future())
  t1 = watch("t1", lucio.create_task(w2(4)))
  t1:add_done_callback(d1)
  t4 = watch("t4", lucio.get_running_loop():create_task(w1, 4))
  t3 = watch("t3", lucio.create_task(w2(4)))
  t2 = watch("t2", lucio.create_task(function() return w3(8) end))
  finish(settle, 6)
  ev("final", "f1", state(f1))
  ev("final", "f2", state(f2))
end

run(main)
