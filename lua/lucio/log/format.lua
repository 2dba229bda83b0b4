--- The records and formatters of lucio.log.
local lucio, native, base = ...

local format, unpack = string.format, table.unpack
local floor = math.floor
local bad_type, bad_value, check_string = base.bad_type, base.bad_value, base.check_string
local check_self, check_record = base.check_self, base.check_record

local M = {}

local START = native.now()

-- ---- records ----

local LogRecord = base.class "LogRecord"
M.LogRecord = LogRecord

-- path -> its last part; a program has few that log
local filenames = setmetatable({}, {__index = function(names, path)
  names[path] = path:match("[^/]*$")
  return names[path]
end})

-- Fields that are made when they are first read.
local LAZY = {
  levelname = function(record) return base.getLevelName(record.levelno) end,
  filename = function(record) return filenames[record.pathname] end,
  module = function(record) return (record.filename:gsub("%.[^.]*$", "")) end,
  msecs = function(record) return floor(record.created % 1 * 1000) end,
  relativeCreated = function(record) return (record.created - START) * 1000 end,
  process = native.process,
  taskName = native.task_name,
  processName = function() return "MainProcess" end,
  threadName = function() return "MainThread" end,
}

-- Fields that a formatter may name; those that a record need not have are nil then.
local FIELDS = {
  name = true, msg = true, levelno = true, pathname = true, lineno = true, funcName = true,
  created = true, message = true, asctime = true, exc_info = true, exc_text = true,
  stack_info = true, args = true,
}
for key in pairs(LAZY) do FIELDS[key] = true end

function LogRecord.__index(record, key)
  local make = LAZY[key]
  if not make then return LogRecord[key] end
  local value = make(record)
  record[key] = value
  return value
end

function LogRecord:init(fields)
  for key, value in pairs(fields) do self[key] = value end
end

--- The message with its arguments in it.
function LogRecord:getMessage()
  local msg, args = self.msg, self.args
  if type(msg) ~= "string" then msg = tostring(msg) end
  if args == nil or args.n == 0 then return msg end
  return format(msg, unpack(args, 1, args.n))
end

function LogRecord.__tostring(record)
  return format('<LogRecord: %s, %s, %s, %s, "%s">', record.name, record.levelno, record.pathname,
    record.lineno, record.msg)
end

--- A record of a table of fields: one that came from elsewhere.
function M.makeLogRecord(fields)
  if type(fields) ~= "table" then bad_type("makeLogRecord", 1, "table", fields) end
  local record = LogRecord {
    name = "root", levelno = 0, msg = "", args = {n = 0}, created = native.now(), pathname = "",
    lineno = 0, funcName = "?",
  }
  record:init(fields)
  return record
end

-- ---- formatters ----

local Formatter = base.class "Formatter"
M.Formatter = Formatter

-- Which of Lua's conversions stands for one of Python's.
local CONVERSIONS = {
  s = "s", r = "s", a = "s", d = "d", i = "d", u = "d", x = "x", X = "X", o = "o",
  e = "e", E = "E", f = "f", F = "f", g = "g", G = "G",
}
local INTEGER = {d = true, x = true, X = true, o = true}

-- Turns "%(name)s" forms into a template for string.format and the list of its fields.
local function compile(fmt, what)
  local template, fields, at = {}, {}, 1
  local function invalid() bad_value(what, 1, format("invalid format '%s'", fmt)) end

  while true do
    local from = fmt:find("%", at, true)
    template[#template + 1] = fmt:sub(at, (from or 0) - 1)
    if not from then break end
    local key, flags, letter, after = fmt:match("^%%%(([^)]*)%)([-+ #0-9.]*)(%a)()", from)
    if key then
      local conversion = CONVERSIONS[letter] or invalid()
      local spec = "%" .. flags .. conversion
      if not pcall(format, spec, conversion == "s" and "" or 0) then invalid() end
      template[#template + 1] = spec
      fields[#fields + 1] = {key = key, integer = INTEGER[conversion]}
    elseif fmt:sub(from + 1, from + 1) == "%" then
      template[#template + 1], after = "%%", from + 2
    else
      invalid()
    end
    at = after
  end
  if #fields == 0 then invalid() end
  return table.concat(template), fields
end

function Formatter:init(fmt, datefmt, options)
  options = base.check_options(options, {defaults = true}, "Formatter", 3)
  if fmt == nil then fmt = "%(message)s" end
  check_string(fmt, "Formatter", 1)
  if datefmt ~= nil then
    check_string(datefmt, "Formatter", 2)
    if not pcall(native.date, datefmt, 0) then
      bad_value("Formatter", 2, format("invalid date format '%s'", datefmt))
    end
  end
  self.template, self.fields = compile(fmt, "Formatter")
  self.fmt, self.datefmt, self.defaults = fmt, datefmt, options.defaults or {}
  self.uses_time = fmt:find("%(asctime)", 1, true) ~= nil
end

function Formatter:usesTime()
  check_self(self, "template", "usesTime", "Formatter")
  return self.uses_time
end

--- The time of a record, to the second by `datefmt` (as os.date), else with milliseconds.
function Formatter:formatTime(record, datefmt)
  check_record(record, "formatTime")
  local second = floor(record.created)
  if self.second ~= second or self.second_format ~= datefmt then
    self.second, self.second_format = second, datefmt
    self.second_text = native.date(datefmt or "%Y-%m-%d %H:%M:%S", second)
  end
  if datefmt then return self.second_text end
  return format("%s,%03d", self.second_text, record.msecs)
end

--- The text of an error, with its traceback.
function Formatter:formatException(e) -- luacheck: ignore self
  return native.error_text(e)
end

function Formatter:formatStack(text) return text end -- luacheck: ignore self

--- The record's line; `record.message` is there by now.
function Formatter:formatMessage(record)
  check_self(self, "template", "formatMessage", "Formatter")
  check_record(record, "formatMessage")
  local values, fields = {}, self.fields
  for i = 1, #fields do
    local field = fields[i]
    local key = field.key
    local value = record[key]
    if value == nil then
      value = self.defaults[key]
      if value == nil and not FIELDS[key] then
        error(lucio.ValueError(format("Formatting field not found in record: '%s'", key)))
      end
    end
    if field.integer and math.type(value) == "float" then value = floor(value) end
    values[i] = value
  end
  return format(self.template, unpack(values, 1, #fields))
end

--- All of what a record becomes: its line, then the error, then the stack.
function Formatter:format(record)
  check_self(self, "template", "format", "Formatter")
  check_record(record, "format")
  record.message = record:getMessage()
  if self.uses_time then record.asctime = self:formatTime(record, self.datefmt) end
  local text = self:formatMessage(record)
  local e, stack = rawget(record, "exc_info"), rawget(record, "stack_info")
  if e ~= nil and not rawget(record, "exc_text") then record.exc_text = self:formatException(e) end
  if rawget(record, "exc_text") then text = text .. "\n" .. record.exc_text end
  if stack then text = text .. "\n" .. self:formatStack(stack) end
  return text
end

function Formatter.__tostring(self) return format("<Formatter '%s'>", self.fmt) end

M.fields, M.default = FIELDS, Formatter()

return M
