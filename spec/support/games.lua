-- Calls random methods of every userdata of lucio's with random selves and arguments: a script
-- may do so. Started by spec/cli/games_spec.lua as a process of its own, since a method may end it:
--   lucio spec/support/games.lua DIRECTORY SEED CALLS
local lucio = require "lucio"
local directory, seed, calls = arg[1], tonumber(arg[2]), tonumber(arg[3])
math.randomseed(seed)

-- What would end the game, or reach beyond this machine.
local LEFT_OUT = {
  getaddrinfo = true, getnameinfo = true, create_connection = true, create_datagram_endpoint = true,
  create_server = true, sock_connect = true, sock_sendto = true, run_forever = true, stop = true,
  subprocess_exec = true, subprocess_shell = true, connect = true,
}

local objects, methods, names = {}, {}, {}

local function add(...)
  for i = 1, select("#", ...) do
    objects[#objects + 1] = (select(i, ...))
  end
end

local function optional(make)
  local made = table.pack(pcall(make))
  if made[1] then add(table.unpack(made, 2, made.n)) end
end

local function make_plain()
  local loop = lucio.get_running_loop()
  local future, task = lucio.Future(), lucio.create_task(lucio.sleep, 0.001)
  local context = lucio.copy_context()
  local var = lucio.ContextVar("v", 1)
  add(loop, future, task, context, var, var:set(2), lucio.async(lucio.sleep)(0),
    lucio.generator(function() coroutine.yield(1) end)(), lucio.timeout(9), lucio.TaskGroup(),
    lucio.Queue(1), lucio.LifoQueue(), lucio.PriorityQueue(), lucio.Lock(), lucio.Event(),
    lucio.Semaphore(1), lucio.BoundedSemaphore(2), lucio.Condition(), lucio.Barrier(2),
    lucio.Runner(), loop:call_later(9, print), loop:call_soon(function() end),
    lucio.StreamReader(), lucio.shield(future), lucio.new_event_loop())
  future:add_done_callback(function() end)
  add(lucio.as_completed({future}))
end

local function make_io()
  local shared = lucio.shared
  optional(function()
    local server = lucio.start_server(function(_, writer) writer:close() end, "127.0.0.1", 0)
    local port = server.sockets[1]:getsockname().port
    return server, server.sockets[1], lucio.open_connection("127.0.0.1", port)
  end)
  optional(function()
    local reader, writer = lucio.testing.stream_pair()
    return reader, writer, writer.transport
  end)
  optional(function() return lucio.ssl.create_default_context() end)
  optional(function() return lucio.ssl.SSLContext(lucio.ssl.PROTOCOL_TLS_SERVER) end)
  optional(function() return lucio.fs.open(directory .. "/file", "w+") end)
  optional(function() return lucio.fs.watch(directory) end)
  optional(function()
    local process = lucio.create_subprocess_exec("cat",
      {stdin = lucio.subprocess.PIPE, stdout = lucio.subprocess.PIPE})
    return process, process.stdin, process.stdout
  end)
  optional(function() return lucio.open_datagram("127.0.0.1", 0) end)
  optional(function() return lucio.ThreadPoolExecutor(1) end)
  for _, make in ipairs {
    function() return shared.Value("i", 1) end, function() return shared.Array("d", 4) end,
    function() return shared.Lock(), shared.RLock() end, function() return shared.bytes("text") end,
    function() return shared.Semaphore(1) end, function() return shared.Queue(2) end,
    function() return lucio.log.getLogger("games") end,
  } do
    optional(make)
  end
end

-- All methods there are, by the metatables in the registry, metamethods included.
local function find_methods()
  local function take(name, method)
    if type(method) == "function" and not LEFT_OUT[name] then
      methods[#methods + 1] = method
      names[method] = tostring(name)
    end
  end
  local seen = {}
  local function look(metatable)
    if type(metatable) ~= "table" or seen[metatable] then return end
    seen[metatable] = true
    for name, value in next, metatable do
      take(name, value)
      if name == "__index" and type(value) == "table" then
        for inner, method in next, value do take(inner, method) end
      end
    end
  end
  for _, value in next, debug.getregistry() do
    if type(value) == "table" and type(rawget(value, "__name")) == "string"
      and value.__name:find("^lucio") then
      look(value)
    end
  end
  for _, object in ipairs(objects) do look(debug.getmetatable(object)) end
  table.sort(methods, function(a, b) return names[a] < names[b] end)
end

local PLAIN = {
  0, 1, -1, 3, 2.5, math.huge, 0 / 0, math.maxinteger, math.mininteger, "", "x", "r",
  ("y"):rep(5000), true, false, {}, {1, 2}, {n = 1 << 60}, print, function() end, error,
  coroutine.create(print),
  io.stderr, setmetatable({}, {__index = error, __len = error, __gc = function() error("gc") end}),
}

local function any_value()
  local kind = math.random(4)
  if kind == 1 then return nil end
  if kind == 2 then return objects[math.random(#objects)] end
  return PLAIN[math.random(#PLAIN)]
end

local function game(method)
  local n = math.random(0, 3)
  local values = {objects[math.random(#objects)]}
  if math.random(8) == 1 then values[1] = any_value() end
  for i = 2, n + 1 do values[i] = any_value() end
  local result = method(table.unpack(values, 1, n + 1))
  if type(result) == "userdata" and #objects < 400 and io.type(result) == nil then add(result) end
end

make_plain()
make_io()
find_methods()
assert(#methods > 250 and #objects > 40)
for i = 1, calls do
  local method = methods[math.random(#methods)]
  if os.getenv("GAMES") then io.stderr:write(i, " ", names[method], "\n") end
  local task = lucio.create_task(function() pcall(game, method) end)
  -- a cancel may be swallowed by what waits: it is left then
  pcall(lucio.wait, {task}, {timeout = i % 20 == 0 and 0.002 or 0})
  if not task:done() then task:cancel() end
  if i % 50 == 0 then
    collectgarbage()
    pcall(lucio.sleep, 0.001)
  end
end
objects = nil
collectgarbage()
os.exit(0, false)
