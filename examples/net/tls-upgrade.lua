-- Protocols that begin in plain text and go on over TLS (STARTTLS, as mail servers do), with
-- certificates made on the spot. The server chooses one by the name that a client asks for.
local lucio = require "lucio"

local function make_context(name)
  local path = os.tmpname()
  assert(os.execute(("openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=%s" ..
    " -addext subjectAltName=DNS:%s -keyout %s.key -out %s 2>/dev/null"):format(
    name, name, path, path)))
  local context = lucio.ssl.create_default_context("CLIENT_AUTH")
  context:load_cert_chain(path, path .. ".key")
  local file <close> = assert(io.open(path))
  os.remove(path)
  os.remove(path .. ".key")
  return context, file:read("a")
end

local first, first_pem = make_context "first.example"
local second, second_pem = make_context "second.example"
first.sni_callback = function(ssl_object, name)
  print("server: somebody asks for " .. name)
  if name == "second.example" then ssl_object.context = second end
end

-- The server's protocol: NAME greets, STARTTLS upgrades.
local function new_server_protocol()
  local protocol = {}
  function protocol:connection_made(transport) self.transport = transport end
  function protocol:data_received(line)
    if line ~= "STARTTLS\n" then
      local secure = self.transport:get_extra_info("ssl_object") ~= nil
      local how = secure and ", in private" or ""
      self.transport:write(("hello, %s%s\n"):format(line:sub(1, -2), how))
      return
    end
    self.transport:pause_reading() -- what comes now is no text
    self.transport:write("go on\n")
    lucio.create_task(function()
      self.transport = lucio.get_running_loop():start_tls(self.transport, self, first,
        {server_side = true})
    end)
  end
  return protocol
end

local function talk(port, name, client_context)
  local loop = lucio.get_running_loop()
  local lines, over = lucio.Queue(), lucio.Event()
  local transport, protocol = loop:create_connection(function()
    return {
      data_received = function(_, line) lines:put_nowait(line:sub(1, -2)) end,
      connection_lost = function() over:set() end,
    }
  end, "127.0.0.1", port)
  transport:write("client\n")
  print("client: " .. lines:get())
  transport:write("STARTTLS\n")
  print("client: " .. lines:get())
  transport = loop:start_tls(transport, protocol, client_context, {server_hostname = name})
  print("client: certificate of " .. transport:get_extra_info("peercert").subject.commonName)
  transport:write("client\n")
  print("client: " .. lines:get())
  transport:close()
  over:wait()
end

lucio.run(function()
  local context = lucio.ssl.create_default_context("SERVER_AUTH",
    {cadata = first_pem .. second_pem})
  local loop = lucio.get_running_loop()
  local server <close> = loop:create_server(new_server_protocol, "127.0.0.1", 0)
  for _, name in ipairs {"first.example", "second.example"} do
    talk(server.sockets[1]:getsockname().port, name, context)
  end
end)
