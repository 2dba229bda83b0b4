-- 150: default names, tasks and done callbacks
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, state, begin, ev, try_get, watch, finally, finish = P.isa, P.err, P.state, P.begin, P.ev, P.try_get, P.watch, P.finally, P.finish
local run, default_names, keep, NetError, FatalError = P.run, P.default_names, P.keep, P.NetError, P.FatalError

local t1, t2, u1, u2, c3
local d1, h1, w1, w2

function d1(f)
  ev("d1", f, state(f))
end

h1 = lucio.async(function(n)
  ev("h1", n)
  ev("await t1", (t1:await()))
  do
    local _ <close> = finally(function()
      ev("cleanup", 8)
      ev("here", n)
    end)
    do
      local ok, e = pcall(function()
        lucio.sleep(0.5)
        do
          local ok, e = pcall(function()
            ev("t2", state(t2))
          end)
          if not ok then
            ev("except BaseException", err(e))
            t2:add_done_callback(d1)
          end
        end
      end)
      if not ok then
        if not isa(e, NetError) then error(e, 0) end
        ev("except NetError", err(e))
      end
    end
    lucio.sleep(0.25)
  end
  do
    local ok, e = pcall(function()
      do
        local ok, e = pcall(function()
          do
            local _ <close> = finally(function()
              ev("cleanup", 8)
            end)
            ev("note", 6)
            ev("here", n)
          end
        end)
        if not ok then
          if not isa(e, FatalError) then error(e, 0) end
          ev("except FatalError", err(e))
          error(e, 0)
        end
      end
      do
        local ok, e = pcall(function()
          t2:add_done_callback(d1)
          lucio.sleep(1)
          ev("await t2", (t2:await()))
        end)
        if not ok then
          if not isa(e, FatalError) then error(e, 0) end
          ev("except FatalError", err(e))
          lucio.sleep(0.25)
          ev("here", 3)
          ev("step", n + 1)
        end
      end
    end)
    if not ok then
      ev("except BaseException", err(e))
    end
  end
  error(NetError("broken"))
end)

function w1(n)
  ev("step", n)
  u1 = lucio.create_task(lucio.sleep, 0.5, 1)
  ev("gather", lucio.gather(function() return lucio.sleep(0, 1) end, function() return lucio.sleep(0, 2) end))
  u2 = lucio.create_task(function() return lucio.sleep(0.5, 2) end)
  default_names("un1", u1, u2)
  return n
end

w2 = lucio.async(function(n)
  lucio.sleep(0.5)
  try_get("exception t2", function() return t2:exception() end)
  lucio.sleep(0.125)
  c3 = watch("c3", lucio.get_running_loop():create_task(h1(n + 1)))
  ev("note", n)
  lucio.sleep(0.125)
  ev("cancel t2", t2:cancel())
  if c3 then
    try_get("exception c3", function() return c3:exception() end)
  end
  ev("cancel t2", t2:cancel())
end)

local function settle()
end

local function main()
  begin()
  t1 = keep(lucio.create_task{w1, 5, name = "t1"})
  t2 = watch("t2", lucio.create_task(w2(7)))
  finish(settle, 6)
end

run(main)
