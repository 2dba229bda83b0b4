--- TLS: contexts in the manner of Python's ssl, and what the ssl options of streams mean.
-- A connection is made first and then upgraded, by the task that asked for it; a server's by the
-- task of the connection, before the callback. The connection itself is bindings/tls.
local lucio, native = ...

local M = {
  create_default_context = native.create_default_context,
  CERT_NONE = "CERT_NONE", CERT_OPTIONAL = "CERT_OPTIONAL", CERT_REQUIRED = "CERT_REQUIRED",
  Purpose = {SERVER_AUTH = "SERVER_AUTH", CLIENT_AUTH = "CLIENT_AUTH"},
  TLSVersion = {TLSv1_2 = "TLSv1.2", TLSv1_3 = "TLSv1.3"},
}

local HANDSHAKE_TIMEOUT, SHUTDOWN_TIMEOUT = 60, 30

-- the program may give the globals other values
local error, math_type, pairs, pcall, tostring, type =
  error, math.type, pairs, pcall, tostring, type

local function raise(class, text, ...)
  error(class(text:format(...)))
end

local function limit_of(what, options, name, default)
  local limit = options[name]
  if limit == nil then return default end
  if not math_type(limit) then
    raise(lucio.TypeError, "%s: %s as number expected, got %s", what, name, type(limit))
  end
  if limit ~= limit or limit <= 0 then
    raise(lucio.ValueError, "%s: %s should be a positive number, got %s", what, name,
      tostring(limit))
  end
  return limit
end

local default_context

local function context_of(what, options, is_server)
  local context = options.ssl
  if context == true and not is_server then
    default_context = default_context or native.create_default_context("SERVER_AUTH")
    return default_context
  end
  if not M.is_context(context) then
    raise(lucio.TypeError, "%s: ssl as SSLContext%s expected, got %s", what,
      is_server and "" or " or true", type(context))
  end
  return context
end

function M.is_context(value)
  return native.is_context(value)
end

--- What the options of a connection or a server say about TLS, checked.
function M.settings(what, options, host, is_server)
  local settings = {
    context = context_of(what, options, is_server),
    handshake = limit_of(what, options, "ssl_handshake_timeout", HANDSHAKE_TIMEOUT),
    shutdown = limit_of(what, options, "ssl_shutdown_timeout", SHUTDOWN_TIMEOUT),
  }
  if is_server then
    if not settings.context:has_certificate() then
      raise(lucio.ValueError, "%s: the SSLContext has no certificate (load_cert_chain)", what)
    end
    return settings
  end
  local name = options.server_hostname
  if name ~= nil and type(name) ~= "string" then
    raise(lucio.TypeError, "%s: server_hostname as string expected, got %s", what, type(name))
  end
  if name == nil and not host then
    raise(lucio.ValueError, "%s: you must set server_hostname when using ssl without a host", what)
  end
  settings.hostname = name or host
  if settings.hostname == "" and settings.context.check_hostname then
    raise(lucio.ValueError, "check_hostname requires server_hostname")
  end
  return settings
end

local function start(writer, settings, server_side)
  native.start(writer, settings.context, server_side, settings.hostname, settings.handshake,
    settings.shutdown)
end

--- The client's side of a new connection.
function M.connect(settings, reader, writer)
  local ok, e = pcall(start, writer, settings, false)
  if ok then return reader, writer end
  writer:abort()
  error(e, 0)
end

-- A client that cannot shake hands is no error of the program: in debug mode it is reported.
local function report(writer, e)
  local loop = lucio.get_running_loop()
  if not loop:get_debug() then return end
  loop:call_exception_handler {
    message = "SSL handshake failed", exception = e, peername = writer:get_extra_info("peername"),
  }
end

--- The callback of a server, called once the handshake is done.
function M.serve(callback, settings)
  local is_async = lucio.iscoroutinefunction(callback)
  return function(reader, writer)
    local ok, e = lucio.pcall(start, writer, settings, true)
    if not ok then
      writer:abort()
      if not lucio.isinstance(e, lucio.OSError) then error(e, 0) end
      return report(writer, e)
    end
    if is_async then return lucio.await(callback(reader, writer)) end
    return callback(reader, writer)
  end
end

local START_OPTIONS = {
  server_hostname = true, server_side = true, ssl_handshake_timeout = true,
  ssl_shutdown_timeout = true,
}

--- writer:start_tls(context, options)
function M.start_tls(writer, context, options)
  if options ~= nil and type(options) ~= "table" then
    raise(lucio.TypeError, "bad argument #2 to 'start_tls' (table of options expected, got %s)",
      type(options))
  end
  options = options or {}
  for key in pairs(options) do
    if not START_OPTIONS[key] then
      raise(lucio.TypeError, "bad argument #2 to 'start_tls' (unknown option '%s')", tostring(key))
    end
  end
  if not M.is_context(context) then
    raise(lucio.TypeError, "bad argument #1 to 'start_tls' (SSLContext expected, got %s)",
      context == nil and "nil" or type(context))
  end
  local name = options.server_hostname
  if name ~= nil and type(name) ~= "string" then
    raise(lucio.TypeError, "start_tls: server_hostname as string expected, got %s", type(name))
  end
  local settings = {
    context = context, hostname = name,
    handshake = limit_of("start_tls", options, "ssl_handshake_timeout", HANDSHAKE_TIMEOUT),
    shutdown = limit_of("start_tls", options, "ssl_shutdown_timeout", SHUTDOWN_TIMEOUT),
  }
  writer:drain()
  start(writer, settings, options.server_side)
end

return M
