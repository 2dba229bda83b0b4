-- The whole of a chat in one script: a server, three clients that come, speak and go, and what each
-- of them has on its screen in the end. A line typed at one appears at all the others.
-- In asyncio: start_server, open_connection, StreamReader.readline, gather.
local lucio = require "lucio"

local members = {} -- name -> writer

local function say(from, text)
  for name, writer in pairs(members) do
    if name ~= from then writer:write(text .. "\n") end
  end
end

local function serve(reader, writer)
  local name = reader:readline():gsub("\n", "")
  members[name] = writer
  say(name, name .. " входит")
  for line in reader:lines() do say(name, ("%s: %s"):format(name, line)) end
  members[name] = nil
  say(name, name .. " выходит")
end

-- A person: enters at a time, says something at another, leaves at a third.
local function person(port, name, enters, speaks, text, leaves)
  local screen = {}
  lucio.sleep(enters)
  local reader, writer <close> = lucio.open_connection("127.0.0.1", port)
  writer:write(name .. "\n")
  local watching = lucio.create_task(function()
    for line in reader:lines() do screen[#screen + 1] = line end
  end)
  lucio.sleep(speaks - enters)
  writer:write(text .. "\n")
  lucio.sleep(leaves - speaks)
  writer:write_eof()
  watching:await() -- the server closes when it has read all
  return {name = name, screen = screen}
end

local function main()
  local server <close> = lucio.start_server(serve, "127.0.0.1", 0)
  local port = server.sockets[1]:getsockname().port
  local people = lucio.gather(
    function() return person(port, "Анна", 0.1, 0.5, "Привет всем!", 1.1) end,
    function() return person(port, "Борис", 0.2, 0.6, "Привет, Анна!", 1.0) end,
    function() return person(port, "Вера", 0.3, 0.7, "Всем добрый день", 0.9) end)
  for _, one in ipairs(people) do
    print(("Экран: %s"):format(one.name))
    for _, line in ipairs(one.screen) do print("  " .. line) end
  end
  print("Осталось в чате: " .. (next(members) or "никого"))
end

lucio.run(main)
