-- Which ports of a machine answer? Twenty tasks take the ports from one queue, and each tries to
-- connect for half a second at most. Without arguments it scans ports of this machine, on which it
-- has started three servers itself; else: port-scanner.lua HOST FIRST LAST.
local lucio = require "lucio"

local SCANNERS, SECONDS = 20, 0.5

-- Calls found(port, greeting) for each port that answers.
local function scan(host, ports, found)
  local queue = lucio.Queue()
  for _, port in ipairs(ports) do queue:put_nowait(port) end
  queue:shutdown()

  local function scanner()
    for _, port in queue:items() do
      local ok, reader, writer = lucio.pcall(lucio.open_connection, host, port, {timeout = SECONDS})
      if ok then
        -- many servers speak first
        local line = lucio.create_task(reader.readline, reader)
        local spoke, greeting = lucio.pcall(lucio.wait_for, line, 0.1)
        found(port, spoke and greeting:gsub("%s+$", "") or "")
        writer:abort()
      end
    end
  end

  local group <close> = lucio.TaskGroup()
  for _ = 1, SCANNERS do group:create_task(scanner) end
end

local function demonstrate()
  local greetings = {"220 mail", "SSH-2.0-lucio", false}
  local servers, ports = {}, {}
  for i, greeting in ipairs(greetings) do
    servers[i] = lucio.start_server(function(reader, writer)
      if greeting then writer:write(greeting .. "\r\n") end
      lucio.pcall(reader.read, reader)
    end, "127.0.0.1", 0)
    ports[i] = servers[i].sockets[1]:getsockname().port
  end
  -- among many that nobody listens on
  local wanted = {}
  for i = 1, 200 do
    local closed = lucio.start_server(print, "127.0.0.2", 0)
    wanted[i] = closed.sockets[1]:getsockname().port
    closed:close()
  end
  for i, port in ipairs(ports) do table.insert(wanted, i * 50, port) end

  local found = {}
  scan("127.0.0.1", wanted, function(port, greeting) found[port] = greeting end)
  for i, port in ipairs(ports) do print(("server %d: open, '%s'"):format(i, found[port])) end
  for _, server in ipairs(servers) do
    server:close()
    server:wait_closed()
  end
end

local host, first, last = ...
if host then
  local ports = {}
  for port = math.tointeger(first), math.tointeger(last) do ports[#ports + 1] = port end
  lucio.run(scan, host, ports, function(port, greeting) print(port, greeting) end)
else
  lucio.run(demonstrate)
end
