--- Completion of names at the prompt. It looks only at what is in tables: of metatables it follows
-- `__index` where that is a table, so that no code of the program runs.
local lucio = ...

local M = {}

local getmetatable = debug and debug.getmetatable or getmetatable
local next, rawget, type = next, rawget, type
local preload = package and package.preload or {}

-- tables that are looked through behind one another
local CHAIN = 20

local KEYWORDS = {
  "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in",
  "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
}

-- The table with the fields of the value: itself, or the `__index` of its metatable.
local function fields_of(value)
  if type(value) == "table" then return value end
  local metatable = getmetatable(value)
  local index = type(metatable) == "table" and rawget(metatable, "__index")
  return type(index) == "table" and index or nil
end

-- The table behind a table.
local function behind(fields)
  local metatable = getmetatable(fields)
  local index = type(metatable) == "table" and rawget(metatable, "__index")
  return type(index) == "table" and index or nil
end

local function get(value, name)
  local fields = fields_of(value)
  for _ = 1, CHAIN do
    if not fields then return nil end
    local found = rawget(fields, name)
    if found ~= nil then return found end
    fields = behind(fields)
  end
end

local function is_callable(value)
  if type(value) == "function" then return true end
  local metatable = getmetatable(value)
  return type(metatable) == "table" and rawget(metatable, "__call") ~= nil
end

local function add_modules(found, word)
  for name in next, preload do
    local module = type(name) == "string" and name:match("^lucio%.([%a_][%w_]*)$")
    if module and module:sub(1, #word) == word and lucio[module] then found[module] = true end
  end
end

-- The names in the fields of the value that start with the word.
local function names_in(value, word, only_callable)
  local found, list = {}, {}
  local fields = fields_of(value)
  for _ = 1, CHAIN do
    if not fields then break end
    for name, field in next, fields do
      if type(name) == "string" and name:sub(1, #word) == word and name:find("^[%a_][%w_]*$")
        and (not only_callable or is_callable(field)) then
        found[name] = true
      end
    end
    fields = behind(fields)
  end
  if value == lucio and not only_callable then add_modules(found, word) end
  for name in next, found do list[#list + 1] = name end
  return list
end

-- Names with `_` in front only where they are asked for, as those of a library's own.
local function without_private(list, word)
  if word:sub(1, 1) == "_" then return list end
  local public = {}
  for _, name in ipairs(list) do
    if name:sub(1, 1) ~= "_" then public[#public + 1] = name end
  end
  return public
end

--- The names that may stand where `line` ends, in order, and the part of a name that is there.
function M.names(line)
  local path = line:match("[%w_%.:]*$")
  local owner, separator, word = path:match("^(.*)([%.:])([%a_]?[%w_]*)$")
  local list
  if not owner then
    word = path:match("^[%a_][%w_]*$")
    if not word then return {}, "" end
    list = names_in(_G, word)
    for _, keyword in ipairs(KEYWORDS) do
      if keyword:sub(1, #word) == word then list[#list + 1] = keyword end
    end
  else
    -- what stands before the path, as in `f().x` or `"text":x`, is not known
    if not owner:find("^[%a_]") or (owner .. "."):find("[%.:][%.:]") then return {}, word end
    local value = _G
    for name in owner:gmatch("[^%.:]+") do
      value = get(value, name)
      if value == nil then return {}, word end
    end
    list = without_private(names_in(value, word, separator == ":"), word)
  end
  table.sort(list)
  return list, word
end

--- The longest text that all names of the list start with.
function M.common_prefix(list)
  local prefix = list[1] or ""
  for _, name in ipairs(list) do
    while name:sub(1, #prefix) ~= prefix do prefix = prefix:sub(1, -2) end
  end
  return prefix
end

--- The names in columns.
function M.columns(list, width)
  local longest, lines = 0, {}
  for _, name in ipairs(list) do longest = math.max(longest, #name + 2) end
  local per_row = math.max(1, width // math.max(longest, 1))
  local rows = (#list + per_row - 1) // per_row
  for row = 1, rows do
    local parts = {}
    for i = row, #list, rows do parts[#parts + 1] = list[i] .. (" "):rep(longest - #list[i]) end
    lines[row] = table.concat(parts):gsub("%s+$", "")
  end
  return table.concat(lines, "\n")
end

return M
