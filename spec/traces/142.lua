-- 142: context variables
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local begin, ev, watch, named, finish, run = P.begin, P.ev, P.watch, P.named, P.finish, P.run

local ctx1, t1, t2, t3, tok2, c1, c2, c3, c4, hd1, c5, tok3
local v1 = lucio.ContextVar("v1", 0)
local v2 = lucio.ContextVar("v2", 0)
local k2, h1, h2, w1, w2, w3

function k2(n)
  ev("k2", n)
end

h1 = lucio.async(function(n)
  for i1 = 0, 1 do
    ev("v1", v1:get(0))
  end
  lucio.sleep(0.25)
  tok2 = v2:set(1)
  return n, 6
end)

function h2(n)
  ev("h2", n)
  ev("step", n)
  ev("slept", (lucio.sleep(0.5, n + 1)))
  return n * 10
end

w1 = lucio.async(function(n)
  c1 = watch("c1", lucio.create_task(function() return lucio.sleep(0.25, 7) end))
  c2 = watch("c2", lucio.create_task(function() return lucio.gather(t3, named("y1", h2, 9), function() return lucio.wait_for(function() return lucio.sleep(-1, 9) end, 0) end) end))
  return n * 10
end)

w2 = lucio.async(function(n)
  ev("slept", (lucio.sleep(0.25, n)))
  ev("h1", lucio.await(h1(5)))
  return n * 10
end)

w3 = lucio.async(function(n)
  c3 = watch("c3", lucio.create_task(lucio.gather, t2, named("y2", h2, 7)))
  lucio.await(h1(n + 1))
  ev("h1", lucio.await(h1(n + 1)))
  c4 = watch("c4", lucio.create_task{h2, n, context = ctx1})
  hd1 = lucio.get_running_loop():call_soon(k2, 2)
  if c2 then
    c5 = watch("c5", lucio.create_task(lucio.gather, {c2, function() return lucio.sleep(-1, 1) end, return_exceptions = true}))
  end
  return 9
end)

local function settle()
end

local function main()
  begin()
  ctx1 = lucio.copy_context()
  t2 = watch("t2", lucio.create_task(w1(7)))
  t1 = watch("t1", lucio.get_running_loop():create_task(w2(8)))
  tok3 = v1:set(8)
  t3 = watch("t3", lucio.get_running_loop():create_task(w3(1)))
  ev("v1", v1:get(0))
  finish(settle, 6)
end

run(main)
