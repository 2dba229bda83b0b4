-- A server in two processes, by `lucio --workers 2`: they share a port; one that crashes is started
-- again; SIGHUP replaces them one by one, and no client notices; SIGTERM ends them in order.
--
-- With the word "serve" this script is the server. Without, it starts `lucio --workers 2` with
-- itself, and is the clients.
local lucio = require "lucio"

local function serve()
  local index = os.getenv "LUCIO_WORKER_INDEX"

  local function handle(reader, writer)
    for line in reader:lines() do
      if line == "crash" then os.exit(3) end
      writer:write(index .. " " .. line .. "\n")
    end
  end

  local server = lucio.start_server(handle, "127.0.0.1", 0) -- 0 is the same port for both
  print(server.sockets[1]:getsockname().port)
  io.stdout:flush()
  server:serve_forever() -- SIGTERM cancels it: it then waits for the connections
end

-- Starts the server; gives its process, its port, and a function that waits for what it says.
local function start()
  local first = 0
  while arg[first - 1] do first = first - 1 end -- the interpreter, before its options
  local PIPE = lucio.subprocess.PIPE
  local process = lucio.create_subprocess_exec(arg[first], "--workers", "2", arg[0], "serve",
    {stdout = PIPE, stderr = PIPE})
  local port = math.tointeger(process.stdout:readline())
  local function wait_for(text)
    repeat
      local line = process.stderr:readline()
      assert(line ~= "", "it has ended")
    until line:find(text, 1, true)
  end
  return process, port, wait_for
end

local function main()
  local process, port, wait_for = start()

  local function ask(text)
    local reader, writer <close> = lucio.open_connection("127.0.0.1", port)
    writer:write(text .. "\n")
    return reader:readline():match "^(%d) (.*)\n$"
  end

  local seen = {}
  while not (seen["1"] and seen["2"]) do seen[ask "hello"] = true end
  print "both workers have answered"

  ask "crash"
  wait_for "it starts again"
  print "one has crashed and is started again"

  local going, answers, wrong = true, 0, 0
  local clients = lucio.create_task(lucio.gather, {
    function()
      while going do
        local _, text = ask "hello"
        answers, wrong = answers + 1, wrong + (text == "hello" and 0 or 1)
      end
    end,
  })
  process:send_signal "SIGHUP"
  wait_for "all workers are reloaded"
  going = false
  clients:await()
  print("reloaded", answers > 0 and "clients were served" or "nobody came", wrong .. " wrong")

  process:terminate()
  print("ended", process:wait())
end

if arg[1] == "serve" then
  serve()
else
  lucio.run(main)
end
