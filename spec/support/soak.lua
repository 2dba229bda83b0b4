--- Random traffic for a while: connects, requests, resets and cancels, on TCP and unix sockets,
-- over TLS and with protocols, while servers close and open again. At the end nothing may be left.
--
--     SOAK_SECONDS=60 SOAK_SEED=1 lucio spec/support/soak.lua
--
-- Without SOAK_SECONDS it takes 60 seconds, without SOAK_SEED another run each time. A build
-- without TLS leaves that out and says so. Prints TAP.
package.path = "./?.lua;" .. package.path

local descriptors = require "spec.support.descriptors"
local lucio = require "lucio"
local tap = require "spec.support.tap"
local tls = require "spec.support.tls"

local SECONDS = tonumber(os.getenv "SOAK_SECONDS") or 60
local SEED = math.tointeger(tonumber(os.getenv "SOAK_SEED")) or os.time()

local CLIENTS = 40 -- more than a server takes at a time
local MOST_CONNECTIONS = 30
local ATTEMPT = 5 -- seconds for a client, which may stand in the queue of a server that is full
local GRACE = 0.05 -- for the connections of a server that closes
local KILOBYTES = 512 -- by which Lua's memory may have grown
local LONG = 30 -- seconds in which everything happens that can

local TEXT = ("0123456789abcdef"):rep(4096)

local random = math.random

-- What happened, by name; faults are texts.
local function new_tally()
  return {done = {}, faults = {}, raised = 0, reported = 0}
end

local function count(tally, name)
  tally.done[name] = (tally.done[name] or 0) + 1
end

local function fault(tally, text)
  if #tally.faults < 20 then tally.faults[#tally.faults + 1] = text end
end

-- What the end of a connection is to who uses it.
local function is_broken(e)
  return lucio.isinstance(e, lucio.OSError) or lucio.isinstance(e, lucio.IncompleteReadError)
end

-- ---- the servers ----

-- Requests are lines: a word and a number. The word says what the server does with the connection.
local function new_handler(tally)
  local answers = {
    echo = function(n, reader, writer) writer:write(reader:readexactly(n)) end,
    send = function(n, _, writer)
      for _ = 1, n // 4096 do
        writer:write(TEXT:sub(1, 4096))
        writer:drain()
      end
      writer:write(TEXT:sub(1, n % 4096))
    end,
    take = function(n, reader, writer)
      while n > 0 do
        local data = reader:read(n)
        if data == "" then return end
        n = n - #data
      end
      writer:write("taken\n")
    end,
    slow = function(n, _, writer)
      lucio.sleep(n / 1e6)
      writer:write("slow\n")
    end,
    half = function(_, reader, writer)
      writer:write("half\n")
      if writer:can_write_eof() then writer:write_eof() else writer:close() end
      reader:read()
    end,
    close = function(_, _, writer) writer:close() end,
    abort = function(_, _, writer) writer:abort() end,
    cancel = function() lucio.current_task():cancel() end,
    raise = function()
      tally.raised = tally.raised + 1
      error(lucio.ValueError("asked for"))
    end,
  }
  local function serve(reader, writer)
    for line in reader:lines() do
      local name, n = line:match "^(%l+) (%d+)$"
      if not name then return fault(tally, "a server was asked for " .. line) end
      answers[name](math.tointeger(n), reader, writer)
      writer:drain()
    end
  end
  return function(reader, writer)
    local ok, e = lucio.pcall(serve, reader, writer)
    -- a connection that breaks ends its task and is no fault
    if not ok and not is_broken(e) then error(e, 0) end
  end
end

local Echo = {}
Echo.__index = Echo
function Echo:connection_made(transport) self.transport = transport end
function Echo:data_received(data)
  if random(200) == 1 then self.transport:abort() else self.transport:write(data) end
end
function Echo:pause_writing() self.transport:pause_reading() end
function Echo:resume_writing() self.transport:resume_reading() end

local function server_options(more)
  local options = {max_connections = MOST_CONNECTIONS, drain_timeout = GRACE}
  for key, value in pairs(more or {}) do options[key] = value end
  return options
end

