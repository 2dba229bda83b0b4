-- Cooperative multitasking: the running task keeps the processor until it suspends by itself. Two
-- polite tasks offer the others a turn after every step (sleep(0)) and alternate; a greedy one,
-- with no such point, does all its steps before anybody else's. In asyncio: create_task, sleep(0).
local lucio = require "lucio"

local polite = lucio.async(function(name)
  for i = 1, 3 do
    print(("%s: шаг %d"):format(name, i))
    lucio.sleep(0)
  end
end)

local greedy = lucio.async(function(name)
  for i = 1, 3 do
    print(("%s: шаг %d"):format(name, i))
  end
end)

local function main()
  print("Обе задачи уступают:")
  lucio.gather(polite("А"), polite("Б"))
  print("Одна не уступает:")
  lucio.gather(polite("А"), greedy("Жадная"), polite("Б"))
end

lucio.run(main)
