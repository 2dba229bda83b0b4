-- 144: context variables, eager tasks
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local state, begin, now, at, ev, try_do, try_get, watch, named = P.state, P.begin, P.now, P.at, P.ev, P.try_do, P.try_get, P.watch, P.named
local finish, run = P.finish, P.run

local t1, t2, t3, hd1, tok1, tok2, tok3, c1, tok4, c2, tok5
local v1 = lucio.ContextVar("v1")
local k1, d1, h1, h2, w1, w2

function k1(n)
  ev("k1", n)
end

function d1(f)
  ev("d1", f, state(f))
end

function h1(n)
  lucio.sleep(0)
  hd1 = lucio.get_running_loop():call_at(at(now() + 0.25), k1, 7)
end

function h2(n)
  ev("h2", n)
  tok1 = v1:set(6)
  lucio.sleep(0.125)
  tok2 = v1:set(7)
  return n * 10
end

w1 = lucio.async(function(n)
  ev("h1", (h1(n * 10)))
  tok3 = v1:set(4)
  c1 = watch("c1", lucio.get_running_loop():create_task(h2, n))
  ev("v1", v1:get(0))
  return n + 1
end)

function w2(n)
  lucio.sleep(0.5)
  tok4 = v1:set(6)
  lucio.sleep(0)
  if c1 then
    c1:add_done_callback(d1)
  end
  c2 = watch("c2", lucio.create_task(function() return lucio.gather(named("y1", h1, n + 1)) end))
  ev("note", n)
  lucio.sleep(0.25)
  if tok4 then
    try_do("reset v1", function() v1:reset(tok4) end)
  end
  if c1 then
    ev("removed d1", c1:remove_done_callback(d1))
  end
  if t1 then
    ev("cancel t1", t1:cancel())
  end
  ev("note", 8)
  lucio.sleep(0.25)
  if t2 then
    ev("cancel t2", t2:cancel())
  end
  return 1
end

local function settle()
end

local function main()
  begin()
  t1 = watch("t1", lucio.get_running_loop():create_task(w1(4)))
  t1:add_done_callback(d1)
  tok5 = v1:set(2)
  t2 = lucio.create_task{named("t2", w2, 4), eager_start = true}
  t2:add_done_callback(d1)
  t3 = watch("t3", lucio.get_running_loop():create_task(w2, 5))
  try_get("v1", function() return v1:get() end)
  finish(settle, 6)
end

run(main)
