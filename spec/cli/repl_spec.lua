-- API.md section 4: the prompt of the command, on a pseudo-terminal and on the real clock.
local assert = require "luassert"
local command = require "spec.cli.command"
local screen = require "spec.cli.screen"

local ask, see, enter, shell = screen.ask, screen.see, screen.enter, screen.shell
local interrupt, eof, tab, up = screen.interrupt, screen.eof, screen.tab, screen.up
local greeting = screen.greeting

-- A case for lines that can be edited; in a build without libedit its name says: left out.
local edits = command.read_file(command.path):find("libedit.so", 1, true)
local function editing(name, fn)
  if edits then return it(name, fn) end
  it("left out: " .. name .. ", which needs libedit, not in this build", function()
    assert.is_nil(edits)
  end)
end

-- Runs a session that starts with the greeting and ends with Ctrl-D; gives what it showed.
local function session(options)
  table.insert(options, 1, greeting)
  options[#options + 1] = eof
  local r = screen.run(options)
  assert.are.same({"", 0}, {r.err, r.status}, r.screen)
  return r.screen
end

-- Types an input and interrupts it when it runs.
local function interrupted(code)
  return {enter("print('runs') " .. code), see "\nruns\n", interrupt}
end

-- An input that calls this prints when it waits, and no sooner.
local define_waits =
  ask("function waits() lucio.get_running_loop():call_soon(print, 'waits') end", "")

-- After these inputs a task that waits for the event `go` goes on with the step `go`.
local go = shell "kill -USR2 $PID"
local await_go = {
  ask("go = lucio.Event()", ""),
  ask("lucio.get_running_loop():add_signal_handler('SIGUSR2', go.set, go)", ""),
}

describe("the prompt", function()
  it("shows the values of an expression", function()
    session {
      ask("1 + 1", "2"),
      ask("'a\\tb', nil, {1, x = 'y'}", '"a\\tb"\tnil\t{1, x = "y"}'),
      ask("nil", "nil"),
      ask("=6 * 7", "42"),
    }
  end)

  it("shows nothing where there is no value", function()
    session {ask("x = 5", ""), ask("", ""), ask("-- a comment", ""), ask("(function() end)()", "")}
  end)

  it("has lucio as a global", function()
    session {ask("lucio == require 'lucio'", "true")}
  end)

  it("lets an input wait", function()
    session {
      ask("lucio.sleep(0.01, 'slept')", '"slept"'),
      ask("lucio.create_task(function() return 7 end):await()", "7"),
      ask("lucio.run(function() return lucio.sleep(0, 'in a run') end)", '"in a run"'),
    }
  end)

  it("goes on with an input that is not complete", function()
    session {
      enter "for i = 1, 2 do", see "\n>> ", ask("print('line ' .. i) end", "line 1\nline 2"),
      enter "{", see "\n>> ", ask("1, 2}", "{1, 2}"),
      enter "f = function(a)", see "\n>> ", enter "", see "\n>> ", ask("return a end", ""),
      ask("f(3)", "3"),
    }
  end)

  it("gives up an input that is not complete at Ctrl-C, and reports it at Ctrl-D", function()
    session {
      enter "x = {", see "\n>> ", interrupt, see "\n> ",
      enter "x = {", see "\n>> ", eof, see "\nstdin:1: unexpected symbol near <eof>\n> ",
      ask("x", "nil"),
    }
  end)

  it("keeps globals, and no locals, from one input to the next", function()
    session {ask("g = 1", ""), ask("local l = 2", ""), ask("g, l", "1\tnil")}
  end)

  it("keeps the last result in _", function()
    session {
      ask("6 * 7", "42"), ask("_ + 1", "43"), ask("nil", "nil"), ask("_", "43"),
      ask("_ = 'mine'", ""), ask("1", "1"), ask("_", '"mine"'),
    }
  end)

  it("reports an error with the lines of the input, and goes on", function()
    local out = session {
      ask("error('boom')", "stdin:1: boom\nstack traceback:\n\t[C]: in function 'error'\n"
        .. "\tstdin:1: in main chunk"),
      enter "error(lucio.ValueError 'bad')", see "\nValueError: bad\n", see "\n> ",
      enter "x x", see "\nstdin:1: syntax error near 'x'\n> ",
      enter "error(setmetatable({}, {__tostring = function() error 'again' end}))", see "\n> ",
      enter "setmetatable({}, {__tostring = function() error 'again' end})", see "\n> ",
      ask("1", "1"),
    }
    assert.is_nil(out:find("lucio/repl.lua", 1, true))
  end)

  it("leaves its own frames out of tracebacks, and no others; colours them on request", function()
    local out = session {
      env = {NO_COLOR = ""},
      enter "t = setmetatable({}, {__index = {call = function(_, f) f() end}})", see "\n> ",
      enter "do t:call(function() error 'boom' end) end", see "boom\n", see "main chunk\27[0m\n> ",
      enter "lucio.create_task(error, 'late'):await()", see "late\n", see "main chunk\27[0m\n> ",
    }
    assert.is_nil(out:find("lucio/repl.lua", 1, true))
    assert.matches("'call'", out, 1, true)
  end)

  it("takes _PROMPT and _PROMPT2, as lua does", function()
    session {
      enter "_PROMPT, _PROMPT2 = 'lua: ', 'more: '", see "\nlua: ",
      enter "(", see "\nmore: ", enter "1)", see "\n1\nlua: ",
      enter "_PROMPT = setmetatable({}, {__tostring = function() return 'object: ' end})",
      see "\nobject: ",
      enter "_PROMPT = setmetatable({}, {__tostring = error})", see "\n> ",
      enter "_PROMPT = nil", see "\n> ",
    }
  end)
end)

describe("tasks at the prompt", function()
  editing("go on while a line is typed, and their output does not get into it", function()
    local out = session {
      await_go,
      ask("function ticks() for i = 1, 3 do go:wait() go:clear() print('tick ' .. i) end end", ""),
      ask("t = lucio.create_task(ticks)", ""),
      screen.type "'one ", see "'one ", go, see "tick 1\n> 'one ", go, see "tick 2\n> 'one ",
      screen.type "two ", see "two ", go, see "tick 3\n> 'one two ",
      ask("three'", '"one two three"'),
    }
    -- the line is taken away before the task writes
    assert.matches("\r\27[Jtick 1\n> 'one ", out, 1, true)
  end)

  editing("may log, without breaking the line", function()
    local out = session {
      await_go,
      ask("function f() go:wait() lucio.log.warning('careful') print('out') end", ""),
      ask("t = lucio.create_task(f)", ""),
      screen.type "'ab", see "'ab", go, see "WARNING:root:careful\nout\n> 'ab", ask("c'", '"abc"'),
    }
    assert.matches("\r\27[JWARNING", out, 1, true)
  end)

  editing("are given a line that takes several rows back as a whole", function()
    local out = session {
      columns = 20,
      enter "go = lucio.Event()", see "\n> ",
      enter "lucio.get_running_loop():add_signal_handler('SIGUSR2', go.set, go)", see "\n> ",
      enter "function f() go:wait() io.write('out') io.stderr:write('err\\n') end", see "\n> ",
      enter "t = lucio.create_task(f)", see "\n> ", screen.type("'" .. ("x"):rep(45) .. "!"),
      see "!", go, see "err\n", see "out\n> 'xx", ask("'", '"' .. ("x"):rep(45) .. '!"'),
    }
    -- 49 columns are three rows
    assert.matches("\27[2A\r\27[Jerr\n", out, 1, true)
  end)

  editing("are reported when they fail, without breaking the line", function()
    session {
      await_go, enter "lucio.create_task(function() go:wait() error('boom') end)", see "\n> ",
      screen.type "'ab", see "'ab", go, see "Task exception was never retrieved\n",
      see "stdin:1: boom\n",
      see "> 'ab", ask("c'", '"abc"'),
    }
  end)

  it("are not reported where the program holds them and retrieves the error", function()
    local out = session {
      ask("t = lucio.create_task(function() error('boom') end)", ""),
      ask("lucio.sleep(0.01)", ""),
      ask("select(2, pcall(t.await, t))", '"stdin:1: boom"'),
    }
    assert.is_nil(out:find("never retrieved", 1, true))
  end)

  it("are cancelled and cleaned up at the end", function()
    local r = screen.run {
      greeting,
      enter "cleanup = setmetatable({}, {__close = function() print('cleaned up') end})",
      see "\n> ",
      enter "function work() local _ <close> = cleanup lucio.sleep(60) end", see "\n> ",
      enter "t = lucio.create_task(work)", see "\n> ", eof, see "cleaned up\n",
    }
    assert.are.same({"", 0}, {r.err, r.status})
  end)
end)

describe("Ctrl-C", function()
  it("clears the line", function()
    session {screen.type "'abc", see "'abc", interrupt, see "\n> ", ask("1", "1"),
      interrupt, see "\n> ", interrupt, see "\n> ", ask("2", "2")}
  end)

  it("cancels what waits, and returns to the prompt", function()
    session {
      interrupted "lucio.sleep(60)", see "KeyboardInterrupt\n> ",
      interrupted "lucio.run(lucio.sleep, 60)", see "KeyboardInterrupt\n> ",
      interrupted "lucio.sleep(60)", see "KeyboardInterrupt\n> ", ask("1", "1"),
    }
  end)

  it("ends a loop in Lua that never waits", function()
    session {
      interrupted "while true do end", see "KeyboardInterrupt\n> ",
      enter "coroutine.wrap(function() print('inside') while true do end end)()", see "\ninside\n",
      interrupt, see "KeyboardInterrupt\n> ", ask("1", "1"),
    }
  end)

  it("lets other tasks go on", function()
    session {
      await_go, ask("t = lucio.create_task(function() go:wait() return 'went on' end)", ""),
      interrupted "lucio.sleep(60)", see "KeyboardInterrupt\n> ", go,
      ask("t:await()", '"went on"'),
    }
  end)

  it("counts anew for each input", function()
    session {
      define_waits,
      enter "waits() return pcall(lucio.sleep, 60)", see "\nwaits\n", interrupt,
      see "false\tCancelledError()\n> ",
      enter "waits() return pcall(lucio.sleep, 60)", see "\nwaits\n", interrupt,
      see "false\tCancelledError()\n> ",
      ask("lucio.current_task():cancelling()", "0"),
      ask("lucio.sleep(0.01, 'fine')", '"fine"'),
    }
  end)

  it("twice ends an input that swallows it, and the prompt, with status 130", function()
    local r = screen.run {
      greeting, define_waits,
      enter "for i = 1, 2 do waits() pcall(lucio.sleep, 60) end", see "\nwaits\n", interrupt,
      see "waits\n", interrupt,
    }
    assert.are.same({"", 130}, {r.err, r.status}, r.screen)
  end)
end)

describe("the end of the prompt", function()
  local function status(...)
    local r = screen.run {greeting, ...}
    assert.are.equal("", r.err)
    return r.status
  end

  it("comes with Ctrl-D, exit, quit and exit()", function()
    assert.are.same({0, 0, 0, 0}, {
      status(eof), status(enter "exit"), status(enter "quit"), status(enter "exit()"),
    })
  end)

  it("has the status given to exit, lucio.exit, os.exit, in a task too", function()
    assert.are.same({3, 4, 5, 6}, {
      status(enter "exit(3)"), status(enter "lucio.exit(4)"), status(enter "os.exit(5)"),
      status(enter "lucio.create_task(os.exit, 6)"),
    })
  end)

  it("leaves a global exit of the program alone", function()
    session {ask("exit = 'way out'", ""), ask("exit", '"way out"')}
  end)

  it("is status 0 after an error in an input", function()
    assert.are.equal(0, status(enter "error 'x'", see "\n> ", eof))
  end)
end)

describe("Tab", function()
  editing("completes globals, fields and methods, and lists where there are several", function()
    session {
      screen.type "tost", tab, see "ring", ask("(1)", '"1"'),
      screen.type "string.rev", tab, see "erse", ask("'ab'", '"ba"'),
      screen.type "lucio.create_t", tab, see "ask",
      ask("(lucio.sleep, 0):get_name():sub(1, 4)", '"Task"'),
      screen.type "q = lucio.Queue() ", enter "", see "\n> ",
      screen.type "q:put_", tab, see "nowait", enter "(5)", see "\n> ",
      screen.type "q:qs", tab, see "ize", ask("()", "1"),
      screen.type "math.ma", tab, see "x", tab, see "max         maxinteger\n",
      ask("(3, 4)", "4"),
    }
  end)

  editing("calls no code of the program", function()
    session {
      ask("t = setmetatable({abc = 1}, {__index = function() error 'called' end})", ""),
      screen.type "t.ab", tab, see "c", ask("", "1"),
      screen.type "t.x.y", tab, screen.type "\21", ask("2", "2"),
    }
  end)

  it("is indentation at the start of a line", function()
    session {screen.type "\t", ask("3", "3")}
  end)
end)

describe("the history", function()
  local home
  before_each(function() home = screen.new_home() end)
  after_each(function() screen.remove(home) end)

  editing("brings lines back, also in the next session", function()
    session {home = home, ask("'first'", '"first"'), ask("'second'", '"second"'),
      up, up, see "'first'", enter "", see "\n\"first\"\n> "}
    session {home = home, up, see "'first'", ask("", '"first"')}
  end)

  editing("is in a file for the user alone", function()
    session {home = home, ask("1", "1"), ask("1", "1"), ask(" ", ""), ask("2", "2")}
    assert.are.equal("1\n2\n", command.read_file(home .. "/.lucio_history"))
    local pipe <close> = assert(io.popen("stat -c %a " .. home .. "/.lucio_history"))
    assert.are.equal("600\n", pipe:read("a"))
  end)

  editing("is where LUCIO_HISTORY says, and nowhere with -E or an empty name", function()
    local path = home .. "/other"
    session {home = home, env = {LUCIO_HISTORY = path}, ask("1", "1")}
    assert.are.equal("1\n", command.read_file(path))
    session {home = home, env = {LUCIO_HISTORY = ""}, ask("2", "2")}
    session {home = home, words = {"-E"}, env = {LUCIO_HISTORY = path}, ask("3", "3")}
    assert.are.equal("1\n", command.read_file(path))
    assert.is_nil(io.open(home .. "/.lucio_history"))
  end)

  editing("is kept in memory alone where the file cannot be used", function()
    session {home = home, env = {LUCIO_HISTORY = home .. "/no/such/directory"}, ask("1", "1"),
      up, ask("", "1")}
    session {home = home, env = {LUCIO_HISTORY = "/dev/zero"}, ask("1", "1")}
  end)

  editing("is shortened when it has grown long", function()
    local file = assert(io.open(home .. "/.lucio_history", "w"))
    for i = 1, 2500 do file:write("line", i, "\n") end
    file:close()
    session {home = home, ask("1", "1")}
    local text = command.read_file(home .. "/.lucio_history")
    assert.matches("^line1501\n", text)
    assert.matches("line2500\n1\n$", text)
  end)
end)

describe("a terminal", function()
  it("may be in any locale: lines are UTF-8, numbers have a point", function()
    session {env = {LC_ALL = "C"}, screen.type "'ä€😀x", screen.type "\127",
      ask("' .. 1.5", '"ä€😀1.5"')}
  end)

  editing("passes keys on whole, however they arrive", function()
    local taken = shell "sleep 0.02"
    session {screen.type "24", see "24", screen.type "\27", taken, screen.type "[", taken,
      ask("D3", "234"),
      screen.type "1\27[200~2\27[15~\27Ox3", ask("", "123")}
  end)

  editing("may change its width while a line is typed", function()
    local out = session {
      await_go, enter "function f() go:wait() print('out') end", see "> ",
      enter "t = lucio.create_task(f)", see "> ", screen.type("'" .. ("x"):rep(45)),
      see(("x"):rep(45)), screen.width(20), screen.type "y", see "> 'xx", go,
      see "out\n> 'xx", screen.width(80),
      ask("' == '" .. ("x"):rep(45) .. "y'", "true"),
      screen.width(30), ask("{'aaaaaaaa', 'bbbbbbbb', 'cccccccc'}",
        '{\n  "aaaaaaaa", "bbbbbbbb",\n  "cccccccc"\n}'),
    }
    assert.matches("\27[2A\r\27[J> 'xx", out, 1, true)
  end)

  editing("may get another mode from a shell while the command is stopped", function()
    session {
      screen.type "'ab", see "'ab",
      shell "kill -STOP $PID; stty -F /proc/$PID/fd/0 sane; kill -CONT $PID", see "> 'ab",
      screen.type "c\27[D\27[D_", ask("'", '"a_bc"') [1], see "> ", ask("1", "1"),
    }
  end)

  it("may paste: tabs within are tabs, lines are inputs", function()
    session {
      screen.type "for i = 1, 2 do\r\tx = 'a\tb'\r\tprint(x)\rend\r",
      see "a\tb\na\tb\n> ", ask("#x", "3"),
    }
  end)

  it("may be dumb, without a home", function()
    session {env = {TERM = "dumb", HOME = false},
      ask("1 + 1", "2"),
      await_go, ask("t = lucio.create_task(function() go:wait() print('tick') end)", ""),
      screen.type "'ab", see "'ab", go, see "tick\n> ", ask("c'", '"abc"'),
      screen.type "xyz", interrupt, see "\n> ",
      interrupted "lucio.sleep(60)", see "KeyboardInterrupt\n> ",
    }
  end)

  it("may be unknown, or have no name", function()
    session {env = {TERM = "no-such-terminal"}, ask("1 + 1", "2")}
    session {env = {TERM = false}, ask("1 + 1", "2")}
  end)

  it("may be there for the input alone: results go where stdout goes", function()
    local path = os.tmpname()
    local r = screen.run {redirect = ">" .. path, see "> ", enter "6 * 7", see "> ", eof}
    assert.are.same({"", 0}, {r.err, r.status})
    assert.matches("\n42\n$", command.read_file(path))
    os.remove(path)
  end)

  it("may go away: the prompt ends, and the command cleans up", function()
    local path = os.tmpname()
    local r = screen.run {prefix = "trap '' HUP;", redirect = "2>" .. path, greeting,
      enter "function work() local _ <close> = cleanup lucio.sleep(60) end", see "\n> ",
      enter "cleanup = setmetatable({}, {__close = function() io.stderr:write('cleaned up') end})",
      see "\n> ",
      enter "t = lucio.create_task(work)", see "\n> ", screen.hang_up}
    assert.are.same({"", 0}, {r.err, r.status})
    -- a prompt without libedit ends its line first
    assert.matches("^\n?cleaned up$", command.read_file(path))
    os.remove(path)
  end)
end)

describe("options with a prompt", function()
  local function script(text)
    local path = os.tmpname()
    local file <close> = assert(io.open(path, "w"))
    file:write(text)
    return path
  end

  it("-i: it follows the script, which has its arguments and its tasks go on", function()
    local path = script [[
      local lucio = require "lucio"
      print("arguments", ...)
      value = 5
      task = lucio.create_task(function() lucio.sleep(0.05) return "from the script" end)]]
    local out = session {words = {"-i", path, "a", "b"}, ask("value, lucio ~= nil", "5\ttrue"),
      ask("task:await()", '"from the script"'), ask("arg[2]", '"b"')}
    assert.matches("^arguments\ta\tb\nlucio ", out)
    os.remove(path)
  end)

  it("-i: an error of the script ends the command, as in lua", function()
    local path = script "error('failed', 0)"
    local r = screen.run {words = {"-i", path}, see "failed"}
    assert.are.same({"", 1}, {r.err, r.status})
    os.remove(path)
  end)

  it("-l: requires before the prompt; -e, -v: no prompt", function()
    session {words = {"-l", "s=string"}, ask("s.rep('x', 2)", '"xx"')}
    assert.are.equal(0, screen.run{words = {"-e", "print(1)"}, see "1\n"}.status)
    local r = screen.run {words = {"-v"}}
    assert.are.same({0, true}, {r.status, r.screen:find("^lucio [%d.]+, Lua 5[%d.]+\n$") ~= nil})
  end)

  it("-v -i: the version once", function()
    local r = screen.run {words = {"-v", "-i"}, see "\n> ", eof}
    local _, count = r.screen:gsub("lucio [%d.]+, Lua", "")
    assert.are.same({"", 0, 1}, {r.err, r.status, count})
  end)

  it("without a terminal standard input is run as a chunk", function()
    local r = command.run {"-i", stdin = "print(1 + 1)\nlucio = require 'lucio' lucio.sleep(0)"}
    assert.are.same({"2\n", "", 0}, {r.out, r.err, r.status})
  end)
end)
