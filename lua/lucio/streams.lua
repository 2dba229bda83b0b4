--- Connections and servers: which addresses to try, in what order, and what to say when none works.
-- The sockets themselves are bindings/stream.
local lucio, native, part = ...

local M = {}

local LIMIT = 65536
local BACKLOG = 100
-- The integers among a server's options, from 1 to these.
local MOST = {backlog = 65535, max_connections = 1000000}

-- the program may give the globals other values
local error, ipairs, math_type, pairs, pcall, tostring, type =
  error, ipairs, math.type, pairs, pcall, tostring, type

local checks = part "common.options"
local raise, bad_argument = checks.raise, checks.bad_argument

-- Checks the options and returns them, never nil.
local function check_options(name, position, options, known)
  options = checks.check_options(name, position, options, known)
  if options.limit ~= nil and options.limit <= 0 then
    raise(lucio.ValueError, "Limit cannot be <= 0")
  end
  return options
end

local function check_port(name, position, port)
  if type(port) ~= "string" and math_type(port) ~= "integer" then
    bad_argument(name, position, "port as integer", port)
  end
  if math_type(port) and (port < 0 or port > 65535) then
    raise(lucio.ValueError, "bad argument #%d to '%s' (port must be in 0..65535)", position, name)
  end
end

-- The numeric addresses of a host, without repetitions.
local function resolve(host, port, family)
  local seen, addresses = {}, {}
  local list = lucio.get_running_loop():getaddrinfo(host, port, {family = family, type = "stream"})
  for _, row in ipairs(list) do
    local text = tostring(row.address)
    if not seen[text] then
      seen[text] = true
      addresses[#addresses + 1] = row.address
    end
  end
  return addresses
end

-- ---- connecting ----

local OPEN_OPTIONS = {
  limit = "integer", local_addr = true, timeout = true, happy_eyeballs_delay = true, family = true,
  all_errors = true, ssl = true, server_hostname = true, session = true,
  ssl_handshake_timeout = true, ssl_shutdown_timeout = true,
}

-- One error for all of them (ST21).
local function combine(errors, all_errors)
  if all_errors then
    return lucio.ExceptionGroup("create_connection failed", errors)
  end
  local first = tostring(errors[1])
  local texts, same = {}, true
  for i, e in ipairs(errors) do
    texts[i] = tostring(e)
    same = same and texts[i] == first
  end
  if same then return errors[1] end
  return lucio.OSError(("Multiple exceptions: %s"):format(table.concat(texts, ", ")))
end

-- From the first of the local addresses, of those of its family, that it works from.
-- Only what a connection can fail with is passed over; a cancellation is not.
local function try(address, from)
  if not from then return lucio.pcall(native.connect, address.host, address.port) end
  local ok, socket = false,
    lucio.OSError(("no matching local address with family=%s found"):format(address.family))
  for _, each in ipairs(from) do
    if each.family == address.family then
      ok, socket = lucio.pcall(native.connect, address.host, address.port, each.host, each.port)
      if ok then break end
    end
  end
  return ok, socket
end

local function connect_in_turn(addresses, from, all_errors)
  local errors = {}
  for _, address in ipairs(addresses) do
    local ok, socket = try(address, from)
    if ok then return socket end
    if not lucio.isinstance(socket, lucio.OSError) then error(socket, 0) end
    errors[#errors + 1] = socket
  end
  error(combine(errors, all_errors), 0)
end

-- The families take turns, the first one first (RFC 8305, section 4).
local function interleave(addresses)
  local by_family, order, mixed = {}, {}, {}
  for _, address in ipairs(addresses) do
    local list = by_family[address.family]
    if not list then
      list = {}
      by_family[address.family], order[#order + 1] = list, list
    end
    list[#list + 1] = address
  end
  for i = 1, #addresses do
    for _, list in ipairs(order) do mixed[#mixed + 1] = list[i] end
  end
  return mixed
end

-- A race: the next address is tried when the one before has failed or `delay` seconds have passed;
-- the first connection wins and the others are cancelled (RFC 8305, section 5).
local function connect_in_a_race(addresses, from, delay, all_errors)
  local attempts, errors, winner, over = {}, {}, nil, nil
  local function attempt(i, failed)
    local ok, socket = try(addresses[i], from)
    if ok and winner then
      native.close(socket)
    elseif ok then
      winner = socket
    else
      errors[i] = socket
      failed:set()
    end
  end
  local ok, e = pcall(function()
    for i = 1, #addresses do
      local failed = lucio.Event()
      attempts[i] = lucio.create_task(attempt, i, failed)
      if i == #addresses then break end
      over = lucio.create_task(failed.wait, failed)
      lucio.wait({over, attempts[i]}, {timeout = delay, return_when = lucio.FIRST_COMPLETED})
      over:cancel()
      if winner then break end
    end
    while not winner do
      local pending = {}
      for _, task in ipairs(attempts) do
        if not task:done() then pending[#pending + 1] = task end
      end
      if #pending == 0 then break end
      lucio.wait(pending, {return_when = lucio.FIRST_COMPLETED})
    end
  end)
  if over then over:cancel() end -- cancelled while it waited for the next attempt
  for _, task in ipairs(attempts) do task:cancel() end
  if not ok then
    if winner then native.close(winner) end
    error(e, 0)
  end
  if winner then return winner end
  error(combine(errors, all_errors), 0)
end

-- `made` is the limit of the reader, or makes the protocol; `tls` is nil without TLS.
local function connect_host(host, port, options, made, tls)
  local addresses = resolve(host, port, options.family)
  local from = options.local_addr and
    resolve(options.local_addr[1], options.local_addr[2], options.family)
  local socket
  if options.happy_eyeballs_delay and #addresses > 1 then
    socket = connect_in_a_race(interleave(addresses), from, options.happy_eyeballs_delay,
      options.all_errors)
  else
    socket = connect_in_turn(addresses, from, options.all_errors)
  end
  return native.begin(socket, made, tls)
end

-- The kernel has no room for the connection in the server's queue, and cannot tell when it has.
local FIRST_DELAY, LAST_DELAY = 0.001, 0.1

local function connect_path(path, made, tls)
  local delay = FIRST_DELAY
  while true do
    local ok, socket = lucio.pcall(native.connect, path)
    if ok then return native.begin(socket, made, tls) end
    if not lucio.isinstance(socket, lucio.OSError) or socket.code ~= "EAGAIN" then
      error(socket, 0)
    end
    lucio.sleep(delay)
    delay = delay * 2 < LAST_DELAY and delay * 2 or LAST_DELAY
  end
end

-- What a timeout option adds.
local function within(timeout, fn, ...)
  if timeout == nil then return fn(...) end
  local first, second
  local args = table.pack(...)
  local ok, e = pcall(function()
    local _ <close> = lucio.timeout(timeout)
    first, second = fn(table.unpack(args, 1, args.n))
  end)
  if ok then return first, second end
  -- the time was over in the very tick in which the connection began
  if first then
    local connection = first.abort and first or second
    connection:abort()
  end
  error(e, 0)
end

-- What is said about TLS; nil without it.
local function tls_settings(what, options, host, is_server)
  if options.ssl then return lucio.ssl.settings(what, options, host, is_server) end
  local name = options.server_hostname ~= nil and "server_hostname" or
    options.session ~= nil and "session" or
    options.ssl_handshake_timeout ~= nil and "ssl_handshake_timeout" or
    options.ssl_shutdown_timeout ~= nil and "ssl_shutdown_timeout"
  if name then raise(lucio.ValueError, "%s is only meaningful with ssl", name) end
end

local OPEN_UNIX_OPTIONS = {
  limit = "integer", timeout = true, ssl = true, server_hostname = true, session = true,
  ssl_handshake_timeout = true, ssl_shutdown_timeout = true,
}

-- `first` is the position of the host in the function's arguments.
local function open(name, first, host, port, options, factory)
  options = check_options(name, first + 2, options, OPEN_OPTIONS)
  if type(host) ~= "string" then bad_argument(name, first, "host as string", host) end
  check_port(name, first + 1, port)
  return within(options.timeout, connect_host, host, port, options,
    factory or options.limit or LIMIT, tls_settings(name, options, host, false))
end

local function open_unix(name, first, path, options, factory)
  options = check_options(name, first + 1, options, OPEN_UNIX_OPTIONS)
  if type(path) ~= "string" then bad_argument(name, first, "path as string", path) end
  return within(options.timeout, connect_path, path, factory or options.limit or LIMIT,
    tls_settings(name, options, nil, false))
end

function M.open_connection(host, port, options)
  return open("open_connection", 1, host, port, options)
end

function M.open_unix_connection(path, options)
  return open_unix("open_unix_connection", 1, path, options)
end

-- ---- serving ----

local SERVER_OPTIONS = {
  backlog = true, reuse_address = true, reuse_port = true, limit = "integer", start_serving = true,
  family = true, ssl = true, ssl_handshake_timeout = true, ssl_shutdown_timeout = true,
  max_connections = true, drain_timeout = true,
}

-- What a server may be told about its connections.
local function check_server_options(name, position, options)
  for key, most in pairs(MOST) do
    local value = options[key]
    if value ~= nil and math_type(value) ~= "integer" then
      raise(lucio.TypeError, "bad argument #%d to '%s' (%s as integer expected, got %s)", position,
        name, key, type(value))
    end
    if value ~= nil and (value < 1 or value > most) then
      raise(lucio.ValueError, "bad argument #%d to '%s' (%s must be in 1..%d)", position, name, key,
        most)
    end
  end
  local timeout = options.drain_timeout
  if timeout ~= nil and type(timeout) ~= "number" then
    raise(lucio.TypeError, "bad argument #%d to '%s' (drain_timeout in seconds expected, got %s)",
      position, name, type(timeout))
  end
  if timeout ~= nil and (timeout < 0 or timeout ~= timeout) then
    raise(lucio.ValueError, "bad argument #%d to '%s' (drain_timeout must be 0 or more seconds)",
      position, name)
  end
end

local function check_callback(name, callback)
  local meta = type(callback) ~= "function" and debug and debug.getmetatable(callback)
  if type(callback) ~= "function" and not (meta and meta.__call) then
    bad_argument(name, 1, "function", callback)
  end
end

-- All addresses to listen on: of nil and "" every interface, of a list every item.
local function listen_addresses(hosts, port, family)
  if hosts == nil or hosts == "" then
    lucio.gather(function() end)
    local addresses = {{host = "0.0.0.0", port = port, family = "inet"}}
    if family ~= "inet" then addresses[2] = {host = "::", port = port, family = "inet6"} end
    return addresses, true
  end
  if type(hosts) == "string" then hosts = {hosts} end
  -- asyncio looks them up by a gather, whose tasks have names and take ticks
  local lookups = {}
  for i, host in ipairs(hosts) do
    lookups[i] = function() return resolve(host, port, family) end
  end
  local addresses, seen = {}, {}
  for _, found in ipairs(lucio.gather(lookups)) do
    for _, address in ipairs(found) do
      if not seen[tostring(address)] then
        seen[tostring(address)] = true
        addresses[#addresses + 1] = address
      end
    end
  end
  return addresses
end

-- Raises the error of a socket that could not be bound. A supervisor that ends gives no sockets any
-- more, and has told this worker to end: it hears of that while it waits.
local function fail_to_bind(e)
  if e.code == "ESHUTDOWN" then lucio.sleep(1) end
  error(e, 0)
end

local function listen_on(addresses, any, options)
  local listeners = {}
  for i, address in ipairs(addresses) do
    local ok, listener = pcall(native.listen, address.host, address.port,
      options.backlog or BACKLOG, options.reuse_address ~= false, options.reuse_port)
    -- a machine without IPv6 still has all its interfaces
    local missing = any and i > 1 and not ok and
      (listener.code == "EAFNOSUPPORT" or listener.code == "EADDRNOTAVAIL")
    if not ok and not missing then
      for _, opened in ipairs(listeners) do opened:close() end
      fail_to_bind(listener)
    end
    if ok then listeners[#listeners + 1] = listener end
  end
  if #listeners == 0 then error(lucio.OSError "could not bind on any address out of {}") end
  return listeners
end

-- A server that serves already has its first tick behind it.
local function serve(callback, listeners, options, limit, tls)
  local start = options.start_serving ~= false
  local server = native.serve(callback, listeners, limit or options.limit or LIMIT, start,
    options.max_connections, options.drain_timeout, tls)
  if not start then return server end
  local ok, e = pcall(lucio.sleep, 0)
  if ok then return server end
  -- cancelled: nobody has it
  server:close()
  server:abort_clients()
  error(e, 0)
end

-- A limit of 0 says that the callback makes protocols.
local function start_server(name, callback, hosts, port, options, limit)
  options = check_options(name, 4, options, SERVER_OPTIONS)
  check_server_options(name, 4, options)
  check_callback(name, callback)
  if hosts ~= nil and type(hosts) ~= "string" and type(hosts) ~= "table" then
    bad_argument(name, 2, "host, list of hosts or nil", hosts)
  end
  check_port(name, 3, port)
  local tls = tls_settings(name, options, nil, true)
  local addresses, any = listen_addresses(hosts, port, options.family)
  return serve(callback, listen_on(addresses, any, options), options, limit, tls)
end

function M.start_server(callback, hosts, port, options)
  return start_server("start_server", callback, hosts, port, options)
end

local UNIX_SERVER_OPTIONS = {
  backlog = true, limit = "integer", start_serving = true, cleanup_socket = true, ssl = true,
  ssl_handshake_timeout = true, ssl_shutdown_timeout = true, max_connections = true,
  drain_timeout = true,
}

local function start_unix_server(name, callback, path, options, limit)
  options = check_options(name, 3, options, UNIX_SERVER_OPTIONS)
  check_server_options(name, 3, options)
  check_callback(name, callback)
  if type(path) ~= "string" then bad_argument(name, 2, "path as string", path) end
  local tls = tls_settings(name, options, nil, true)
  local ok, listener = pcall(native.listen, path, nil, options.backlog or BACKLOG, false, false,
    options.cleanup_socket == false)
  if not ok then fail_to_bind(listener) end
  return serve(callback, {listener}, options, limit, tls)
end

function M.start_unix_server(callback, path, options)
  return start_unix_server("start_unix_server", callback, path, options)
end

-- ---- pipes ----

function M.connect_stdin(options)
  options = check_options("connect_stdin", 1, options, {limit = "integer"})
  local reader = native.open("connect_stdin", 1, 0, "r", options.limit or LIMIT, true)
  return reader
end

local function connect_output(name, fd, options)
  check_options(name, 1, options, {})
  local _, writer = native.open(name, 1, fd, "w", LIMIT, true)
  return writer
end

function M.connect_stdout(options)
  return connect_output("connect_stdout", 1, options)
end

function M.connect_stderr(options)
  return connect_output("connect_stderr", 2, options)
end

-- ---- protocols: methods of the loop ----

function M.create_connection(factory, host, port, options)
  check_callback("create_connection", factory)
  return open("create_connection", 2, host, port, options, factory)
end

function M.create_unix_connection(factory, path, options)
  check_callback("create_unix_connection", factory)
  return open_unix("create_unix_connection", 2, path, options, factory)
end

function M.create_server(factory, hosts, port, options)
  return start_server("create_server", factory, hosts, port, options, 0)
end

function M.create_unix_server(factory, path, options)
  return start_unix_server("create_unix_server", factory, path, options, 0)
end

function M.start_tls(transport, protocol, context, options)
  return lucio.ssl.upgrade(transport, protocol, context, options)
end

function M.connect_read_pipe(factory, fd)
  check_callback("connect_read_pipe", factory)
  return native.open("connect_read_pipe", 2, fd, "r", factory)
end

function M.connect_write_pipe(factory, fd)
  check_callback("connect_write_pipe", factory)
  return native.open("connect_write_pipe", 2, fd, "w", factory)
end

-- ---- datagrams ----

for name, fn in pairs(part("streams.datagram", native, {
  options = check_options, callback = check_callback, within = within,
  fail_to_bind = fail_to_bind,
})) do
  M[name] = fn
end

return M
