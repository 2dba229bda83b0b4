-- A chat client that reads the terminal and the connection at the same time. Without CHAT_PORT the
-- other side is a server in the same script, which answers every line after 0.1 s.
-- The terminal is read in a worker thread, since io.read blocks. (lucio.connect_stdin() gives a
-- stream that needs no thread.)
-- In asyncio: open_connection, run_in_executor(None, input).
local lucio = require "lucio"

local function client(port)
  local reader, writer <close> = lucio.open_connection("127.0.0.1", port)
  print("Подключено к серверу. Введите сообщения:")

  local listener = lucio.create_task(function()
    for line in reader:lines() do print("Получено: " .. line) end
  end)

  local loop = lucio.get_running_loop()
  local function input() return loop:run_in_executor(nil, io.read, "l"):await() end
  for message in input do
    writer:write(message .. "\n")
    writer:drain()
  end
  lucio.sleep(0.5) -- lets the listener print what is still on its way
  listener:cancel()
end

local function standalone()
  local function other_side(reader, writer)
    for _ in reader:lines() do
      lucio.sleep(0.1)
      writer:write("Привет и тебе!\n")
      writer:drain()
    end
  end
  local server <close> = lucio.start_server(other_side, "127.0.0.1", 0)
  client(server.sockets[1]:getsockname().port)
end

local port = math.tointeger(os.getenv("CHAT_PORT"))
if port then
  lucio.run(client, port)
else
  lucio.run(standalone)
end
