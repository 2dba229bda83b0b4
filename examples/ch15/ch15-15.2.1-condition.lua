-- Three consumers wait on one condition, each for its own number of items. Every notify_all wakes
-- all of them in the order in which they came, each looks at its predicate again, and the first
-- satisfied one takes its items: 2, then 3, then 5. condition:acquire returns the condition, so its
-- lock is held to the end of the block.
-- In asyncio: Condition, wait_for(predicate), notify_all, gather.
local lucio = require "lucio"

local function show(list)
  return "[" .. table.concat(list, ", ") .. "]"
end

local SharedState = {}
SharedState.__index = SharedState

local function shared_state()
  return setmetatable({items = {}, condition = lucio.Condition()}, SharedState)
end

function SharedState:produce(item)
  local _ <close> = self.condition:acquire()
  table.insert(self.items, item)
  print("Произведено: " .. item)
  self.condition:notify_all()
end

function SharedState:consume(threshold)
  local _ <close> = self.condition:acquire()
  self.condition:wait_for(function() return #self.items >= threshold end)
  local consumed = table.move(self.items, 1, threshold, 1, {})
  self.items = table.move(self.items, threshold + 1, #self.items, 1, {})
  print("Потреблено: " .. show(consumed))
  return consumed
end

local producer = lucio.async(function(state)
  for i = 0, 9 do
    lucio.sleep(0.5)
    state:produce(i)
  end
end)

local consumer = lucio.async(function(state, threshold)
  print("Потребитель получил: " .. show(state:consume(threshold)))
end)

local function main()
  local state = shared_state()
  lucio.gather(
    producer(state),
    consumer(state, 5),
    consumer(state, 3),
    consumer(state, 2)
  )
end

lucio.run(main)
