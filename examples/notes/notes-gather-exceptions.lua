-- Two ways with errors in gather. By default the first one is raised and the others run on, neither
-- cancelled nor reported; with return_exceptions errors are items of the list, as objects with a
-- class. A bare string that was raised arrives wrapped in LuaError. In asyncio: gather
-- (return_exceptions=False and True).
local lucio = require "lucio"

local function good(name, delay)
  lucio.sleep(delay)
  print(("  %s закончила"):format(name))
  return name
end

local function bad(delay, err)
  lucio.sleep(delay)
  error(err, 0)
end

local function start()
  return {
    lucio.create_task(good, "первая", 3),
    lucio.create_task(bad, 1, lucio.ValueError("плохое значение")),
    lucio.create_task(bad, 2, "просто строка"),
  }
end

local function main()
  print("return_exceptions = false:")
  local tasks = start()
  local ok, err = lucio.pcall(lucio.gather, tasks)
  assert(not ok)
  print(("  поднято: %s: %s"):format(err.name, err))
  print("  первая отменена: " .. tostring(tasks[1]:done()))
  lucio.wait(tasks)

  print("return_exceptions = true:")
  tasks = start()
  tasks.return_exceptions = true
  local results = lucio.gather(tasks)
  for i = 1, results.n do
    local result = results[i]
    if lucio.isinstance(result, lucio.LuaError) then
      print(("  %d: LuaError со значением «%s»"):format(i, result.value))
    elseif lucio.isinstance(result, lucio.Exception) then
      print(("  %d: %s: %s"):format(i, result.name, result))
    else
      print(("  %d: результат «%s»"):format(i, result))
    end
  end
end

lucio.run(main)
