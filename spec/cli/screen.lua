--- Runs the lucio command on a pseudo-terminal for the specs of the prompt.
-- A session is a list of steps, made by the functions here. They go by what is on the screen.
local command = require "spec.cli.command"
local limit = require "spec.support.limit"

local M = {}

M.pty = os.getenv("LUCIO_PTY") or command.path:gsub("[^/]*$", "spec/support/pty")

local quote = command.quote

--- Waits until the text appears behind what was seen before.
function M.see(text) return {kind = "E", text = text:gsub("\n", "\r\n")} end

--- Types the text as it is.
function M.type(text) return {kind = "S", text = text} end

--- Types a line.
function M.enter(line) return {kind = "S", text = line .. "\r"} end

--- Runs a shell command; $PID is the command under test.
function M.shell(text) return {kind = "C", text = text} end

--- Makes the screen so many columns wide.
function M.width(columns) return {kind = "W", text = tostring(columns)} end

--- Types a line and sees the answer, then the next prompt.
function M.ask(line, answer)
  return {M.enter(line), M.see("\n" .. (answer == "" and "" or answer .. "\n") .. "> ")}
end

local function add_steps(parts, steps)
  for _, step in ipairs(steps) do
    if step.kind then
      parts[#parts + 1] = ("%s %d\n%s\n"):format(step.kind, #step.text, step.text)
    else
      add_steps(parts, step)
    end
  end
end

M.greeting = M.see "ends.\n> "
M.interrupt = M.type "\3"
M.eof = M.type "\4"
M.tab = M.type "\t"
M.up = M.type "\27[A"
-- The terminal goes away.
M.hang_up = {kind = "H", text = ""}

--- An empty directory for the home of a session.
function M.new_home()
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute("mkdir " .. quote(path)))
  return path
end

function M.remove(path) os.execute("rm -rf " .. quote(path)) end

--- Runs the command with the steps of the list `options`. Its named fields: `words` (arguments),
-- `env` (table of further variables; false: unset), `columns`, `home` (a path that stays; default:
-- one for the session), `redirect` (words for the shell that go behind the command), `prefix` (with
-- it: shell commands before).
-- Returns `screen` (what was shown), `status`, `err` (what went wrong in the session, or "").
function M.run(options)
  local home = options.home or M.new_home()
  local env = {TERM = "xterm", HOME = home, LC_ALL = "C.UTF-8", LUCIO_HISTORY = false,
    LUCIO_DEBUG = false, LUCIO_CLOCK = false, LUCIO_BACKEND = false, LUA_INIT = false,
    NO_COLOR = "1"}
  for name, value in pairs(options.env or {}) do env[name] = value end
  local unset, set = {}, {}
  for name, value in pairs(env) do
    if value then
      set[#set + 1] = name .. "=" .. quote(value)
    else
      unset[#unset + 1] = "-u " .. name
    end
  end

  local words = {quote(command.path)}
  for _, word in ipairs(options.words or {}) do words[#words + 1] = quote(word) end
  local program = table.concat(words, " ")
  if options.redirect then
    program = "sh -c " .. quote(("%s exec %s %s"):format(options.prefix or "", program,
      options.redirect))
  end
  local parts, input, err = {}, os.tmpname(), os.tmpname()
  add_steps(parts, options)
  do
    local file <close> = assert(io.open(input, "wb"))
    file:write(table.concat(parts))
  end
  local pipe = assert(io.popen(("env --default-signal=INT,QUIT %s %s %s %d %d %s <%s 2>%s; echo $?")
    :format(table.concat(unset, " "), table.concat(set, " "), quote(M.pty), limit,
      options.columns or 80, program, quote(input), quote(err))))
  local shown, status = pipe:read("a"):match("^(.*)%f[%d](%d+)%s*$")
  pipe:close()
  local result = {
    screen = shown:gsub("\r\n", "\n"),
    status = tonumber(status),
    err = command.read_file(err),
  }
  os.remove(input)
  os.remove(err)
  if not options.home then M.remove(home) end
  return result
end

return M
