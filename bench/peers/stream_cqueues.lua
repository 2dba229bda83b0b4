-- The server of the benchmarks of streams, echo|sink|source|lines [MEGABYTES], over cqueues.
local cqueues = require "cqueues"
local socket = require "cqueues.socket"

local mode, megabytes = arg[1], tonumber(arg[2] or 0)
local piece = ("x"):rep(65536)

local serve = {}

function serve.echo(client)
  while true do
    local data = client:read(-65536)
    if not data then break end
    client:write(data)
  end
end

function serve.sink(client)
  while client:read(-65536) do
  end
  client:write "."
end

function serve.source(client)
  for _ = 1, megabytes * 16 do client:write(piece) end
end

function serve.lines(client)
  while client:read "*L" do
  end
  client:write "."
end

local queue = cqueues.new()
local server = socket.listen{host = "127.0.0.1", port = 0, nodelay = true}
assert(server:listen())
queue:wrap(function()
  while true do
    local client = server:accept()
    client:setmode("bn", "bn")
    queue:wrap(function()
      pcall(serve[mode], client)
      client:close()
    end)
  end
end)
queue:wrap(function()
  cqueues.poll({pollfd = 0, events = "r"})
  os.exit(0)
end)
io.write(select(3, server:localname()), "\n")
io.flush()
assert(queue:loop())
