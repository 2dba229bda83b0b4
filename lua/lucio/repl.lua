--- The prompt of the lucio command: reads an input, runs it in the main task, prints its results.
-- The terminal, its lines and Ctrl-C are bindings/repl/terminal.c.
local lucio = ...
local complete = require "lucio.repl.complete"
local pretty = require "lucio.pretty"

local M = {}

-- the program may give the globals other values
local collectgarbage, getenv, load, pack, rawequal, rawget, rawset, tostring, type, unpack =
  collectgarbage, os.getenv, load, table.pack, rawequal, rawget, rawset, tostring, type,
  table.unpack
local stdout, stderr = io.stdout, io.stderr
local remove, rename = os.remove, os.rename

local HISTORY_LINES = 1000
-- names that Tab lists at once
local LISTED_NAMES = 200

local HINT = [[
Calls that wait may stand here. A local ends with its input. _ is the last result.
Ctrl-C stops what runs; exit or Ctrl-D ends.
]]

-- ---- history ----

local function history_path(options)
  if options.no_env then return nil end
  local path = getenv "LUCIO_HISTORY"
  if path then return path ~= "" and path or nil end
  local home = getenv "HOME"
  return home and home ~= "" and home .. "/.lucio_history" or nil
end

-- Whether the line editor can show it again.
local function can_be_kept(line)
  return line:find("%S") and not line:find("[^\t%C]") and utf8.len(line) ~= nil
end

local function shorten_history(session, lines)
  local path = session.history .. ".new"
  remove(path)
  for i = #lines - HISTORY_LINES + 1, #lines do
    if not session.terminal:save_history(path, lines[i]) then
      remove(path)
      return
    end
  end
  rename(path, session.history)
end

local function load_history(session)
  local text = session.history and session.terminal:load_history(session.history)
  local lines = {}
  for line in (text or ""):gmatch("[^\n]+") do
    if can_be_kept(line) then lines[#lines + 1] = line end
  end
  for i = math.max(1, #lines - HISTORY_LINES + 1), #lines do
    session.terminal:add_history(lines[i])
  end
  session.line = lines[#lines]
  if #lines > 2 * HISTORY_LINES then shorten_history(session, lines) end
end

local function keep_line(session, line)
  if line == session.line or not can_be_kept(line) then return end
  session.line = line
  session.terminal:add_history(line)
  if session.history then session.terminal:save_history(session.history, line) end
end

-- ---- reading ----

local function complete_line(session, text)
  if text:find("^%s*$") then
    session.terminal:insert("  ")
    return
  end
  local names, word = complete.names(text)
  local prefix = complete.common_prefix(names)
  if #prefix > #word then
    session.terminal:insert(prefix:sub(#word + 1))
  elseif #names > 1 then
    local more = #names - LISTED_NAMES
    if more > 0 then names = table.move(names, 1, LISTED_NAMES, 1, {}) end
    stdout:write(complete.columns(names, session.terminal:width()), "\n",
      more > 0 and ("... %d more\n"):format(more) or "")
  end
end

-- A task failed that nobody has waited for: unless the program holds it, that is reported now.
local function release_failed(session)
  if session.terminal:failed(session.last) then
    if rawequal(rawget(_G, "_"), session.last) then rawset(_G, "_", nil) end
    session.last = nil
  end
  collectgarbage()
end

local function read_line(session, prompt)
  while true do
    local event, text = session.terminal:read(prompt)
    if event == "complete" then
      complete_line(session, text)
    elseif event == "failure" then
      release_failed(session)
    else
      if event == "line" then keep_line(session, text) end
      return event, text
    end
  end
end

-- The global of that name as text, as in lua.
local function prompt_text(session, name, default)
  local value = rawget(_G, name)
  if value == nil then return default end
  if type(value) == "string" then return value end
  local ok, text = session.terminal:call(tostring, value)
  return ok and text or default
end

local function is_incomplete(message)
  return message:sub(-5) == "<eof>"
end

--- The function that the text is, as an expression or as statements. Else nil, the message, and
-- whether more lines may make it one.
function M.compile(text)
  local chunk, expression_message = load("return " .. text, "=stdin", "t")
  if chunk then return chunk end
  local message
  chunk, message = load(text, "=stdin", "t")
  if chunk then return chunk end
  return nil, message, is_incomplete(message) or is_incomplete(expression_message)
end

local function is_exit(line)
  local word = line:match("^%s*(%a+)%s*;?%s*$")
  if word ~= "exit" and word ~= "quit" then return false end
  local value = rawget(_G, word)
  return value == nil or rawequal(value, lucio.exit)
end

-- An input: a function; nil and a message; nil when there is nothing to run; false at the end.
local function read_input(session)
  local event, text = read_line(session, prompt_text(session, "_PROMPT", "> "))
  if event == "end" or (event == "line" and is_exit(text)) then return false end
  if event == "interrupt" then return nil end
  text = text:gsub("^=", "return ")
  while true do
    local chunk, message, more = M.compile(text)
    if not more then return chunk, message end
    local line
    event, line = read_line(session, prompt_text(session, "_PROMPT2", ">> "))
    if event == "interrupt" then return nil end
    if event == "end" then return nil, message end
    text = text .. "\n" .. line
  end
end

-- ---- running ----

-- Without the frames of this file, which are below those of the input.
local function without_own_frames(text)
  local kept, skipping, previous = {}, false, nil
  for line in (text .. "\n"):gmatch("(.-)\n") do
    if not line:find("^[%s|]*\t") then
      skipping = false
    elseif line:find("lucio/repl.lua:", 1, true) and previous:find("%[C%]: in .*'call'") then
      -- the call of the input is a frame too
      if not skipping then kept[#kept] = nil end
      skipping = true
    end
    if not skipping then kept[#kept + 1] = line end
    previous = line
  end
  return table.concat(kept, "\n")
end

local function show_error(session, e, interrupted)
  if interrupted then
    stderr:write("\nKeyboardInterrupt\n")
    return
  end
  session.terminal:fresh_line()
  local ok, text = session.terminal:call(session.terminal.report, session.terminal, e)
  stderr:write(ok and without_own_frames(text) or "an error that cannot be shown", "\n")
end

-- `_` stays the program's where the program has set it.
local function set_last(session, value)
  local current = rawget(_G, "_")
  if current == nil or rawequal(current, session.last) or current ~= current then
    rawset(_G, "_", value)
  end
  session.last = value
end

local function run_input(session, chunk)
  local results = pack(session.terminal:call(chunk))
  if not results[1] then
    show_error(session, results[2], results[3])
    return
  end
  if results.n < 2 then return end
  if results[2] ~= nil then set_last(session, results[2]) end
  local ok, text, interrupted = session.terminal:call(pretty.format_all,
    {width = session.terminal:width() - 1}, unpack(results, 2, results.n))
  if ok then
    session.terminal:fresh_line()
    stdout:write(text, "\n")
  else
    show_error(session, text, interrupted)
  end
end

local function step(session)
  local chunk, message = read_input(session)
  if chunk == false then return false end
  if chunk then
    run_input(session, chunk)
  elseif message then
    stderr:write(message, "\n")
  end
  return true
end

--- Runs what is typed on the terminal until the user ends it. `options`: `version`, the first line
-- of the greeting; `no_env`, the environment names no file for the history.
function M.run(terminal, options)
  local session = {terminal = terminal, history = history_path(options)}
  if options.version then stdout:write(options.version, "\n", HINT) end
  if rawget(_G, "exit") == nil then rawset(_G, "exit", lucio.exit) end
  load_history(session)
  while step(session) do end
end

return M
