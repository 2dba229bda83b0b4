--- What the modules in Lua check their options with. The errors are those of the functions in C.
local lucio = ...

local M = {}

-- the program may give the globals other values
local error, math_type, pairs, tostring, type = error, math.type, pairs, tostring, type

function M.raise(class, text, ...)
  error(class(text:format(...)))
end

local raise = M.raise

function M.bad_argument(name, position, expected, value)
  raise(lucio.TypeError, "bad argument #%d to '%s' (%s expected, got %s)", position, name, expected,
    value == nil and "nil" or type(value))
end

--- Checks the options and returns them, never nil. `known` says the type of each, or true: it is
-- checked elsewhere.
function M.check_options(name, position, options, known)
  if options == nil then return {} end
  if type(options) ~= "table" then
    M.bad_argument(name, position, "table of options", options)
  end
  for key, value in pairs(options) do
    local wanted = known[key]
    if not wanted then
      raise(lucio.TypeError, "bad argument #%d to '%s' (unknown option '%s')", position, name,
        tostring(key))
    end
    local is = wanted == "integer" and math_type(value) or type(value)
    if wanted ~= true and is ~= wanted then
      raise(lucio.TypeError, "bad argument #%d to '%s' (%s as %s expected, got %s)", position, name,
        key, wanted, is or type(value))
    end
  end
  return options
end

return M
