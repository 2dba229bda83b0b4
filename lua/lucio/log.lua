--- lucio.log: Python's logging, under its names.
local lucio = ...

local M = {}

M.CRITICAL, M.FATAL, M.ERROR, M.WARNING, M.WARN, M.INFO, M.DEBUG, M.NOTSET =
  50, 50, 40, 30, 30, 20, 10, 0

local names = {
  [50] = "CRITICAL", [40] = "ERROR", [30] = "WARNING",
  [20] = "INFO", [10] = "DEBUG", [0] = "NOTSET",
}
local levels = {
  CRITICAL = 50, FATAL = 50, ERROR = 40, WARNING = 30, WARN = 30, INFO = 20, DEBUG = 10, NOTSET = 0,
}

--- The name of a level, "Level 35" of one without a name; the level of a name.
function M.getLevelName(level)
  return names[level] or levels[level] or "Level " .. tostring(level)
end

--- Gives a level a name of the program's own.
function M.addLevelName(level, name)
  if math.type(level) ~= "integer" then
    error(lucio.TypeError(("bad argument #1 to 'addLevelName' (integer expected, got %s)"):format(
      type(level))), 2)
  elseif type(name) ~= "string" then
    error(lucio.TypeError(("bad argument #2 to 'addLevelName' (string expected, got %s)"):format(
      type(name))), 2)
  end
  names[level], levels[name] = name, level
end

--- A new table: name of a level -> level.
function M.getLevelNamesMapping()
  local mapping = {}
  for name, level in pairs(levels) do mapping[name] = level end
  return mapping
end

return M
