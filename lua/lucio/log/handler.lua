--- The filters and handlers of lucio.log.
local lucio, native, base, default_formatter = ...

local format = string.format
local bad_type, bad_value, check_level = base.bad_type, base.bad_value, base.check_level

local M = {}

-- ---- filters ----

local Filter = base.class "Filter"
M.Filter = Filter

--- Lets records of that logger pass, and of those below it.
function Filter:init(name)
  self.name = name == nil and "" or base.check_string(name, "Filter", 1)
end

function Filter:filter(record)
  base.check_self(self, "name", "filter", "Filter")
  base.check_record(record, "filter")
  local name, length = self.name, #self.name
  return length == 0 or record.name == name or record.name:sub(1, length + 1) == name .. "."
end

-- What loggers and handlers share.
local Filterer = base.class "Filterer"
M.Filterer = Filterer

function Filterer:addFilter(filter)
  base.check_self(self, "filters", "addFilter", "Logger or Handler")
  if type(filter) ~= "function" and (type(filter) ~= "table" or not filter.filter) then
    bad_type("addFilter", 1, "function or Filter", filter)
  end
  self:removeFilter(filter)
  self.filters[#self.filters + 1] = filter
end

function Filterer:removeFilter(filter)
  base.check_self(self, "filters", "removeFilter", "Logger or Handler")
  for i, other in ipairs(self.filters) do
    if other == filter then return table.remove(self.filters, i) and nil end
  end
end

function Filterer:filter(record)
  base.check_self(self, "filters", "filter", "Logger or Handler")
  for _, filter in ipairs(self.filters) do
    local passes
    if type(filter) == "function" then
      passes = filter(record)
    else
      passes = filter:filter(record)
    end
    if not passes then return false end
  end
  return true
end

-- ---- handlers ----

local Handler = base.class("Handler", Filterer)
M.Handler = Handler

local all_handlers = setmetatable({}, {__mode = "k"})

function Handler:init(level)
  self.level = level == nil and 0 or check_level(level, self.class_name, 1)
  self.filters = {}
  all_handlers[self] = true
end

local function check_handler(self, what) base.check_self(self, "filters", what, "Handler") end

function Handler:setLevel(level)
  check_handler(self, "setLevel")
  self.level = check_level(level, "setLevel", 1)
end

function Handler:setFormatter(formatter)
  check_handler(self, "setFormatter")
  if formatter ~= nil and (type(formatter) ~= "table" or not formatter.format) then
    bad_type("setFormatter", 1, "Formatter", formatter)
  end
  self.formatter = formatter
end

function Handler:format(record)
  check_handler(self, "format")
  return (self.formatter or default_formatter):format(record)
end

--- What a handler does with a record: a program's own handler has a function of its own here.
function Handler:emit() -- luacheck: ignore self
  error(lucio.RuntimeError("emit must be implemented by the handler"))
end

local stderr_output

-- Where there is no io library, in a sandbox: the embedding program's on_log.
local host_stream = {write = function(_, text) native.host_log(text) end}

local file_type = type(io) == "table" and io.type or function() end

local function default_stream()
  return type(io) == "table" and io.stderr or host_stream
end

local function quoted(value)
  if type(value) == "string" then return format("%q", value) end
  local ok, text = pcall(tostring, value)
  return ok and text or "<no text>"
end

local function print_error(record, e)
  local args = {}
  for i = 1, record.args and record.args.n or 0 do args[i] = quoted(record.args[i]) end
  local stream = default_stream()
  stderr_output = stream == host_stream and stream or stderr_output or native.open_stream(stream)
  stderr_output:write(format(
    "--- Logging error ---\n%s\nCalled at %s:%s in %s\nMessage: %s\nArguments: (%s)\n",
    native.error_text(e), record.pathname, record.lineno, record.funcName, quoted(record.msg),
    table.concat(args, ", ")))
end

--- Shows on stderr that a record could not be handled, unless log.raiseExceptions is false.
function M.show_error(record, e)
  if M.shows_errors() then pcall(print_error, record, e) end
end

--- Emits the record unless a filter keeps it. An error of theirs is shown, and goes no further.
function Handler:handle(record)
  check_handler(self, "handle")
  base.check_record(record, "handle")
  local ok, passes = true, true
  if #self.filters > 0 then ok, passes = lucio.pcall(self.filter, self, record) end
  if ok then
    if not passes then return false end
    ok, passes = lucio.pcall(self.emit, self, record)
  end
  if not ok then self:handleError(record, passes) end
  return true
end

--- What is done about an error of emit or of a filter.
function Handler:handleError(record, e) M.show_error(record, e) end -- luacheck: ignore self

function Handler:flush() end -- luacheck: ignore self

function Handler:close()
  check_handler(self, "close")
  all_handlers[self] = nil
end

-- What the text of a handler says beside its class.
function Handler:describe()
  check_handler(self, "describe")
  return self.name
end

function Handler.__tostring(self)
  check_handler(self, "__tostring")
  local what = self:describe()
  return format("<%s %s(%s)>", self.class_name, what and what .. " " or "",
    base.getLevelName(self.level))
end

local StreamHandler = base.class("StreamHandler", Handler)
M.StreamHandler = StreamHandler
StreamHandler.terminator = "\n"

--- Writes to a file of Lua's (default io.stderr), or to an object with a method `write`.
function StreamHandler:init(stream)
  Handler.init(self)
  self:setStream(stream == nil and default_stream() or stream)
end

function StreamHandler:setStream(stream)
  if file_type(stream) then
    self.output = native.open_stream(stream)
  elseif type(stream) == "table" and stream.write or type(stream) == "userdata" then
    self.output = stream
  else
    bad_type("StreamHandler", 1, "stream", stream)
  end
  self.stream = stream
end

function StreamHandler:emit(record)
  self.output:write(self:format(record) .. self.terminator)
end

--- Waits until all is written; holds up the loop meanwhile.
function StreamHandler:flush()
  if self.output.flush then self.output:flush() end
end

--- Waits until all is written; the stream itself stays open.
function StreamHandler:close()
  self:flush()
  if file_type(self.stream) then self.output:close() end
  Handler.close(self)
end

function StreamHandler:describe()
  return self.name or type(self.output) == "userdata" and self.output.name and self.output:name()
end

local FileHandler = base.class("FileHandler", StreamHandler)
M.FileHandler = FileHandler

--- Appends to a file; mode "w" empties it first, {delay = true} opens it with the first record.
function FileHandler:init(filename, mode, options)
  options = base.check_options(options, {delay = true}, "FileHandler", 3)
  if mode == nil then mode = "a" end
  if mode ~= "a" and mode ~= "w" then bad_value("FileHandler", 2, "'a' or 'w' expected") end
  Handler.init(self)
  self.mode = mode
  self.output = native.open_file(filename, mode == "w")
  self.baseFilename = self.output:name()
  if not options.delay then self.output:open() end
end

function FileHandler:emit(record)
  if self.closed and self.mode == "w" then return end
  StreamHandler.emit(self, record)
end

--- Goes on in a new file of that name, after the old one was moved away.
function FileHandler:reopen() self.output:reopen() end

--- Waits until all is written. In mode "a", the next record opens the file again.
function FileHandler:close()
  self:flush()
  self.output:close()
  self.closed = true
  Handler.close(self)
end

local FunctionHandler = base.class("FunctionHandler", Handler)
M.FunctionHandler = FunctionHandler

--- Calls fn(record, text).
function FunctionHandler:init(fn, level)
  if type(fn) ~= "function" then bad_type("FunctionHandler", 1, "function", fn) end
  Handler.init(self, level)
  self.fn = fn
end

function FunctionHandler:emit(record)
  local _ = record.taskName -- now: the function may keep the record
  self.fn(record, self:format(record))
end

local NullHandler = base.class("NullHandler", Handler)
M.NullHandler = NullHandler

function NullHandler:handle() end -- luacheck: ignore self
function NullHandler:emit() end -- luacheck: ignore self

--- Flushes and closes all handlers.
function M.shutdown()
  local list = {}
  for handler in pairs(all_handlers) do list[#list + 1] = handler end
  for _, handler in ipairs(list) do
    handler:flush()
    handler:close()
  end
end

return M
