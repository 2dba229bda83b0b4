-- The server of the benchmarks of TLS: echo|sink|source CERTIFICATE [MEGABYTES]; see bench/tls.
local lucio = require "lucio"

local mode, certificate, megabytes = arg[1], arg[2], tonumber(arg[3] or 0)
local piece = ("x"):rep(65536)
local context = lucio.ssl.create_default_context("CLIENT_AUTH")
context:load_cert_chain(certificate)

local serve = {}

function serve.echo(reader, writer)
  while true do
    local data = reader:read(65536)
    if data == "" then break end
    writer:write(data)
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

lucio.run(function()
  local server = lucio.start_server(serve[mode], "127.0.0.1", 0, {backlog = 1024, ssl = context})
  io.write(server.sockets[1]:getsockname().port, "\n")
  io.flush()
  local over = lucio.Event()
  lucio.get_running_loop():add_reader(0, over.set, over)
  over:wait()
end)
