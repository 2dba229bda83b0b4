-- The course says that awaiting inside a list comprehension is an error. It is legal, but merely
-- sequential: three requests of 0.1 s take 0.3 s in a loop and 0.1 s through gather.
-- In asyncio: [await f(u) for u in urls], gather.
local lucio = require "lucio"

local fetch_url = lucio.async(function(url)
  lucio.sleep(0.1)
  return "Data from " .. url
end)

local function map(fn, list)
  local results = {}
  for i, item in ipairs(list) do results[i] = fn(item) end
  return results
end

local function show(results, seconds)
  print(("['%s'] %.1f"):format(table.concat(results, "', '"), seconds))
end

local function main()
  local loop = lucio.get_running_loop()
  local urls = {"a", "b", "c"}

  local start = loop:time()
  local results = map(function(url) return lucio.await(fetch_url(url)) end, urls)
  show(results, loop:time() - start)

  start = loop:time()
  results = lucio.gather(map(fetch_url, urls))
  show(results, loop:time() - start)
end

lucio.run(main)
