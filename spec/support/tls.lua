--- What the specs of TLS have in common: contexts, a server for the time of a function, a client.
local certificates = require "spec.support.certificates"
local lucio = require "lucio"
local testing = require "lucio.testing"

local M = {}

--- Why this build has no TLS, or nil. One that has it and cannot use it is a failure.
M.missing = (function()
  local ok, e = pcall(require, "lucio.ssl")
  if ok then return nil end
  if not tostring(e):find("built without TLS", 1, true) then error(e, 0) end
  return tostring(e)
end)()

--- In a build without TLS: one case says that those of the file are left out, and true comes back.
-- The test runner repeats names of cases that begin so.
function M.left_out()
  if not M.missing then return false end
  local busted = require "busted" -- the soak has none
  busted.it("left out: what needs TLS, which is not in this build", function()
    local e = select(2, pcall(function() return lucio.ssl end))
    assert(lucio.isinstance(e, lucio.RuntimeError) and tostring(e) == M.missing)
    e = select(2, pcall(lucio.run, lucio.open_connection, "127.0.0.1", 1, {ssl = true}))
    assert(lucio.isinstance(e, lucio.RuntimeError) and tostring(e) == M.missing)
  end)
  return true
end

--- 8 MiB, more than the kernel keeps for a socket.
M.BIG = ("0123456789abcdef"):rep(1 << 19)

--- A server's context with that certificate, "server.pem" without a name.
function M.server_context(name)
  local context = lucio.ssl.create_default_context("CLIENT_AUTH")
  context:load_cert_chain(certificates.path(name or "server.pem"))
  return context
end

--- A client's context that trusts the specs' authority.
function M.client_context()
  return lucio.ssl.create_default_context("SERVER_AUTH", {cafile = certificates.path "ca.pem"})
end

--- Calls body(port) while the server serves, and waits for its end.
function M.during(server, body)
  local ok, e = pcall(body, server.sockets[1]:getsockname().port)
  server:close()
  if not ok then server:abort_clients() end
  server:wait_closed()
  if not ok then error(e, 0) end
end

--- Calls body(port) while a server with those options serves.
function M.serving(serve, options, body)
  M.during(lucio.start_server(serve, "127.0.0.1", 0, options), body)
end

--- A client, of a context that trusts the specs' authority unless the options have another.
function M.connect(port, options)
  options = options or {}
  options.ssl = options.ssl or M.client_context()
  options.server_hostname = options.server_hostname or "localhost"
  return lucio.open_connection("127.0.0.1", port, options)
end

function M.close(writer)
  writer:close()
  writer:wait_closed()
end

--- A callback that sends back what comes.
function M.echo(reader, writer)
  while true do
    local data = reader:read(65536)
    if data == "" then break end
    writer:write(data)
    writer:drain()
  end
  M.close(writer)
end

--- The same of clients that may end in any way.
function M.try_echo(reader, writer) lucio.pcall(M.echo, reader, writer) end

--- What testing.stream_pair gives with those options, both ends with TLS.
function M.secure_pair(options)
  local one, other = testing.stream_pair(options)
  local server = lucio.create_task(other.writer.start_tls, other.writer, M.server_context(),
    {server_side = true})
  one.writer:start_tls(M.client_context(), {server_hostname = "localhost"})
  server:await()
  return one, other
end

--- A callback that waits until the client has gone.
function M.wait_for_end(reader, writer)
  lucio.pcall(reader.read, reader)
  lucio.pcall(M.close, writer)
end

return M
