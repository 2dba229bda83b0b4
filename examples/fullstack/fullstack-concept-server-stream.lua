-- Data arrives from a server piece by piece and is used while more is on its way: a generator turns
-- the connection into a sequence of numbers, and the loop over it waits for each of them. Leaving
-- the loop early closes the connection.
-- In asyncio: async for over an async generator, StreamReader, start_server.
local lucio = require "lucio"

-- Sends a measurement every 0.1 s until its client has enough.
local function measure(_, writer)
  local ok, e = lucio.pcall(function()
    for i = 1, math.huge do
      writer:write(("%d\n"):format(i * i))
      writer:drain()
      lucio.sleep(0.1)
    end
  end)
  print("server stops: " .. tostring(not ok and lucio.isinstance(e, lucio.ConnectionError)))
end

local function measurements(port)
  return lucio.generator(function()
    local reader, _ <close> = lucio.open_connection("127.0.0.1", port)
    local _ <close> = setmetatable({}, {__close = function() print("client closes") end})
    for line in reader:lines() do coroutine.yield(math.tointeger(line)) end
  end)
end

local function main()
  local server <close> = lucio.start_server(measure, "127.0.0.1", 0)
  local loop, sum = lucio.get_running_loop(), 0
  local start = loop:time()
  for value in measurements(server.sockets[1]:getsockname().port)() do
    sum = sum + value
    print(("after %.1f s: %d, sum %d"):format(loop:time() - start, value, sum))
    if sum > 50 then break end
  end
end

lucio.run(main)
