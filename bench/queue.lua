--- What does an item cost on its way through a bounded queue? One operation: one put and one get.
local lucio = require "lucio"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local ITEMS = 300000
local MAXSIZE = 100
local PAIRS = { 1, 10 } -- producers, and as many consumers

local function pass(pairs_of)
  local queue = lucio.Queue(MAXSIZE)
  local each = ITEMS // pairs_of
  local function produce()
    for i = 1, each do
      queue:put(i)
    end
  end
  local function consume()
    for _ = 1, each do
      queue:get()
    end
  end
  local tasks = {}
  for _ = 1, pairs_of do
    tasks[#tasks + 1] = lucio.create_task(produce)
  end
  for _ = 1, pairs_of do
    tasks[#tasks + 1] = lucio.create_task(consume)
  end
  for _, task in ipairs(tasks) do
    task:await()
  end
end

lucio.run(function()
  for _, count in ipairs(PAIRS) do
    measure.repeated(("queue_%dp%dc"):format(count, count), ITEMS, function() pass(count) end)
  end
end)
