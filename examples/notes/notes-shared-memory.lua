-- Values and arrays in shared memory: all workers increment one integer and fill one array. The
-- workers are processes, which share nothing else.
-- In Python: multiprocessing.Value, multiprocessing.Array.
local lucio = require "lucio"

lucio.run(function()
  local value, array = lucio.shared.Value("i", 0), lucio.shared.Array("d", 8)
  local pool <close> = lucio.ProcessPoolExecutor{max_workers = 4}

  local function work(number)
    value:add(number)
    array[2 * number - 1] = number / 2
    array[2 * number] = number * number
  end

  lucio.gather(pool:submit(work, 1), pool:submit(work, 2), pool:submit(work, 3),
    pool:submit(work, 4))
  local items = {}
  for i, x in ipairs(array) do items[i] = x end
  print("Сумма: " .. value.value)
  print("Массив: " .. table.concat(items, " "))
end)
