-- gather makes tasks of what is no task yet, runs all at once and gives the results in the order of
-- its arguments, however they finish. The table has n, since a result may be nil.
-- In asyncio: gather.
local lucio = require "lucio"

local function fetch(name, delay)
  lucio.sleep(delay)
  print(("  %s: готово через %d с"):format(name, delay))
  return name
end

local function main()
  local loop = lucio.get_running_loop()
  local start = loop:time()
  local results = lucio.gather(
    lucio.async(fetch)("сопрограмма", 3),
    lucio.create_task(fetch, "задача", 1),
    function() return fetch("функция", 2) end,
    function() lucio.sleep(1) end)

  for i = 1, results.n do
    print(("Результат %d: %s"):format(i, results[i]))
  end
  print(("Всего %.0f с вместо 7"):format(loop:time() - start))
end

lucio.run(main)
