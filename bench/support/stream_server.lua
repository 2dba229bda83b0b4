-- The server of the benchmarks of streams: echo|sink|source|lines|protocol|work [MEGABYTES
-- [CERTIFICATE]]; see peers/stream_server.c for what each does. protocol: the echo as a protocol;
-- work: the echo of what took some computing. With a certificate it speaks TLS.
local lucio = require "lucio"

local mode, megabytes, certificate = arg[1], math.tointeger(arg[2] or 0), arg[3]
local piece = ("x"):rep(65536)

local serve = {}

function serve.echo(reader, writer)
  while true do
    local data = reader:read(65536)
    if data == "" then break end
    writer:write(data)
    writer:drain()
  end
end

function serve.work(reader, writer)
  while true do
    local data = reader:read(65536)
    if data == "" then break end
    local sum = 0
    for i = 1, 20000 do sum = sum + i % 7 end
    writer:write(sum > 0 and data or "")
    writer:drain()
  end
end

function serve.sink(reader, writer)
  local left = megabytes << 20
  while left > 0 do
    local data = reader:read(262144)
    if data == "" then break end
    left = left - #data
  end
  writer:write "."
end

function serve.source(_, writer)
  for _ = 1, megabytes * 16 do
    writer:write(piece)
    writer:drain()
  end
end

function serve.lines(reader, writer)
  while reader:readline() ~= "" do
  end
  writer:write "."
end

local function protocol()
  local transport
  return {
    connection_made = function(_, made) transport = made end,
    data_received = function(_, data) transport:write(data) end,
  }
end

lucio.run(function()
  local options, server = {backlog = 1024}
  if certificate then
    options.ssl = lucio.ssl.create_default_context("CLIENT_AUTH")
    options.ssl:load_cert_chain(certificate)
  end
  if mode == "protocol" then
    server = lucio.get_running_loop():create_server(protocol, "127.0.0.1", 0, options)
  else
    server = lucio.start_server(serve[mode], "127.0.0.1", 0, options)
  end
  io.write(server.sockets[1]:getsockname().port, "\n")
  io.flush()
  local over = lucio.Event()
  lucio.get_running_loop():add_reader(0, over.set, over)
  over:wait()
end)
