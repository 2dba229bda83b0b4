--- Datagrams: which addresses a socket is bound and connected to. A part of lucio.streams.
-- The sockets themselves are bindings/stream.
local lucio, native, check = ...

local M = {}

-- the program may give the globals other values
local error, ipairs, pcall, type = error, ipairs, pcall, type

local OPTIONS = {
  local_addr = true, remote_addr = true, family = true, reuse_port = true, allow_broadcast = true,
  timeout = true,
}

local FAMILIES = {inet = true, inet6 = true, unix = true}

local function raise(class, text, ...)
  error(class(text:format(...)))
end

-- A path of a unix socket, or {host, port}.
local function check_address(name, key, address)
  if address == nil or type(address) == "string" then return address end
  local host, port
  if type(address) == "table" then
    host, port = address[1] or address.host, address[2] or address.port
  end
  if type(host) ~= "string" or type(port) ~= "number" and type(port) ~= "string" then
    raise(lucio.TypeError, "bad argument to '%s' (%s as {host, port} or a path expected)", name,
      key)
  end
  return {host, port}
end

-- The first numeric address of each family.
local function resolve(address, family)
  local rows = lucio.get_running_loop():getaddrinfo(address[1], address[2],
    {family = family, type = "dgram"})
  local by_family, order = {}, {}
  for _, row in ipairs(rows) do
    local own = row.address.family
    if not by_family[own] then order[#order + 1] = own end
    by_family[own] = by_family[own] or row.address
  end
  return by_family, order
end

-- What can be tried, one for each family that has all the addresses.
local function candidates(options, from, to)
  local family = options.family
  if not (from or to) then
    if family == nil then raise(lucio.ValueError, "unexpected address family") end
    return {{family = family}}
  end
  if type(from) == "string" or type(to) == "string" or family == "unix" then
    if type(from) == "table" or type(to) == "table" or family ~= nil and family ~= "unix" then
      raise(lucio.TypeError, "a path is an address of the family unix, and none of another one")
    end
    return {{family = "unix", from = from, to = to}}
  end
  local list, own, order = {}, {}, nil
  if from then own, order = resolve(from, family) end
  local theirs = {}
  if to then
    local their_order
    theirs, their_order = resolve(to, family)
    order = order or their_order
  end
  for _, each in ipairs(order) do
    if (own[each] or not from) and (theirs[each] or not to) then
      list[#list + 1] = {family = each, from = own[each], to = theirs[each]}
    end
  end
  if #list == 0 then raise(lucio.ValueError, "can not get address information") end
  return list
end

local function open(options, from, to, factory)
  local first
  for _, each in ipairs(candidates(options, from, to)) do
    local ok, made, protocol = pcall(native.datagram, factory, each.family, options.reuse_port,
      options.allow_broadcast, each.from, each.to)
    if ok then return made, protocol end
    -- the next one may do better where the system refused, nowhere else
    if not lucio.isinstance(made, lucio.OSError) then error(made, 0) end
    first = first or made
  end
  check.fail_to_bind(first)
end

local function open_datagram(name, position, options, factory)
  options = check.options(name, position, options, OPTIONS)
  if options.family ~= nil and not FAMILIES[options.family] then
    raise(lucio.ValueError, "%s: family: 'inet', 'inet6' or 'unix' expected", name)
  end
  local from = check_address(name, "local_addr", options.local_addr)
  local to = check_address(name, "remote_addr", options.remote_addr)
  return check.within(options.timeout, open, options, from, to, factory)
end

function M.open_datagram(options)
  return (open_datagram("open_datagram", 1, options))
end

function M.create_datagram_endpoint(factory, options)
  check.callback("create_datagram_endpoint", factory)
  return open_datagram("create_datagram_endpoint", 2, options, factory)
end

return M
