-- 153: generators that await
-- luacheck: ignore 2.. 3.. 4.. 5.., no max line length
local lucio = require "lucio"
local P = require "prelude"
local isa, err, begin, ev, watch, finish, run, AppError, FatalError = P.isa, P.err, P.begin, P.ev, P.watch, P.finish, P.run, P.AppError, P.FatalError

local aa2, t1, t2, t3, t4, t5, t6, c1
local a2, h1, w1, w2, w3

function a2(n)
  return lucio.generator(function()
    coroutine.yield(n)
  end)
end

function h1(n)
  ev("h1", n)
  lucio.sleep(0)
  for x1 in aa2 do
    ev("item", x1)
  end
  do
    local ok, e = pcall(function()
      for x2 in aa2 do
        ev("item", x2)
        lucio.sleep(0.25)
      end
      lucio.sleep(0.5)
      ev("here", 2)
    end)
    if not ok then
      ev("except BaseException", err(e))
      ev("step", 1)
      ev("here", n)
      ev("note", 5)
    end
  end
  error(AppError("broken"))
end

function w1(n)
  ev("note", n)
  for x3 in aa2 do
    ev("item", x3)
    ev("slept", (lucio.sleep(0.75, n)))
    lucio.sleep(0.5)
    break
  end
  lucio.sleep(1)
  return n + 1
end

function w2(n)
  c1 = watch("c1", lucio.create_task(lucio.sleep, 0, 3))
  for x4 in aa2 do
    ev("item", x4)
    lucio.sleep(0)
  end
  for x5 in aa2 do
    ev("item", x5)
  end
  for x6 in a2(n) do
    ev("item", x6)
    do
      local ok, e = pcall(function()
        lucio.sleep(0.25)
        ev("here", 1)
        h1(n)
      end)
      if not ok then
        if not isa(e, FatalError) then error(e, 0) end
        ev("except FatalError", err(e))
        lucio.sleep(0)
        lucio.sleep(0.25)
      end
    end
    ev("here", n)
  end
  ev("note", 2)
  error(FatalError("broken"))
end

function w3(n)
  lucio.sleep(0.25)
  ev("here", 8)
  ev("note", n + 1)
  lucio.sleep(0.25)
  if c1 then
    ev("cancel c1", c1:cancel())
  end
  lucio.sleep(0.25)
  ev("cancel t6", t6:cancel())
  ev("step", 4)
  lucio.sleep(0)
  ev("step", 4)
  return 2
end

local function settle()
end

local function main()
  begin()
  aa2 = a2(3)
  t1 = watch("t1", lucio.create_task(w1, 9))
  t2 = watch("t2", lucio.create_task(function() return w1(6) end))
  t3 = watch("t3", lucio.create_task(function() return w3(9) end))
  t4 = watch("t4", lucio.create_task(w2, 8))
  t5 = watch("t5", lucio.create_task(w3, 8))
  t6 = watch("t6", lucio.create_task(function() return w3(8) end))
  ev("cancel t6", t6:cancel())
  finish(settle, 6)
end

run(main)
