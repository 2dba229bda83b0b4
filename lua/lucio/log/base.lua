--- What the parts of lucio.log share: argument checks, classes, levels.
local lucio = ...

local format, tointeger = string.format, math.tointeger

local M = {}

local function type_name(value)
  local mt = getmetatable(value)
  local name = type(mt) == "table" and rawget(mt, "__name")
  return type(name) == "string" and name or type(value)
end

function M.bad_type(what, position, expected, value)
  error(lucio.TypeError(format("bad argument #%d to '%s' (%s expected, got %s)", position, what,
    expected, type_name(value))))
end

function M.bad_value(what, position, reason)
  error(lucio.ValueError(format("bad argument #%d to '%s' (%s)", position, what, reason)))
end

function M.check_string(value, what, position)
  if type(value) ~= "string" then M.bad_type(what, position, "string", value) end
  return value
end

-- A record: what has the method `getMessage`.
function M.check_record(record, what)
  if type(record) ~= "table" or not record.getMessage then
    M.bad_type(what, 1, "LogRecord", record)
  end
  return record
end

-- The object of a method; `field` is what all objects of the class have.
function M.check_self(self, field, what, class)
  if type(self) ~= "table" or not rawget(self, field) then
    error(lucio.TypeError(format("calling '%s' on bad self (%s expected, got %s)", what, class,
      type_name(self))))
  end
end

-- The options of the table, whose fields are named in the set `known`.
function M.check_options(options, known, what, position)
  if options == nil then return {} end
  if type(options) ~= "table" then M.bad_type(what, position, "table of options", options) end
  for key in pairs(options) do
    if not known[key] then
      error(lucio.TypeError(format("bad argument #%d to '%s' (unknown option '%s')", position, what,
        tostring(key))))
    end
  end
  return options
end

-- A class: called, it makes an object and gives it the arguments by `init`.
function M.class(name, parent)
  local c = {__name = "lucio.log." .. name, class_name = name}
  c.__index = c
  c.__tostring = parent and parent.__tostring
  return setmetatable(c, {
    __index = parent,
    __call = function(_, ...)
      local object = setmetatable({}, c)
      c.init(object, ...)
      return object
    end,
  })
end

-- ---- levels ----

M.constants = {
  CRITICAL = 50, FATAL = 50, ERROR = 40, WARNING = 30, WARN = 30, INFO = 20, DEBUG = 10, NOTSET = 0,
}

local level_names = {
  [50] = "CRITICAL", [40] = "ERROR", [30] = "WARNING",
  [20] = "INFO", [10] = "DEBUG", [0] = "NOTSET",
}
local levels = {}
for name, level in pairs(M.constants) do levels[name] = level end

function M.check_level(level, what, position)
  if type(level) == "string" then
    return levels[level] or M.bad_value(what, position, "unknown level '" .. level .. "'")
  end
  return math.type(level) and tointeger(level) or M.bad_type(what, position, "level", level)
end

--- The name of a level, "Level 35" of one without a name; the level of a name.
function M.getLevelName(level)
  return level_names[level] or levels[level] or "Level " .. tostring(level)
end

--- Gives a level a name of the program's own.
function M.addLevelName(level, name)
  if math.type(level) ~= "integer" then M.bad_type("addLevelName", 1, "integer", level) end
  M.check_string(name, "addLevelName", 2)
  level_names[level], levels[name] = name, level
end

--- A new table: name of a level -> level.
function M.getLevelNamesMapping()
  local mapping = {}
  for name, level in pairs(levels) do mapping[name] = level end
  return mapping
end

return M
