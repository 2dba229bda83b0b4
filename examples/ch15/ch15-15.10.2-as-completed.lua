-- Results are handled as they come, the fastest first: as_completed suspends in the head of the
-- `for` and gives one finished task after the other. In asyncio: as_completed.
local lucio = require "lucio"

local fetch_data = lucio.async(function(id, delay)
  lucio.sleep(delay)
  print(("Данные %d получены после %d секунд."):format(id, delay))
  return "Данные " .. id
end)

local function main()
  local tasks = {fetch_data(1, 3), fetch_data(2, 1), fetch_data(3, 2)}

  for task in lucio.as_completed(tasks) do
    print("Обработано: " .. task:result())
  end
end

lucio.run(main)
