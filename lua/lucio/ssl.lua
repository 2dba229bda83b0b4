--- TLS: contexts in the manner of Python's ssl, and what the ssl options of streams mean.
-- The settings that are made of the options give each new stream its TLS connection, which shakes
-- hands before the stream's user hears of it. The connection itself is bindings/tls.
local lucio, native = ...

local M = {
  get_default_verify_paths = native.get_default_verify_paths,
  CERT_NONE = "CERT_NONE", CERT_OPTIONAL = "CERT_OPTIONAL", CERT_REQUIRED = "CERT_REQUIRED",
  PROTOCOL_TLS_CLIENT = "PROTOCOL_TLS_CLIENT", PROTOCOL_TLS_SERVER = "PROTOCOL_TLS_SERVER",
  Purpose = {SERVER_AUTH = "SERVER_AUTH", CLIENT_AUTH = "CLIENT_AUTH"},
  TLSVersion = {TLSv1_2 = "TLSv1.2", TLSv1_3 = "TLSv1.3"},
  OPENSSL_VERSION = native.library_version(),
  SSLError = lucio.SSLError, SSLCertVerificationError = lucio.SSLCertVerificationError,
  CertificateError = lucio.SSLCertVerificationError,
  -- bits of context.options, context.verify_flags (openssl/ssl.h, openssl/x509_vfy.h)
  OP_NO_TICKET = 1 << 14, OP_NO_COMPRESSION = 1 << 17, OP_CIPHER_SERVER_PREFERENCE = 1 << 22,
  OP_NO_TLSv1_2 = 1 << 27, OP_NO_TLSv1_3 = 1 << 29, OP_NO_RENEGOTIATION = 1 << 30,
  VERIFY_DEFAULT = 0, VERIFY_CRL_CHECK_LEAF = 0x4, VERIFY_CRL_CHECK_CHAIN = 0xc,
  VERIFY_X509_STRICT = 0x20, VERIFY_X509_TRUSTED_FIRST = 0x8000,
  VERIFY_X509_PARTIAL_CHAIN = 0x80000,
  -- what an sni_callback may answer (RFC 8446, section 6)
  ALERT_DESCRIPTION_HANDSHAKE_FAILURE = 40, ALERT_DESCRIPTION_ACCESS_DENIED = 49,
  ALERT_DESCRIPTION_INTERNAL_ERROR = 80, ALERT_DESCRIPTION_UNRECOGNIZED_NAME = 112,
}

local HANDSHAKE_TIMEOUT, SHUTDOWN_TIMEOUT = 60, 30

-- the program may give the globals other values
local error, math_type, pairs, tostring, type = error, math.type, pairs, tostring, type

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

--- create_default_context(purpose, {cafile=, capath=, cadata=})
function M.create_default_context(purpose, trust)
  return native.create_default_context(purpose, trust)
end

--- SSLContext(protocol): one that trusts nobody yet.
function M.SSLContext(protocol)
  if protocol ~= M.PROTOCOL_TLS_CLIENT and protocol ~= M.PROTOCOL_TLS_SERVER then
    raise(type(protocol) == "string" and lucio.ValueError or lucio.TypeError,
      "bad argument #1 to 'SSLContext' ('PROTOCOL_TLS_CLIENT' or 'PROTOCOL_TLS_SERVER' expected)")
  end
  local is_server = protocol == M.PROTOCOL_TLS_SERVER
  return native.create_default_context(is_server and "CLIENT_AUTH" or "SERVER_AUTH", nil, true)
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

local function name_of(what, options)
  local name = options.server_hostname
  if name ~= nil and type(name) ~= "string" then
    raise(lucio.TypeError, "%s: server_hostname as string expected, got %s", what, type(name))
  end
  return name
end

-- What connections are made from, for C.
local function make_settings(what, context, options, server_side, hostname)
  return native.settings(context, server_side, hostname or "",
    limit_of(what, options, "ssl_handshake_timeout", HANDSHAKE_TIMEOUT),
    limit_of(what, options, "ssl_shutdown_timeout", SHUTDOWN_TIMEOUT), options.session)
end

--- What the options of a connection or a server say about TLS, checked.
function M.settings(what, options, host, is_server)
  if type(options) ~= "table" then
    raise(lucio.TypeError, "bad argument #2 to 'settings' (table of options expected, got %s)",
      type(options))
  end
  local context = context_of(what, options, is_server)
  if is_server then return make_settings(what, context, options, true) end
  local name = name_of(what, options)
  if name == nil and not host then
    raise(lucio.ValueError, "%s: you must set server_hostname when using ssl without a host", what)
  end
  return make_settings(what, context, options, false, name or host)
end

local START_OPTIONS = {
  server_hostname = true, server_side = true, session = true, ssl_handshake_timeout = true,
  ssl_shutdown_timeout = true,
}

local function check_start(context, options, position)
  if options ~= nil and type(options) ~= "table" then
    raise(lucio.TypeError, "bad argument #%d to 'start_tls' (table of options expected, got %s)",
      position + 1, type(options))
  end
  for key in pairs(options or {}) do
    if not START_OPTIONS[key] then
      raise(lucio.TypeError, "bad argument #%d to 'start_tls' (unknown option '%s')", position + 1,
        tostring(key))
    end
  end
  if not M.is_context(context) then
    raise(lucio.TypeError, "bad argument #%d to 'start_tls' (SSLContext expected, got %s)",
      position, context == nil and "nil" or type(context))
  end
end

--- writer:start_tls(context, options), where `accepted` is whether a server has accepted it
function M.start_tls(writer, context, options, accepted)
  check_start(context, options, 1)
  options = options or {}
  local server_side = options.server_side
  if server_side == nil then server_side = accepted end
  local settings = make_settings("start_tls", context, options, server_side,
    name_of("start_tls", options))
  writer:drain()
  native.start(writer, settings)
end

--- loop:start_tls(transport, protocol, context, options) -> transport
function M.upgrade(transport, protocol, context, options)
  check_start(context, options, 3)
  options = options or {}
  if type(protocol) ~= "table" and type(protocol) ~= "userdata" then
    raise(lucio.TypeError, "bad argument #2 to 'start_tls' (protocol as table expected, got %s)",
      protocol == nil and "nil" or type(protocol))
  end
  return native.start(transport, make_settings("start_tls", context, options, options.server_side,
    name_of("start_tls", options)), protocol)
end

return M
