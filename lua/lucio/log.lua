--- lucio.log: Python's logging, under its names.
-- This is the policy: what is logged, in what form, by which handling. An output that never makes
-- its writer wait is C (host/sink.c, bindings/log/log.c) and comes as `native`.
local lucio, native, part = ...

local base = part "log.base"
local formats = part("log.format", native, base)
local handling = part("log.handler", native, base, formats.default)

local format, unpack, pack = string.format, table.unpack, table.pack
-- in a sandbox there is no debug library
local traceback = type(debug) == "table" and debug.traceback or native.traceback
local bad_type, bad_value, check_level = base.bad_type, base.bad_value, base.check_level
local check_string = base.check_string
local LogRecord, FIELDS = formats.LogRecord, formats.fields
local Formatter = formats.Formatter
local StreamHandler, FileHandler = handling.StreamHandler, handling.FileHandler
local FunctionHandler = handling.FunctionHandler

local M = {
  BASIC_FORMAT = "%(levelname)s:%(name)s:%(message)s",
  raiseExceptions = true,
  getLevelName = base.getLevelName,
  addLevelName = base.addLevelName,
  getLevelNamesMapping = base.getLevelNamesMapping,
  LogRecord = LogRecord,
  makeLogRecord = formats.makeLogRecord,
  Formatter = Formatter,
  Filter = handling.Filter,
  Handler = handling.Handler,
  StreamHandler = StreamHandler,
  FileHandler = FileHandler,
  FunctionHandler = FunctionHandler,
  NullHandler = handling.NullHandler,
  shutdown = handling.shutdown,
}

for name, level in pairs(base.constants) do M[name] = level end

function handling.shows_errors() return M.raiseExceptions end

-- Where no logger on the way has a handler.
M.lastResort = StreamHandler()
M.lastResort:setLevel(M.WARNING)

-- ---- loggers ----

local Logger = base.class("Logger", handling.Filterer)
M.Logger = Logger

local root
local disabled_level = -math.huge

-- `threshold`, the lowest level that is logged, holds all that decides: of the logger and below it.
local function update(logger)
  local up = logger
  while up.level == 0 and up.parent do up = up.parent end
  logger.effective = up.level
  logger.threshold = math.max(up.level, disabled_level + 1)
  for _, child in pairs(logger.children) do update(child) end
end

function Logger:init(name, parent, level)
  check_string(name, "Logger", 1)
  if parent ~= nil and (type(parent) ~= "table" or not parent.children) then
    bad_type("Logger", 2, "Logger", parent)
  end
  self.name, self.parent = name, parent
  self.level = level == nil and 0 or check_level(level, "Logger", 3)
  self.handlers, self.filters, self.children = {}, {}, {}
  self.propagate, self.disabled = true, false
  update(self)
end

local function check_logger(self, what) base.check_self(self, "children", what, "Logger") end

function Logger:setLevel(level)
  check_logger(self, "setLevel")
  self.level = check_level(level, "setLevel", 1)
  update(self)
end

function Logger:getEffectiveLevel()
  check_logger(self, "getEffectiveLevel")
  return self.effective
end

function Logger:isEnabledFor(level)
  check_logger(self, "isEnabledFor")
  return not self.disabled and check_level(level, "isEnabledFor", 1) >= self.threshold
end

--- The logger of that name below this one.
function Logger:getChild(suffix)
  check_logger(self, "getChild")
  check_string(suffix, "getChild", 1)
  return M.getLogger(self == root and suffix or self.name .. "." .. suffix)
end

