-- A server with a task for each client: three of them at the same time, one whose handler fails,
-- and an orderly end: no new ones, those that are there are served to their end.
-- In asyncio: start_server, async with server, set_exception_handler, close, wait_closed.
local lucio = require "lucio"

local now, most = 0, 0

local function serve(reader, writer)
  now = now + 1
  most = math.max(most, now)
  local _ <close> = setmetatable({}, {__close = function() now = now - 1 end})
  for line in reader:lines() do
    local a, b = line:match("^(%-?%d+) (%-?%d+)$")
    if not a then error(lucio.ValueError("not two numbers: " .. line)) end
    lucio.sleep(0.2)
    writer:write(("%d\n"):format(a + b))
    writer:drain()
  end
end

local function ask(port, question)
  local reader, writer <close> = lucio.open_connection("127.0.0.1", port)
  writer:write(question .. "\n")
  return (reader:readline():gsub("\n", ""))
end

local function main()
  lucio.get_running_loop():set_exception_handler(function(_, context)
    print(("%s: %s (from %s)"):format(context.message, context.exception.message,
      context.peername.host))
  end)
  local server = lucio.start_server(serve, "127.0.0.1", 0)
  local port = server.sockets[1]:getsockname().port
  local start = lucio.get_running_loop():time()
  local answers = lucio.gather(
    function() return ask(port, "1 2") end,
    function() return ask(port, "30 12") end,
    function() return ask(port, "100 -1") end)
  print(table.concat(answers, ", "))
  print("at the same time: " .. most)
  print("one after the other it would take three times as long: " ..
    tostring(lucio.get_running_loop():time() - start < 0.5))

  print("answer to nonsense: '" .. ask(port, "one two") .. "'")

  local last = lucio.create_task(ask, port, "20 3")
  lucio.sleep(0.05)
  server:close()
  print("refused: " .. tostring(not lucio.pcall(ask, port, "1 1")))
  server:wait_closed()
  print("the last client got " .. last:await() .. ", connected are " .. now)
end

lucio.run(main)