-- Each kind: how it is served, at the port or path that it had before, and how it is reached.
local function new_kinds(tally)
  local handler = new_handler(tally)
  local path = os.tmpname()
  os.remove(path)

  local function port_of(kind) return kind.port or 0 end
  local kinds = {
    {name = "tcp",
      serve = function(kind)
        return lucio.start_server(handler, "127.0.0.1", port_of(kind), server_options())
      end,
      connect = function(kind) return lucio.open_connection("127.0.0.1", kind.port) end},
    {name = "unix",
      serve = function()
        return lucio.start_unix_server(handler, path, server_options {backlog = 5})
      end,
      connect = function() return lucio.open_unix_connection(path) end},
    {name = "protocol", only_echo = true,
      serve = function(kind)
        return lucio.get_running_loop():create_server(function() return setmetatable({}, Echo) end,
          "127.0.0.1", port_of(kind), server_options())
      end,
      connect = function(kind) return lucio.open_connection("127.0.0.1", kind.port) end},
  }
  if tls.missing then return kinds end
  local server_context, client_context = tls.server_context(), tls.client_context()
  kinds[#kinds + 1] = {name = "tls",
    serve = function(kind)
      return lucio.start_server(handler, "127.0.0.1", port_of(kind),
        server_options {ssl = server_context, ssl_shutdown_timeout = 1})
    end,
    connect = function(kind)
      return tls.connect(kind.port, {ssl = client_context, ssl_shutdown_timeout = 1})
    end}
  return kinds
end

local function open_server(kind)
  kind.server = kind:serve()
  local address = kind.server.sockets[1]:getsockname()
  kind.port = type(address) ~= "string" and address.port or nil
end

