-- A server and two clients over TLS, with a certificate made on the spot by the openssl command.
-- The second client expects somebody else's certificate and is not taken in.
local lucio = require "lucio"

local function make_certificate()
  local path = os.tmpname()
  assert(os.execute(("openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost" ..
    " -addext subjectAltName=DNS:localhost -keyout %s.key -out %s 2>/dev/null"):format(path, path)))
  return path, path .. ".key"
end

local certificate, key = make_certificate()
local server_context = lucio.ssl.create_default_context("CLIENT_AUTH")
server_context:load_cert_chain(certificate, key)
server_context:set_alpn_protocols {"echo"}
local client_context = lucio.ssl.create_default_context("SERVER_AUTH", {cafile = certificate})
client_context:set_alpn_protocols {"echo"}
os.remove(certificate)
os.remove(key)

local function echo(reader, writer)
  print("server: a client that asks for " .. writer:get_extra_info("ssl_object").server_hostname)
  for line in reader:lines(true) do
    writer:write(line)
    writer:drain()
  end
  print("server: the client has said good-bye")
end

local function client(port, host)
  local reader, writer <close> = lucio.open_connection("127.0.0.1", port,
    {ssl = client_context, server_hostname = host})
  print(("client: %s, protocol %s, certificate of %s"):format(
    writer:get_extra_info("ssl_object"):version(), writer:get_extra_info("alpn_protocol"),
    writer:get_extra_info("peercert").subject.commonName))
  for _, word in ipairs {"one", "two", "three"} do
    writer:write(word .. "\n")
    print("client: " .. reader:readline():sub(1, -2))
  end
end

lucio.run(function()
  local server <close> = lucio.start_server(echo, "127.0.0.1", 0, {ssl = server_context})
  local port = server.sockets[1]:getsockname().port
  client(port, "localhost")
  local ok, e = lucio.pcall(client, port, "bank.example")
  print(ok, e.name)
  print(e.verify_message)
end)
