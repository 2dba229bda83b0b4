-- A program with its arguments, or a line for the shell: what looks like spaces, variables or
-- commands to a shell is plain text in a list of arguments.
-- In asyncio: create_subprocess_exec, create_subprocess_shell.
local lucio = require "lucio"

local PIPE = lucio.subprocess.PIPE

local function show(title, process)
  local out, err = process:communicate()
  print(("--- %s (%d)"):format(title, process.returncode))
  io.write(out, err or "")
end

lucio.run(function()
  local hostile = "two words; echo $HOME `echo gone` > file & *"

  show("exec: one argument", lucio.create_subprocess_exec("printf", "[%s]\n", hostile,
    {stdout = PIPE}))
  show("exec: three arguments", lucio.create_subprocess_exec("printf", "[%s]\n", "a b", "", "$1",
    {stdout = PIPE}))
  show("shell: words, variables and commands", lucio.create_subprocess_shell(
    "printf '[%s]\\n' two words $NAME; echo second command; exit 4",
    {stdout = PIPE, env = {NAME = "of a variable"}}))
  show("shell: a pipeline", lucio.create_subprocess_shell("printf 'b\\na\\n' | sort",
    {stdout = PIPE}))
  -- what comes from outside goes to a shell as a variable, never as a part of the command
  show("shell: text from outside", lucio.create_subprocess_shell("printf '[%s]\\n' \"$TEXT\"",
    {stdout = PIPE, env = {TEXT = hostile}}))
  show("shell: an unknown command", lucio.create_subprocess_shell("no-such-command 2>/dev/null",
    {stdout = PIPE}))
  local ok, e = pcall(lucio.create_subprocess_exec, "printf x", {stdout = PIPE})
  print("exec: a command line is no program", ok, e.name)
end)
