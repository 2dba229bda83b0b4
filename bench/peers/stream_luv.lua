-- The server of the benchmarks of streams, echo|sink|source|lines [MEGABYTES], over luv.
local uv = require "luv"

local mode, megabytes = arg[1], tonumber(arg[2] or 0)
local piece = ("x"):rep(65536)

local serve = {}

local function answer(client)
  client:write(".", function() client:close() end)
end

function serve.echo(client)
  client:read_start(function(_, data)
    if data then client:write(data) else client:close() end
  end)
end

function serve.sink(client)
  client:read_start(function(_, data)
    if not data then answer(client) end
  end)
end

function serve.source(client)
  local left = megabytes * 16
  local function send()
    if left == 0 then return client:close() end
    left = left - 1
    client:write(piece, send)
  end
  send()
end

function serve.lines(client)
  local rest, count = "", 0
  client:read_start(function(_, data)
    if not data then return answer(client) end
    local start = 1
    while true do
      local stop = data:find("\n", start, true)
      if not stop then break end
      local line = data:sub(start, stop)
      if rest ~= "" then line, rest = rest .. line, "" end
      count = count + (line ~= "" and 1 or 0)
      start = stop + 1
    end
    rest = rest .. data:sub(start)
  end)
end

local server, over = uv.new_tcp(), uv.new_pipe(false)
server:bind("127.0.0.1", 0)
server:listen(1024, function()
  local client = uv.new_tcp()
  server:accept(client)
  client:nodelay(true)
  serve[mode](client)
end)
io.write(server:getsockname().port, "\n")
io.flush()
over:open(0)
over:read_start(function(_, data)
  if not data then os.exit(0) end
end)
uv.run()
