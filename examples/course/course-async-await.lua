-- A chain of waits: main calls process_data, which calls fetch_data, which sleeps. Each caller is
-- suspended until the one below it returns; none of them needs a keyword for that.
-- In asyncio: async def, await.
local lucio = require "lucio"

local function fetch_data(url)
  print("Fetching data from " .. url)
  lucio.sleep(2) -- stands for a request over the network
  print("Done fetching " .. url)
  return "Data from " .. url
end

local function process_data(url)
  local data = fetch_data(url)
  print("Processing " .. data)
  lucio.sleep(1) -- stands for the processing
  return "Processed " .. data
end

local function main()
  local result = process_data("example.com")
  print("Final result: " .. result)
end

lucio.run(main)