-- Closes a server now and then and opens another one in its place.
local function restart(kinds, tally)
  while true do
    lucio.sleep(0.2 + random())
    local kind = kinds[random(#kinds)]
    kind.server:drain(random(2) == 1 and GRACE or 0)
    open_server(kind)
    count(tally, "restart")
  end
end

-- ---- the clients ----

-- One question each: true if the answer was as it should be, nil if there was none.
local questions = {
  echo = function(reader, writer)
    local text = TEXT:sub(1, random(random(2) == 1 and 100 or #TEXT))
    writer:write(("echo %d\n"):format(#text))
    writer:write(text)
    return reader:readexactly(#text) == text
  end,
  send = function(reader, writer)
    local n = random(200000)
    writer:write(("send %d\n"):format(n))
    return #reader:readexactly(n) == n
  end,
  take = function(reader, writer)
    local n = random(100000)
    writer:write(("take %d\n"):format(n))
    while n > 0 do
      local part = math.min(n, random(20000))
      writer:write(TEXT:sub(1, part))
      writer:drain()
      n = n - part
    end
    return reader:readline() == "taken\n"
  end,
  slow = function(reader, writer)
    writer:write(("slow %d\n"):format(random(20000)))
    return reader:readline() == "slow\n"
  end,
  half = function(reader, writer)
    writer:write("half 1\n")
    return reader:read() == "half\n"
  end,
  flood = function(_, writer)
    -- much is asked for and nothing is read
    for _ = 1, 20 do writer:write("send 60000\n") end
    lucio.sleep(random() / 100)
    return true
  end,
  cut = function(_, writer)
    -- the connection ends in the middle of a request
    writer:write("echo 5000\n" .. TEXT:sub(1, random(4999)))
    return true
  end,
  close = function(reader, writer)
    writer:write("close 1\n")
    return reader:read() == ""
  end,
  abort = function(reader, writer)
    writer:write("abort 1\n")
    return reader:read() == ""
  end,
  cancel = function(reader, writer)
    writer:write("cancel 1\n")
    return reader:read() == ""
  end,
  raise = function(reader, writer)
    writer:write("raise 1\n")
    return reader:read() == ""
  end,
}

-- Those after which the connection is good for more.
local going_on = {"echo", "send", "take", "slow"}
local ending = {"half", "flood", "cut", "close", "abort", "cancel", "raise"}

local function talk_to_echo(reader, writer)
  for _ = 1, random(5) do
    local text = TEXT:sub(1, random(#TEXT))
    writer:write(text)
    if reader:readexactly(#text) ~= text then return false end
  end
  return true
end

local function talk(kind, tally, reader, writer)
  if kind.only_echo then
    if not talk_to_echo(reader, writer) then fault(tally, "an echo was another") end
    count(tally, "protocol")
    return
  end
  local names = {}
  for i = 1, random(0, 5) do names[i] = going_on[random(#going_on)] end
  if random(2) == 1 then names[#names + 1] = ending[random(#ending)] end
  for _, name in ipairs(names) do
    if not questions[name](reader, writer) then
      -- the server may have been closed in between; a wrong answer is another thing
      if not reader:at_eof() then fault(tally, name .. " had a wrong answer, " .. kind.name) end
      return
    end
    count(tally, name)
  end
end

local function attempt(kind, tally)
  local reader, writer = kind:connect()
  local how = random(4)
  local ok, e = pcall(talk, kind, tally, reader, writer)
  if how == 1 then
    writer:abort()
  else
    writer:close()
    if how > 2 then pcall(writer.wait_closed, writer) end
  end
  if not ok then error(e, 0) end
  count(tally, "end " .. how)
end

local function is_expected(e)
  return is_broken(e) or lucio.isinstance(e, lucio.TimeoutError) or
    lucio.isinstance(e, lucio.CancelledError)
end

-- One connection after the other; every third one is cancelled wherever it is.
local function client(kinds, tally, over)
  while not over() do
    local task = lucio.create_task(lucio.wait_for, function()
      attempt(kinds[random(#kinds)], tally)
    end, ATTEMPT)
    if random(3) == 1 then
      lucio.wait({task}, {timeout = random() * random() / 20})
      if task:cancel() then count(tally, "cancelled") end
    end
    lucio.wait {task}
    local e = task:cancelled() and lucio.CancelledError() or task:exception()
    if e then
      if not is_expected(e) then fault(tally, ("a client ended with %s: %s"):format(e.name, e)) end
      count(tally, e.name)
    end
  end
end

-- ---- a run ----

local function traffic(seconds, tally)
  local loop = lucio.get_running_loop()
  loop:set_exception_handler(function(_, context)
    if context.message == "Unhandled exception in client_connected_cb" and context.peername and
      context.exception.message == "asked for" then
      tally.reported = tally.reported + 1
    else
      fault(tally, ("reported: %s, %s"):format(context.message, context.exception))
    end
  end)
  local kinds = new_kinds(tally)
  for _, kind in ipairs(kinds) do open_server(kind) end
  local restarting = lucio.create_task(restart, kinds, tally)
  local deadline = loop:time() + seconds
  local clients = {}
  local function over() return loop:time() > deadline end
  for i = 1, CLIENTS do clients[i] = lucio.create_task(client, kinds, tally, over) end
  lucio.gather(clients)
  restarting:cancel()
  lucio.wait {restarting}
  if not restarting:cancelled() then
    fault(tally, "no more restarts: " .. tostring(restarting:exception()))
  end
  for _, kind in ipairs(kinds) do kind.server:drain(GRACE) end
end

-- What a process has outside of a loop; kilobytes of Lua's memory apart.
local function measure()
  for _ = 1, 3 do collectgarbage() end
  local stats = lucio.stats()
  return {
    descriptors = descriptors.count(), tasks = stats.tasks, timers = stats.timers,
    watchers = stats.watchers, anchors = stats.anchors, reports = stats.reports,
    loops = stats.loops,
  }, collectgarbage "count"
end

local function run_traffic(seconds)
  local tally = new_tally()
  lucio.run(traffic, seconds, tally)
  return tally
end

local function grown(before, after)
  local list = {}
  for key, value in pairs(before) do
    if after[key] > value then
      list[#list + 1] = ("%s grew from %d to %d"):format(key, value, after[key])
    end
  end
  table.sort(list)
  return list
end

local function missing(tally)
  local list = {}
  if SECONDS < LONG then return list end
  local names = {"protocol", "restart", "cancelled", "end 1", "end 2", "end 3", "end 4"}
  for name in pairs(questions) do names[#names + 1] = name end
  for _, name in ipairs(names) do
    if not tally.done[name] then list[#list + 1] = name .. " never happened" end
  end
  return list
end

local function main()
  math.randomseed(SEED)
  print(("# %g seconds, seed %d"):format(SECONDS, SEED))
  run_traffic(math.min(SECONDS / 5, 5)) -- what the first run sets up for good is no leak
  local before, memory = measure()
  local tally = run_traffic(SECONDS)
  local after, memory_after = measure()
  local names = {}
  for name, n in pairs(tally.done) do names[#names + 1] = name .. " " .. n end
  table.sort(names)
  print("# " .. table.concat(names, ", "))
  local writer = tap.new()
  writer.result("soak: every answer and every end is as it should be", tally.faults)
  writer.result("soak: everything that may happen did, if there was time", missing(tally))
  writer.result("soak: every error of a handler was reported, once",
    tally.reported ~= tally.raised and
      ("%d raised, %d reported"):format(tally.raised, tally.reported) or nil)
  writer.result("soak: nothing is left", grown(before, after))
  writer.result("soak: Lua's memory is as it was", memory_after > memory + KILOBYTES and
    ("%.0f KB before, %.0f after"):format(memory, memory_after) or nil)
  if tls.missing then writer.result "left out: TLS, which is not in this build" end
  writer.finish()
end

main()
