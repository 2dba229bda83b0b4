--- Runs a Lua program in another process, under the interpreter that runs this one.
--
--     local r = child.run([[print(1)]], {clock = "real"})
--
-- `options`: `clock` ("virtual" or "real"), `env`; the result is that of
-- spec.support.process.run: `status`, `stdout`, `stderr`, `timed_out`.
local process = require "spec.support.process"

local M = {}

local interpreter

local function this_interpreter()
  if not interpreter then
    interpreter = process.lines("readlink /proc/$PPID/exe")[1]
  end
  return interpreter
end

function M.run(source, options)
  options = options or {}
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(source)
  file:close()
  local env = {LUCIO_CLOCK = options.clock == "real" and "" or "virtual", LUCIO_DEBUG = ""}
  for name, value in pairs(options.env or {}) do env[name] = value end
  local result = process.run({this_interpreter(), path}, {env = env})
  os.remove(path)
  return result
end

return M
