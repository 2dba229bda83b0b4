--- Runs a program to its end and gives what it printed.
local limit = require "spec.support.limit"

local M = {}

local function quote(word)
  return "'" .. tostring(word):gsub("'", "'\\''") .. "'"
end

local function read_file(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("a")
  file:close()
  return text
end

M.read_file = read_file

--- The lines that a command prints.
function M.lines(command)
  local pipe <close> = assert(io.popen(command))
  local list = {}
  for line in pipe:lines() do list[#list + 1] = line end
  return list
end

--- Runs `argv`; `options`: `env` (table), `cwd`, `stdin` (a path), `timeout` (seconds).
-- Returns a table with `status` (exit status, 128 + signal), `timed_out`, `stdout`, `stderr`.
function M.run(argv, options)
  local seconds = options.timeout or limit
  local words = {}
  local function add(...)
    for _, word in ipairs {...} do words[#words + 1] = quote(word) end
  end
  add("env")
  local names = {}
  for name in pairs(options.env or {}) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do add(name .. "=" .. options.env[name]) end
  add("timeout", "-k", "5", seconds)
  add(table.unpack(argv))

  local out, err = os.tmpname(), os.tmpname()
  local command = string.format("cd %s && exec %s <%s >%s 2>%s", quote(options.cwd or "."),
    table.concat(words, " "), quote(options.stdin or "/dev/null"), quote(out), quote(err))
  local _, kind, code = os.execute(command)
  local result = {
    status = kind == "signal" and 128 + code or code,
    stdout = read_file(out),
    stderr = read_file(err),
  }
  result.timed_out = result.status == 124 or result.status == 137
  os.remove(out)
  os.remove(err)
  return result
end

return M
