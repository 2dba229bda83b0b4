--- lucio.testing: for specs: a clock that needs no time, streams without a network, Busted.
-- A case of Busted is lua/lucio/testing/case.lua, its place in Busted lua/lucio/testing/hooks.lua.
local lucio, native, part = ...

local cases = part("testing.case", native)
local hooks = part("testing.hooks", cases)

local M = {}

local LIMIT = 65536
local HELPER_LOADER = "busted[/\\]modules[/\\]helper_loader%.lua$"

-- the program may give the globals other values
local error, ipairs, pairs, pcall, rawequal, rawget, tonumber, tostring, type =
  error, ipairs, pairs, pcall, rawequal, rawget, tonumber, tostring, type
local math_type, setmetatable = math.type, setmetatable
local getinfo = debug and debug.getinfo
local loaded = package.loaded

local bad_argument = part("common.options").bad_argument

local function bad_value(name, position, problem)
  error(lucio.ValueError(("bad argument #%d to '%s' (%s)"):format(position, name, problem)))
end

local function check_count(name, value, least)
  if math_type(value) ~= "integer" then bad_argument(name, 1, "integer", value) end
  if value < least then bad_value(name, 1, ("must be %d or more"):format(least)) end
end

local function check_seconds(name, position, value)
  if type(value) ~= "number" then bad_argument(name, position, "number of seconds", value) end
  if value <= 0 or value ~= value then bad_value(name, position, "seconds must be above 0") end
end

-- ---- what the other tasks do ----

--- Lets n iterations of the loop pass. Waits.
function M.ticks(n)
  if n == nil then n = 1 end
  check_count("ticks", n, 0)
  for _ = 1, n do lucio.sleep(0) end
end

-- How many tasks are in wait_all_blocked, by loop.
local watching = setmetatable({}, {__mode = "k"})

--- Returns when nothing but this can run: every other task of the loop waits for something that
-- no queued step or callback brings. Waits.
function M.wait_all_blocked()
  local loop = lucio.get_running_loop()
  watching[loop] = (watching[loop] or 0) + 1
  local _ <close> = setmetatable({}, {__close = function()
    watching[loop] = watching[loop] - 1
  end})
  repeat
    lucio.sleep(0)
  until native.queued() < watching[loop]
end

-- ---- time ----

--- From now on time jumps to the next deadline as soon as nothing can run. In a case of Busted
-- until its end.
function M.virtual_clock()
  lucio.get_running_loop()
  native.set_virtual(true)
  cases.restart_limit()
end

--- How long this case of Busted, or this hook, may take from now on.
function M.set_timeout(seconds)
  check_seconds("set_timeout", 1, seconds)
  if not cases.set_limit(seconds) then
    error(lucio.RuntimeError("set_timeout: no case of Busted is running"))
  end
end

--- What this case leaves behind is no failure.
function M.ignore_leaks()
  local case = cases.current()
  if not case then error(lucio.RuntimeError("ignore_leaks: no case of Busted is running")) end
  case:ignore_leaks()
end

-- ---- errors ----

local function fail(text)
  local busted = loaded.busted
  if type(busted) == "table" and busted.fail then busted.fail(text, 3) end
  error(text, 3)
end

local function matches(e, what)
  if rawequal(e, what) then return true end
  if type(what) == "string" then return tostring(e):find(what, 1, true) ~= nil end
  local ok, yes = pcall(lucio.isinstance, e, what)
  return ok and yes
end

--- Calls fn(...), which has to raise: an error of that class, one with that text in its message, or
-- that very value. Returns the error.
function M.assert_raises(what, fn, ...)
  if what == nil then bad_argument("assert_raises", 1, "error class, text or value", what) end
  if type(fn) ~= "function" then bad_argument("assert_raises", 2, "function", fn) end
  local ok, e = pcall(fn, ...)
  if not ok and matches(e, what) then return e end
  local wanted = type(what) == "table" and rawget(what, "name") or cases.quote(what)
  if ok then
    fail(("expected %s to be raised, but the call returned"):format(wanted))
  end
  fail(("expected %s to be raised, got %s"):format(wanted, cases.describe_error(e)))
end

-- ---- streams ----

local End = {}
End.__index = End
End.__name = "StreamEnd"

--- Closes both directions. Waits.
function End:close()
  self.writer:close()
  self.writer:wait_closed()
end

--- Ends it at once, as a lost connection.
function End:abort() self.writer:abort() end

function End:__close()
  if not self.writer:is_closing() then self.writer:close() end
  lucio.pcall(self.writer.wait_closed, self.writer)
end

function End:__tostring()
  return self.writer:is_closing() and "<StreamEnd closing>" or "<StreamEnd open>"
end

--- Two ends that are connected to each other; each has a reader and a writer. Waits.
function M.stream_pair(options)
  if options ~= nil and type(options) ~= "table" then
    bad_argument("stream_pair", 1, "table of options", options)
  end
  local limit = LIMIT
  for key, value in pairs(options or {}) do
    if key ~= "limit" then
      error(lucio.TypeError(("bad argument #1 to 'stream_pair' (unknown option '%s')"):format(
        tostring(key))))
    end
    check_count("stream_pair", value, 1)
    limit = value
  end
  local ends = {native.pair()}
  for i = 1, 2 do
    local reader, writer = native.begin(ends[i], limit)
    ends[i] = setmetatable({reader = reader, writer = writer}, End)
  end
  return ends[1], ends[2]
end

-- ---- Busted ----

local OPTIONS = {timeout = true, virtual_timeout = true, clock = true, leaks = true}

--- Makes every case of Busted, with its hooks, run in a loop of its own. For a helper script.
function M.busted(options)
  if options ~= nil and type(options) ~= "table" then
    bad_argument("busted", 1, "table of options", options)
  end
  options = options or {}
  for key in pairs(options) do
    if not OPTIONS[key] then
      error(lucio.TypeError(("bad argument #1 to 'busted' (unknown option '%s')"):format(
        tostring(key))))
    end
  end
  for _, key in ipairs {"timeout", "virtual_timeout"} do
    if options[key] ~= nil then check_seconds("busted", 1, options[key]) end
  end
  if options.clock ~= nil and options.clock ~= "virtual" and options.clock ~= "real" then
    bad_value("busted", 1, "clock: 'virtual' or 'real' expected")
  end
  cases.configure(options)
  local busted = loaded.busted
  if type(busted) ~= "table" or not busted.subscribe then
    error(lucio.RuntimeError("busted: Busted is not running"))
  end
  hooks.install(busted)
end

-- What `-Xhelper` gives: timeout=5 clock=virtual leaks=false.
local function options_of(list)
  local options = {}
  for _, text in ipairs(type(list) == "table" and list or {}) do
    local key, value = tostring(text):match("^([%w_]+)=(.*)$")
    if not key then bad_value("busted", 1, "'" .. tostring(text) .. "' is no NAME=VALUE") end
    if value == "true" or value == "false" then value = value == "true" end
    options[key] = key:find("timeout$") and tonumber(value) or value
  end
  return options
end

-- Whether it is `busted --helper=lucio.testing` that requires this module.
local function is_helper()
  if not (getinfo and loaded.busted) then return false end
  local level = 3
  local info = getinfo(level, "S")
  while info and info.what == "C" do
    level = level + 1
    info = getinfo(level, "S")
  end
  return info ~= nil and info.source:find(HELPER_LOADER) ~= nil
end

if is_helper() then
  local ok, e = pcall(function() M.busted(options_of(arg)) end)
  if not ok then error(tostring(e), 0) end -- Busted wants a text
end

return M
