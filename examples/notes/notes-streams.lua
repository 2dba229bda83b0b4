-- A client over streams: it writes with back-pressure, reads lines, a block of known length and the
-- rest, and meets a connection that is lost in the middle and one that is refused.
-- In asyncio: open_connection, write, drain, readline, readexactly, readuntil, IncompleteReadError.
local lucio = require "lucio"

-- Answers "upper TEXT" by a line, "block N" by N bytes, and breaks off after "hang up".
local function serve(reader, writer)
  for line in reader:lines() do
    local command, argument = line:match("^(%S+)%s*(.*)$")
    if command == "upper" then
      writer:write(argument:upper() .. "\n")
    elseif command == "block" then
      writer:write(("x"):rep(math.tointeger(argument)))
    elseif command == "hang" then
      writer:write("ab")
      return -- which closes the connection
    end
    writer:drain()
  end
  writer:write("bye;all;read")
end

local function talk(port)
  local reader, writer <close> = lucio.open_connection("127.0.0.1", port)
  writer:writelines {"upper hello\n", "upper streams\n"}
  writer:drain()
  print(reader:readline():gsub("\n", ""), (reader:readline():gsub("\n", "")))

  writer:write("block 1000000\n")
  print(#reader:readexactly(1000000) .. " bytes")

  writer:write_eof() -- the other direction stays open
  print(reader:readuntil(";"), reader:read(), reader:at_eof())
end

local function break_off(port)
  local reader, writer <close> = lucio.open_connection("127.0.0.1", port)
  writer:write("hang up\n")
  local ok, e = lucio.pcall(reader.readexactly, reader, 10)
  print(ok, e.name, #e.partial .. " of " .. e.expected)
  while lucio.pcall(function()
    writer:write("anybody there?\n")
    writer:drain()
  end) do
    lucio.sleep(0.01)
  end
  print("drain tells that the connection is lost")
end

local function main()
  local port
  do
    local server <close> = lucio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[1]:getsockname().port
    talk(port)
    break_off(port)
  end
  local ok, e = lucio.pcall(lucio.open_connection, "127.0.0.1", port)
  print(ok, e.name, e.code)
end

lucio.run(main)
