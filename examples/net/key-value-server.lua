-- A key-value store over lines: SET key value, GET key, INCR key, COUNT. It holds on while its
-- clients are killed (kill -9) in the middle of what they do: a client that is gone is an error or
-- an end in its own task, and nobody else's.
--
-- The clients are processes of their own: this script with the word "client" and the port. They
-- count for ever, and are killed one after the other.
local lucio = require "lucio"

local function serve_store()
  local store, connected = {}, 0

  local commands = {
    SET = function(key, value)
      store[key] = value
      return "OK"
    end,
    GET = function(key) return store[key] or "" end,
    INCR = function(key)
      store[key] = math.tointeger(store[key] or 0) + 1
      return tostring(store[key])
    end,
    COUNT = function() return tostring(connected) end,
  }

  local function answer(line)
    local name, key, value = line:match("^(%u+) ?(%S*) ?(.*)$")
    local command = commands[name]
    return command and command(key, value) or "ERR what is '" .. line .. "'?"
  end

  local function serve(reader, writer)
    connected = connected + 1
    local _ <close> = setmetatable({}, {__close = function() connected = connected - 1 end})
    -- a reset connection ends this task and is no failure of the server
    lucio.pcall(function()
      for line in reader:lines() do
        writer:write(answer(line) .. "\n")
        writer:drain()
      end
    end)
  end

  return lucio.start_server(serve, "127.0.0.1", 0)
end

-- Ten questions are always on their way when the next ten are asked: wherever the client is killed,
-- some are lost. If it read no answers, it would flood the server, and all others would wait.
local function count_for_ever(port)
  local reader, writer = lucio.open_connection("127.0.0.1", port)
  local questions = "INCR visits\n" .. ("INCR work\n"):rep(9)
  writer:write(questions)
  while true do
    writer:write(questions)
    for _ = 1, 10 do reader:readline() end
  end
end

-- Starts a client process; gives its number.
local function start_client(port)
  local first = 0
  while arg[first - 1] do first = first - 1 end -- the interpreter, before its options
  local pipe = assert(io.popen(("echo $$; exec '%s' '%s' client %d 2>&1"):format(
    arg[first], arg[0], port)))
  return pipe:read("n"), pipe
end

local function main()
  local server <close> = serve_store()
  local port = server.sockets[1]:getsockname().port
  local reader, writer <close> = lucio.open_connection("127.0.0.1", port)
  local function ask(line)
    writer:write(line .. "\n")
    return (reader:readline():gsub("\n", ""))
  end

  print("SET", ask("SET name lucio"))
  for i = 1, 5 do
    local before = math.tointeger(ask("GET visits")) or 0
    local pid, pipe = start_client(port)
    while (math.tointeger(ask("GET visits")) or 0) < before + 10 do lucio.sleep(0.002) end
    os.execute("kill -9 " .. pid)
    pipe:close()
    while ask("COUNT") ~= "1" do lucio.sleep(0.002) end
    print(("client %d counted, was killed, and is gone"):format(i))
  end
  print("GET", ask("GET name"))
  print("INCR", ask("INCR own"), ask("INCR own"))
  print(ask("nonsense"))
end

if arg[1] == "client" then
  lucio.run(count_for_ever, math.tointeger(arg[2]))
else
  lucio.run(main)
end