--- A list of the loggers right below this one, by name.
function Logger:getChildren()
  check_logger(self, "getChildren")
  local list = {}
  for _, child in pairs(self.children) do list[#list + 1] = child end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

--- Adds a handler; a function becomes a FunctionHandler, which is returned.
function Logger:addHandler(handler)
  check_logger(self, "addHandler")
  if type(handler) == "function" then handler = FunctionHandler(handler) end
  if type(handler) ~= "table" or not handler.handle then
    bad_type("addHandler", 1, "Handler", handler)
  end
  for _, other in ipairs(self.handlers) do
    if other == handler then return handler end
  end
  self.handlers[#self.handlers + 1] = handler
  return handler
end

function Logger:removeHandler(handler)
  check_logger(self, "removeHandler")
  for i, other in ipairs(self.handlers) do
    if other == handler or type(handler) == "function" and other.fn == handler then
      table.remove(self.handlers, i)
      return
    end
  end
end

function Logger:hasHandlers()
  check_logger(self, "hasHandlers")
  local logger = self
  while logger do
    if #logger.handlers > 0 then return true end
    logger = logger.propagate and logger.parent
  end
  return false
end

function Logger:callHandlers(record)
  check_logger(self, "callHandlers")
  base.check_record(record, "callHandlers")
  local logger, found = self, false
  while logger do
    local handlers = logger.handlers
    for i = 1, #handlers do
      local handler = handlers[i]
      found = true
      if handler and record.levelno >= handler.level then handler:handle(record) end
    end
    logger = logger.propagate and logger.parent
  end
  local last = M.lastResort
  if not found and last and record.levelno >= last.level then last:handle(record) end
end

--- Gives a record to the handlers of this logger and those above it.
function Logger:handle(record)
  check_logger(self, "handle")
  base.check_record(record, "handle")
  if self.disabled then return end
  if #self.filters > 0 then
    local ok, passes = lucio.pcall(self.filter, self, record)
    if not ok then handling.show_error(record, passes) end
    if not ok or not passes then return end
  end
  self:callHandlers(record)
end

function Logger.__tostring(self)
  return format("<%s %s (%s)>", self == root and "RootLogger" or "Logger", self.name,
    base.getLevelName(self.effective))
end

-- ---- a call ----

local NO_ARGS = {n = 0}
local CALL_OPTIONS = {exc_info = true, stack_info = true, stacklevel = true, extra = true, n = true}

-- Whether the arguments of a call stand in one table: {message, args..., exc_info = e}.
local function is_list(message)
  return type(message) == "table" and message[1] ~= nil and getmetatable(message) == nil
end

local function check_list(what, list)
  for key in pairs(list) do
    if math.type(key) ~= "integer" and not CALL_OPTIONS[key] then
      error(lucio.TypeError(format("bad argument #1 to '%s' (unknown option '%s')", what,
        tostring(key))))
    end
  end
  local level = list.stacklevel
  if level ~= nil and (math.type(level) ~= "integer" or level < 1 or level > 10000) then
    bad_value(what, 1, "stacklevel: integer in 1..10000 expected")
  end
  if list.extra ~= nil and type(list.extra) ~= "table" then
    bad_type(what, 1, "extra: table", list.extra)
  end
  local n = list.n
  if n ~= nil and (math.type(n) ~= "integer" or n < 1 or n > 1000) then
    bad_value(what, 1, "n: integer in 1..1000 expected")
  end
  return list[1], pack(unpack(list, 2, n or #list)), list
end

local function set_options(what, record, options, depth)
  local e = options.exc_info
  if type(e) ~= "boolean" then record.exc_info = e end
  if options.stack_info then record.stack_info = traceback(nil, depth + 1) end
  for key, value in pairs(options.extra or {}) do
    if FIELDS[key] then
      bad_value(what, 1, "extra: attempt to overwrite '" .. key .. "'")
    end
    record[key] = value
  end
end

-- The record of a call: that of the function which called the caller of this one.
local function emit(what, logger, level, message, ...)
  local args, options = NO_ARGS, nil
  if is_list(message) then
    message, args, options = check_list(what, message)
  elseif select("#", ...) > 0 then
    args = pack(...)
  end
  local depth = 2 + (options and options.stacklevel or 1)
  local pathname, lineno, name = native.caller(depth)
  local record = setmetatable({
    name = logger.name, levelno = level, msg = message, args = args, created = native.now(),
    pathname = pathname or "?", lineno = lineno or 0, funcName = name or "?",
    message = nil, asctime = nil, levelname = nil, filename = nil, -- room for what is made later
  }, LogRecord)
  if options then set_options(what, record, options, depth) end
  logger:handle(record)
end

-- How many arguments a format uses.
local function count_conversions(message)
  return select(2, message:gsub("%%%%", ""):gsub("%%[^%a]*%a", ""))
end

-- The call of `exception`: the error is the argument after those of the format, or the only one.
local function exception_call(message, ...)
  if is_list(message) then return message end
  local n = select("#", ...)
  if n == 0 and type(message) ~= "string" then
    return {message, exc_info = message}
  end
  local used = type(message) == "string" and count_conversions(message) or 0
  if n <= used then return message, ... end
  return {message, n = used + 1, exc_info = (select(used + 1, ...)), unpack({...}, 1, used)}
end

local function bad_self(what)
  error(lucio.TypeError(format("calling '%s' on bad self (Logger expected); is it called with ':'?",
    what)))
end

local LEVEL_METHODS = {
  debug = 10, info = 20, warning = 30, warn = 30, error = 40, critical = 50, fatal = 50,
}

for name, level in pairs(LEVEL_METHODS) do
  Logger[name] = function(self, message, ...)
    local threshold = type(self) == "table" and self.threshold or bad_self(name)
    if threshold <= level then emit(name, self, level, message, ...) end
  end

  M[name] = function(message, ...)
    if #root.handlers == 0 then M.basicConfig() end
    if root.threshold <= level then emit(name, root, level, message, ...) end
  end
end

function Logger:log(level, message, ...)
  level = check_level(level, "log", 1)
  local threshold = type(self) == "table" and self.threshold or bad_self "log"
  if threshold <= level then emit("log", self, level, message, ...) end
end

function M.log(level, message, ...)
  level = check_level(level, "log", 1)
  if #root.handlers == 0 then M.basicConfig() end
  if root.threshold <= level then emit("log", root, level, message, ...) end
end

function Logger:exception(message, ...)
  if (type(self) == "table" and self.threshold or bad_self "exception") <= 40 then
    emit("exception", self, 40, exception_call(message, ...))
  end
end

function M.exception(message, ...)
  if #root.handlers == 0 then M.basicConfig() end
  if root.threshold <= 40 then emit("exception", root, 40, exception_call(message, ...)) end
end

-- ---- the module ----

root = Logger("root", nil, M.WARNING)
M.root = root
local loggers = {}

--- The logger of that name, always the same one; the root logger without a name.
function M.getLogger(name)
  if name == nil or name == "" or name == "root" then return root end
  local logger = loggers[check_string(name, "getLogger", 1)]
  if not logger then
    local parent = M.getLogger(name:match("^(.*)%.[^.]*$"))
    logger = Logger(name, parent, 0)
    loggers[name], parent.children[name] = logger, logger
  end
  return logger
end

--- Nothing at that level or below is logged any more, by any logger; -1 undoes it.
function M.disable(level)
  disabled_level = level == nil and M.CRITICAL or check_level(level, "disable", 1)
  update(root)
end

local CONFIG_OPTIONS = {
  level = true, format = true, datefmt = true, filename = true, filemode = true, stream = true,
  handlers = true, force = true,
}

local function config_handlers(options)
  if options.handlers ~= nil then
    if options.stream ~= nil or options.filename ~= nil then
      bad_value("basicConfig", 1, "'stream' or 'filename' together with 'handlers'")
    end
    if type(options.handlers) ~= "table" then
      bad_type("basicConfig", 1, "handlers: list", options.handlers)
    end
    return options.handlers
  end
  if options.filename ~= nil then
    if options.stream ~= nil then
      bad_value("basicConfig", 1, "'stream' and 'filename' together")
    end
    return {FileHandler(options.filename, options.filemode)}
  end
  return {StreamHandler(options.stream)}
end

--- Gives the root logger a handler, a format and a level, unless it has handlers already.
function M.basicConfig(options)
  options = base.check_options(options, CONFIG_OPTIONS, "basicConfig", 1)
  if #root.handlers > 0 and not options.force then return end
  local level = options.level ~= nil and check_level(options.level, "basicConfig", 1)
  local formatter = Formatter(options.format or M.BASIC_FORMAT, options.datefmt)
  local list = config_handlers(options)
  for _, handler in ipairs {unpack(root.handlers)} do
    root:removeHandler(handler)
    handler:close()
  end
  for _, handler in ipairs(list) do
    handler = root:addHandler(handler)
    if not handler.formatter then handler:setFormatter(formatter) end
  end
  if level then root:setLevel(level) end
end

return M
