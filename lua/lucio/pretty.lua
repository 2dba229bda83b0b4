--- lucio.pretty: values as text for people, as the prompt shows them.
-- What is shown is what is there: no metamethod is called but `__tostring`.
local lucio, _, part = ...

local checks = part "common.options"

local M = {}

local getmetatable = debug and debug.getmetatable or getmetatable
local getinfo = debug and debug.getinfo
local concat, sort, floor = table.concat, table.sort, math.floor
local next, rawget, rawlen, select, tostring, type = next, rawget, rawlen, select, tostring, type
local math_type, utf8_len, utf8_offset = math.type, utf8.len, utf8.offset

local DEFAULTS = {
  width = 80,     -- columns
  depth = 4,      -- tables in tables
  items = 100,    -- of one table
  length = 10000, -- bytes of a string; within a table a fiftieth of it
  total = 500,    -- values in all
}
-- keys that are put in order, of a table that has more
local SORTED_KEYS = 1000

local KEYWORDS = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat
  return then true until while]]):gmatch("%a+") do
  KEYWORDS[word] = true
end

-- ---- strings ----

local ESCAPES = {
  ["\a"] = "\\a", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t",
  ["\v"] = "\\v", ["\\"] = "\\\\", ['"'] = '\\"',
}

local function escape_byte(byte)
  return ESCAPES[byte] or ("\\x%02x"):format(byte:byte())
end

-- Text in UTF-8; U+0080 to U+009F are control characters too.
local function escape_text(text)
  return (text:gsub('[%c"\\]', escape_byte):gsub("\xc2([\x80-\x9f])", function(byte)
    return ("\\u{%x}"):format(byte:byte())
  end))
end

