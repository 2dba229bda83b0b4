-- A session with the chat server and three of the chat clients, each a process of its own, as if
-- somebody typed at them: what one client sends appears at the others.
-- In asyncio: create_subprocess_exec, stdin.write, stdout.readline, wait_for, terminate, wait.
local lucio = require "lucio"

local PIPE = lucio.subprocess.PIPE

-- The interpreter that runs this script runs the others too.
local interpreter = 0
while arg[interpreter - 1] do interpreter = interpreter - 1 end
local directory = arg[0]:match "^(.*)/"

-- Starts a script of this directory with more variables in its environment.
local function start(title, script, ...)
  local argv = {"env", ...}
  for _, word in ipairs {arg[interpreter], "-e", "io.stdout:setvbuf 'line'",
      directory .. "/" .. script} do
    argv[#argv + 1] = word
  end
  argv.stdin, argv.stdout = PIPE, PIPE
  return {title = title, lines = {}, process = lucio.create_subprocess_exec(argv)}
end

-- Reads lines until one of them contains the text.
local function expect(peer, text)
  repeat
    local line = lucio.wait_for(function() return peer.process.stdout:readline() end, 5)
    assert(line ~= "", peer.title .. ": no line with " .. text)
    line = line:gsub("\n", "")
    peer.lines[#peer.lines + 1] = line
  until line:find(text, 1, true)
  return peer.lines[#peer.lines]
end

local function say(peer, text)
  peer.process.stdin:write(text .. "\n")
  peer.process.stdin:drain()
end

lucio.run(function()
  local server = start("сервер", "ch05-5.8.2-chat-server.lua", "CHAT_SERVE_FOREVER=1",
    "CHAT_PORT=0")
  local port = expect(server, "Сервер запущен"):match "(%d+)%)"
  local clients = {}
  for i, name in ipairs {"A", "B", "C"} do
    clients[i] = start("клиент " .. name, "ch05-5.8.2-chat-client.lua", "CHAT_PORT=" .. port)
    expect(clients[i], "Подключено")
    expect(server, "Новое подключение")
  end
  local a, b, c = table.unpack(clients)
  say(a, "Привет всем!")
  for _, peer in ipairs {b, c} do expect(peer, "Получено: Привет всем!") end
  say(b, "Привет, A!")
  for _, peer in ipairs {a, c} do expect(peer, "Получено: Привет, A!") end
  for _, peer in ipairs(clients) do
    peer.process.stdin:close()
    expect(server, "Подключение закрыто")
    peer.process:wait()
  end
  server.process:terminate()
  server.process:wait()
  for _, peer in ipairs {server, a, b, c} do
    print(("=== %s ==="):format(peer.title))
    print(table.concat(peer.lines, "\n"))
  end
end)
