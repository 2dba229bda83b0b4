-- A chat server: what one client sends goes to all the others. Three clients play along; with
-- CHAT_SERVE_FOREVER set it serves people until it is interrupted.
-- In asyncio: start_server, StreamReader.readline, StreamWriter.write and drain, serve_forever.
local lucio = require "lucio"

local clients = {}

local function text_of(address)
  return ("('%s', %d)"):format(address.host, address.port)
end

local function handle_client(reader, writer)
  local address = text_of(writer:get_extra_info("peername"))
  print("Новое подключение: " .. address)
  clients[writer] = true
  local _ <close> = setmetatable({}, {__close = function()
    print("Подключение закрыто: " .. address)
    clients[writer] = nil
    writer:close()
    writer:wait_closed()
  end})
  for line in reader:lines("L") do
    print(("Получено от %s: %s"):format(address, (line:gsub("%s+$", ""))))
    -- a copy: clients may come and go while drain waits
    local others = {}
    for client in pairs(clients) do
      if client ~= writer then others[#others + 1] = client end
    end
    for _, client in ipairs(others) do
      client:write(line)
      client:drain()
    end
  end
end

local function scripted_clients(port)
  local readers, writers = {}, {}
  for i = 1, 3 do
    readers[i], writers[i] = lucio.open_connection("127.0.0.1", port)
    lucio.sleep(0.1)
  end
  writers[1]:write("Привет всем!\n")
  assert(readers[2]:readline() == "Привет всем!\n")
  assert(readers[3]:readline() == "Привет всем!\n")
  writers[2]:write("Привет, A!\n")
  assert(readers[1]:readline() == "Привет, A!\n") -- and not its own line
  assert(readers[3]:readline() == "Привет, A!\n")
  for _, writer in ipairs(writers) do
    writer:close()
    writer:wait_closed()
    lucio.sleep(0.1)
  end
end

local function main()
  local server <close> = lucio.start_server(handle_client, "127.0.0.1",
    math.tointeger(os.getenv("CHAT_PORT") or 0))
  local address = server.sockets[1]:getsockname()
  print("Сервер запущен на " .. text_of(address))
  if os.getenv("CHAT_SERVE_FOREVER") then
    server:serve_forever()
  else
    scripted_clients(address.port)
  end
end

lucio.run(main)