local function escape(text)
  local parts, from = {}, 1
  while from <= #text do
    local count, bad = utf8_len(text, from)
    if count then
      parts[#parts + 1] = escape_text(text:sub(from))
      break
    end
    parts[#parts + 1] = escape_text(text:sub(from, bad - 1)) .. escape_byte(text:sub(bad, bad))
    from = bad + 1
  end
  return concat(parts)
end

--- The string as a literal of Lua; of a longer one the first `limit` bytes and its length.
function M.quote(text, limit)
  if type(text) ~= "string" then checks.bad_argument("quote", 1, "string", text) end
  if limit ~= nil and (math_type(limit) ~= "integer" or limit < 0) then
    checks.bad_argument("quote", 2, "number of bytes", limit)
  end
  limit = limit or DEFAULTS.length
  if #text <= limit then return '"' .. escape(text) .. '"' end
  local cut = utf8_offset(text, 0, limit + 1) - 1
  if text:find("^[\x80-\xbf]", cut + 1) then cut = limit end -- no UTF-8
  return ('"%s"... (%d bytes)'):format(escape(text:sub(1, cut)), #text)
end

-- ---- other values ----

local function text_of(value)
  local ok, text = lucio.pcall(tostring, value)
  if ok then return text end
  return ("<%s whose __tostring failed>"):format(type(value))
end

local function error_text(value, length)
  local ok, text = lucio.pcall(function()
    if not lucio.isinstance(value, lucio.BaseException) then return nil end
    local message = tostring(value)
    if message == "" then return value.name .. "()" end
    return ("%s(%s)"):format(value.name, M.quote(message, length))
  end)
  return ok and text or nil
end

local function function_text(value)
  local info = getinfo and getinfo(value, "S")
  if info and info.what ~= "C" then
    return ("<function %s:%d>"):format(info.short_src, info.linedefined)
  end
  return ("<%s>"):format(text_of(value))
end

local function scalar_text(value, length)
  local kind = type(value)
  if kind == "string" then return M.quote(value, length) end
  if kind == "function" then return function_text(value) end
  return text_of(value)
end

-- ---- tables ----

local function key_rank(key)
  local kind = type(key)
  return kind == "number" and 1 or kind == "string" and 2 or kind == "boolean" and 3 or 4
end

local function key_less(a, b)
  local rank = key_rank(a)
  if rank ~= key_rank(b) then return rank < key_rank(b) end
  if rank <= 2 then return a < b end
  return rank == 3 and a == false and b == true
end

-- The keys that are not of the list of n items, in order, and how many more there are.
local function other_keys(value, n)
  local keys, more = {}, 0
  for key in next, value do
    if not (math_type(key) == "integer" and key >= 1 and key <= n) then
      if #keys < SORTED_KEYS then keys[#keys + 1] = key else more = more + 1 end
    end
  end
  sort(keys, key_less)
  return keys, more
end

-- Items in rows, as many in each as fit.
local function fill(rows, items, width)
  local row
  for _, item in ipairs(items) do
    if row and #row + #item + 2 <= width then
      row = row .. ", " .. item
    else
      rows[#rows + 1] = row
      row = item
    end
  end
  rows[#rows + 1] = row
end

-- `list` has the texts of the items by position, `named` those by key.
local function layout(prefix, list, named, rest, width)
  local size, flat = #prefix + 2, true
  for _, group in ipairs {list, named, {rest}} do
    for _, text in ipairs(group) do
      size = size + #text + 2
      flat = flat and not text:find("\n", 1, true)
    end
  end
  if flat and size - 2 <= width then
    local all = table.move(named, 1, #named, #list + 1, list)
    all[#all + 1] = rest
    return prefix .. "{" .. concat(all, ", ") .. "}"
  end
  local rows = {}
  if flat then fill(rows, list, width - 3) else table.move(list, 1, #list, 1, rows) end
  table.move(named, 1, #named, #rows + 1, rows)
  rows[#rows + 1] = rest
  for i, row in ipairs(rows) do rows[i] = "  " .. row:gsub("\n", "\n  ") end
  return prefix .. "{\n" .. concat(rows, ",\n") .. "\n}"
end

local format_value

local function key_text(key, state)
  if type(key) == "string" and key:find("^[%a_][%w_]*$") and not KEYWORDS[key] then return key end
  if type(key) == "table" then return "[" .. text_of(key) .. "]" end
  return "[" .. scalar_text(key, state.options.length // 50) .. "]"
end

local function table_text(value, prefix, depth, width, state)
  local options = state.options
  local n = rawlen(value)
  local keys, hidden = other_keys(value, n)
  if n == 0 and #keys == 0 then return prefix .. "{}" end
  if depth > options.depth or state.left <= 0 then return prefix .. "{...}" end
  local list, named = {}, {}
  state.above[value] = true
  for i = 1, n do
    if #list >= options.items or state.left <= 0 then break end
    list[i] = format_value(rawget(value, i), depth + 1, width - 2, state)
  end
  for _, key in ipairs(keys) do
    if #list + #named >= options.items or state.left <= 0 then break end
    local name = key_text(key, state) .. " = "
    named[#named + 1] = name
      .. format_value(rawget(value, key), depth + 1, width - 2 - #name, state)
  end
  state.above[value] = nil
  hidden = hidden + n - #list + #keys - #named
  local rest = hidden > 0 and ("... %d more"):format(hidden) or nil
  return layout(prefix, list, named, rest, width)
end

function format_value(value, depth, width, state)
  state.left = state.left - 1
  local length = depth == 1 and state.options.length or state.options.length // 50
  if type(value) ~= "table" then return scalar_text(value, length) end
  if state.above[value] then return "<cycle>" end
  local metatable = getmetatable(value)
  local prefix = ""
  if type(metatable) == "table" then
    local text = error_text(value, length)
    if text then return text end
    if rawget(metatable, "__tostring") ~= nil then return text_of(value) end
    local name = rawget(metatable, "__name")
    if type(name) == "string" then prefix = name .. " " end
  end
  return table_text(value, prefix, depth, width < 20 and 20 or width, state)
end

local KNOWN = {}
for name in next, DEFAULTS do KNOWN[name] = "number" end

local function check_options(what, position, options)
  options = checks.check_options(what, position, options, KNOWN)
  for name, value in next, options do
    if value ~= value or value < 0 then
      checks.raise(lucio.ValueError, "bad argument #%d to '%s' (%s must be 0 or more)", position,
        what, name)
    end
  end
  return options
end

--- The value as text. `options`: `width` in columns, `depth`, `items` of a table, `length` of a
-- string, `total` number of values: limits, beyond which `...` stands.
function M.format(value, options)
  options = check_options("format", 2, options)
  local all = {}
  for name, default in next, DEFAULTS do
    all[name] = options[name] or default
  end
  return format_value(value, 1, floor(all.width), {options = all, left = all.total, above = {}})
end

--- Several values, with tabs between them; where one takes several lines, each on lines of its own.
function M.format_all(options, ...)
  check_options("format_all", 1, options)
  local texts, separator = {}, "\t"
  for i = 1, select("#", ...) do
    texts[i] = M.format((select(i, ...)), options)
    if texts[i]:find("\n", 1, true) then separator = "\n" end
  end
  return concat(texts, separator)
end

return M
