--- Runs the lucio command for the specs of this directory.
--
-- The path of the command is taken from the environment variable LUCIO, else it is build/lucio.
local limit = require "spec.support.limit"

local M = {}

M.path = os.getenv("LUCIO") or "build/lucio"

local function quote(word)
  return "'" .. tostring(word):gsub("'", "'\\''") .. "'"
end

M.quote = quote

local function write_file(path, text)
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
end

local function read_file(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

M.read_file = read_file

--- Runs the command with the words of the list `argv`.
-- Named fields of it: `script` (text of a file that stands for the word "SCRIPT", else is the first
-- word), `stdin` (text), `env` (table), `clock` ("virtual" sets LUCIO_CLOCK), `prefix` (a shell
-- command that goes before, such as a redirection), `input` (a shell command whose output is piped
-- in), `output` (a shell command that its output is piped to), `ignore` (signals that are ignored
-- at the start).
-- Returns a table with `out`, `err`, `status` (128 + signal; 124 when it took too long), `script`
-- (the path).
function M.run(argv)
  local files = {}
  local function temporary(text)
    local path = os.tmpname()
    files[#files + 1] = path
    write_file(path, text)
    return path
  end

  local script = argv.script and temporary(argv.script)
  local words, placed = {}, not script
  for _, word in ipairs(argv) do
    if word == "SCRIPT" and script then
      word, placed = script, true
    end
    words[#words + 1] = quote(word)
  end
  if not placed then table.insert(words, 1, quote(script)) end

  local env = {"env", "--default-signal=INT,TERM,USR1,USR2"}
  if argv.ignore then env[#env + 1] = "--ignore-signal=" .. argv.ignore end
  local unset = {"LUCIO_DEBUG", "LUCIO_CLOCK", "LUCIO_BACKEND", "LUCIO_CONTROL", "LUA_INIT"}
  for _, name in ipairs(unset) do
    env[#env + 1] = "-u " .. name
  end
  env[#env + 1] = "LC_ALL=C.UTF-8"
  if argv.clock then env[#env + 1] = "LUCIO_CLOCK=" .. quote(argv.clock) end
  for name, value in pairs(argv.env or {}) do env[#env + 1] = name .. "=" .. quote(value) end

  local out, err = temporary "", temporary ""
  local stdin = argv.stdin and quote(temporary(argv.stdin)) or "/dev/null"
  local command = string.format("timeout -k 2 %d %s %s %s", limit,
    table.concat(env, " "), quote(M.path), table.concat(words, " "))
  if argv.output then
    -- the status is the command's, not that of what reads it
    local status = temporary ""
    command = string.format("{ { %s; echo $? >%s; } 2>%s | %s >%s; (exit $(cat %s)); }",
      command, quote(status), quote(err), argv.output, quote(out), quote(status))
  else
    command = string.format("%s >%s 2>%s", command, quote(out), quote(err))
  end
  if argv.input then
    command = string.format("(%s) | %s", argv.input, command)
  else
    command = command .. " <" .. stdin
  end
  if argv.prefix then command = argv.prefix .. "; " .. command end

  -- the shell itself would say "Terminated"
  local pipe = assert(io.popen("exec 2>/dev/null; " .. command .. "; echo $?"))
  local status = tonumber(pipe:read("a"):match("(%d+)%s*$"))
  pipe:close()
  local result = {out = read_file(out), err = read_file(err), status = status, script = script}
  for _, path in ipairs(files) do os.remove(path) end
  return result
end

--- Runs a program under the virtual clock. More words of the command line may follow.
function M.script(text, ...)
  return M.run{script = text, clock = "virtual", "SCRIPT", ...}
end

return M
