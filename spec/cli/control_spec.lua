-- lucio ps, pstree and cancel ask a running process; SIGQUIT and SIGUSR1 make it print its tasks.
-- The clock is the real one; a case waits for output, never for an amount of time.
local assert = require "luassert"
local command = require "spec.cli.command"
local limit = require "spec.support.limit"
local system = require "spec.support.system"

local quote = command.quote

-- Shell functions: `start ARGS` runs lucio with the script $S and sets $P once it has printed "up",
-- which a script whose tasks are looked at does in a callback: when they wait;
-- `ask ARGS` runs lucio; `halt` stops the process; `until_err TEXT` waits until the process has
-- printed it on stderr.
local PRELUDE = [[
start() {
  rm -f "$D/out"
  env --default-signal=INT,QUIT,USR1,URG "$LUCIO" "$@" >"$D/out" 2>"$D/err" </dev/null &
  P=$!
  until grep -qs up "$D/out"; do sleep 0.01; done
}
ask() { "$LUCIO" "$@" 2>&1; echo "status $?"; }
until_err() { until grep -q "$1" "$D/err"; do sleep 0.01; done; }
halt() { kill -STOP $P; until grep -q ') T' "/proc/$P/stat"; do sleep 0.01; done; }
stop() { kill -KILL $P; wait $P 2>/dev/null; }
]]

local TASKS = [[
local lucio = require "lucio"
io.stdout:setvbuf("line")
lucio.create_task{function()
  local _ <close> = setmetatable({}, {__close = function(_, e) print("ended", e) end})
  lucio.gather(lucio.create_task{lucio.sleep, 500, name = "child"})
end, name = "parent"}
lucio.create_task{function() lucio.Event():wait() end, name = "two words"}
lucio.create_task{function() lucio.Event():wait() end, name = "twin"}
lucio.create_task{function() lucio.Event():wait() end, name = "twin"}
lucio.sleep(0.01)
]]

local UP = 'lucio.get_running_loop():call_soon(print, "up") '
local WAITS = TASKS .. UP .. "lucio.sleep(600)"
local BUSY = TASKS .. 'print("up") while true do lucio.sleep(0) end'
local STUCK = TASKS .. 'print("up") while true do end'

-- Runs shell lines in a directory of their own, $D, with the text `script` as the file $S. Returns
-- what they print, and what the process that they started has printed on stderr.
local function session(script, lines)
  local pipe = assert(io.popen("mktemp -d"))
  local dir = pipe:read("l")
  pipe:close()
  local file <close> = assert(io.open(dir .. "/script.lua", "wb"))
  file:write(script)
  file:flush()
  local text = string.format("LUCIO=$(realpath %s) D=%s S=%s XDG_RUNTIME_DIR=%s\n%s\n%s\n",
    quote(command.path), quote(dir), quote(dir .. "/script.lua"), quote(dir), PRELUDE, lines)
  pipe = assert(io.popen("exec 2>&1; export LUCIO XDG_RUNTIME_DIR; unset LUCIO_CONTROL"
    .. " LUCIO_CLOCK LUCIO_DEBUG LUCIO_BACKEND LUA_INIT;"
    .. " timeout -k 2 " .. limit .. " bash -c " .. quote("export XDG_RUNTIME_DIR; " .. text)))
  local out = pipe:read("a")
  pipe:close()
  local err = io.open(dir .. "/err", "rb")
  local printed = err and err:read("a") or ""
  if err then err:close() end
  os.execute("rm -rf " .. quote(dir))
  return out, printed
end

local function has(text, part)
  assert.matches(part, text, 1, true)
end

local function lacks(text, part)
  assert.is_nil(text:find(part, 1, true), text)
end

describe("lucio ps", function()
  it("prints a line for each task with what it waits for, where, and who awaits it", function()
    local out = session(WAITS, 'start "$S"; ask ps $P; stop')
    has(out, "ID  NAME       STATE    SECONDS  WAITS FOR")
    assert.truthy(out:find("\n1   Task%-1     waiting  [%d.]+ +sleep %(%d+%.%d+ s more%) +"
      .. "%S+script%.lua:%d+ in main chunk"))
    assert.truthy(out:find("\n3   two words  waiting  [%d.]+ +event "))
    assert.truthy(out:find("\n6   child      waiting  [%d.]+ +sleep %([%d.]+ s more%) .- parent\n"))
    lacks(out, " \n")
    has(out, "status 0")
  end)

  it("is answered while tasks keep the loop busy", function()
    local out = session(BUSY, 'start "$S"; ask ps $P; stop')
    assert.truthy(out:find("\n1   Task%-1     r%l+ +%S+script%.lua:"))
    has(out, "status 0")
  end)

  it("is answered from within a step that never ends", function()
    local out = session(STUCK, 'start "$S"; ask ps $P; stop')
    assert.truthy(out:find("\n1   Task%-1     running .-script%.lua:%d+ in main chunk"))
    has(out, "status 0")
  end)

  it("says how long a step takes", function()
    local out = session([[
      local began = os.clock()
      while os.clock() - began < 0.15 do end
      print("up")
      io.stdout:flush()
      while true do end]], 'start "$S"; ask ps $P; ask pstree $P; stop')
    assert.truthy(out:find("\n1 +Task%-1 +running +[%d.]+ +%S+script%.lua:%d+ in main chunk\n"))
    assert.truthy(out:find("\nTask%-1: running [%d.]+ s at %S+script%.lua:%d+ in main chunk\n"))
  end)

  it("is answered in a run call of the script, of all loops", function()
    local out = session([[
      local lucio = require "lucio"
      lucio.run(function()
        lucio.current_task():set_name("inner")
        lucio.get_running_loop():call_soon(function()
          print("up")
          io.stdout:flush()
        end)
        lucio.sleep(600)
      end)]], 'start "$S"; ask ps $P; ask pstree $P; stop')
    assert.truthy(out:find("\n1 +Task%-1 +running "))
    assert.truthy(out:find("\n2 +inner +waiting "))
    has(out, "\n\ninner: waiting")
  end)

  it("answers several who ask at once", function()
    local out = session(WAITS, [[start "$S"
      for i in 1 2 3 4 5; do ask ps $P >"$D/$i" & list="$list $!"; done
      wait $list
      cat "$D"/[1-5] | grep -c "status 0"
      stop]])
    assert.are.equal("5\n", out)
  end)

  it("does not touch the hook of a script that has one", function()
    local out = session([[
      print("up")
      io.stdout:flush()
      local lines = 0
      debug.sethook(function() lines = lines + 1 end, "l")
      local before
      local i = 0
      repeat i = i + 1 until i % 1e5 == 0 and io.open(arg[1])
      before = lines
      for _ = 1, 100 do
        local _ = 1
      end
      print(lines - before > 100)]],
      'start "$S" "$D/go"; ask ps $P; ask ps $P; touch "$D/go"; wait $P; cat "$D/out"')
    has(out, "Task-1  running")
    has(out, "true")
  end)
end)

describe("lucio pstree", function()
  it("prints what print_tasks prints", function()
    local out = session(WAITS, 'start "$S"; ask pstree $P; stop')
    out = out:gsub("%d+%.%d+ s", "N s"):gsub("%S+script%.lua:%d+", "FILE")
    has(out, "parent: waiting N s for gather at FILE in function <line 3>, created at FILE\n"
      .. "+- gather of 1, 0 done\n"
      .. "   +- child: waiting N s for sleep (N s more) at [C], created at FILE\n"
      .. "two words: waiting N s for event at FILE in function <line 7>, created at FILE\n")
    has(out, "status 0")
  end)

  it("is answered under the virtual clock", function()
    local out = session([[
      local lucio = require "lucio"
      io.stdout:setvbuf("line")
      lucio.get_running_loop():add_signal_handler("SIGUSR2", function() end)
      lucio.get_running_loop():call_soon(print, "up")
      lucio.Event():wait()]], 'start --virtual-clock "$S"; ask pstree $P; stop')
    has(out, "for event at")
  end)
end)

describe("lucio cancel", function()
  it("cancels a task by its name", function()
    local out = session(WAITS, [[start "$S"
      ask cancel $P parent
      until grep -q ended "$D/out"; do sleep 0.01; done
      cat "$D/out"
      ask ps $P
      stop]])
    has(out, "task 2, parent, was asked to end\nstatus 0\n")
    has(out, "ended\tcancelled from outside")
    lacks(out, "child")
  end)

  it("takes a name of several words, and a number where no name is the same", function()
    local out = session(WAITS, [[start "$S"; ask cancel $P "two words"; ask cancel $P 6
      ask ps $P; stop]])
    has(out, "task 3, two words, was asked to end\nstatus 0\n")
    has(out, "task 6, child, was asked to end\nstatus 0\n")
    lacks(out, "waiting  ended")
  end)

  it("says so when no task or more than one has the name", function()
    local out = session(WAITS, 'start "$S"; ask cancel $P none; ask cancel $P twin; stop')
    assert.truthy(out:find("lucio: process %d+ has no task none\nstatus 1\n"))
    assert.truthy(out:find("lucio: 2 tasks of process %d+ are called twin; .-\nstatus 1\n"))
  end)

  it("makes the main task end the program in order", function()
    local out, err = session(WAITS, 'start "$S"; ask cancel $P 1; wait $P; echo $?; cat "$D/out"')
    has(out, "was asked to end\nstatus 0\n1\n")
    has(out, "ended\t")
    has(err, "CancelledError: cancelled from outside")
  end)
end)

describe("asking a process", function()
  it("that does not exist, or is no lucio, fails and leaves it alone", function()
    local out = session("", [[sleep 600 & P=$!
      ask ps $P; kill -0 $P && echo alive; stop; ask pstree $P]])
    assert.truthy(out:find("lucio: process %d+ does not answer questions: it is no lucio"))
    has(out, "status 1\nalive\n")
    assert.truthy(out:find("lucio: there is no process %d+\nstatus 1\n"))
  end)

  system.case(system.another_user(command.path), "root, setpriv and a path that all may read",
    "of another user fails", function()
    local out = session(WAITS, [[
      cp "$LUCIO" "$D/lucio-copy"; chmod 755 "$D" "$D/lucio-copy"
      setpriv --reuid=65534 --regid=65534 --clear-groups "$D/lucio-copy" -e \
        'print("up") io.stdout:flush() require("lucio").sleep(600)' >"$D/out" & P=$!
      until grep -qs up "$D/out"; do sleep 0.01; done
      ask ps $P; stop]])
    assert.truthy(out:find("lucio: process %d+ belongs to another user\nstatus 1\n"))
  end)

  it("needs its number", function()
    local out = session("", "ask ps; ask ps x; ask pstree 1 2; ask cancel 1; ask ps 0")
    has(out, "usage: lucio ps PID\nstatus 1\nusage: lucio ps PID\nstatus 1\n"
      .. "usage: lucio pstree PID\nstatus 1\nusage: lucio cancel PID TASK\nstatus 1\n"
      .. "usage: lucio ps PID\nstatus 1\n")
  end)

  it("is not meant where the directory has a script of that name", function()
    local out = session("", [[cd "$D"; echo 'print("a script", ...)' >ps; ask ps 1]])
    assert.are.equal("a script\t1\nstatus 0\n", out)
  end)

  it("is off with --no-control and LUCIO_CONTROL=0, which -E ignores", function()
    local out = session(WAITS, [[
      start --no-control "$S"; ask ps $P; stop
      export LUCIO_CONTROL=0
      start "$S"; ask ps $P; stop
      start -E "$S"; ask ps $P | grep -c Task-1; stop]])
    local _, refused = out:gsub("does not answer questions: it is no lucio command, or one with "
      .. "%-%-no%-control\nstatus 1\n", "")
    assert.are.equal(2, refused)
    assert.are.equal("1", out:match("(%d+)\n$"))
  end)

  it("that is stopped says so", function()
    local out = session(WAITS, 'start "$S"; halt; ask ps $P; stop')
    has(out, "does not answer: it is stopped\nstatus 1\n")
  end)

  it("leaves no socket, and removes those of askers that were killed", function()
    local out = session(WAITS, [[start "$S"
      ask ps $P >/dev/null
      stat -c %a "$D/lucio"
      true & dead=$!; wait $dead
      : >"$D/lucio/$dead.sock"
      : >"$D/lucio/$$.sock"
      ask ps $P >/dev/null
      [ "$(ls "$D/lucio")" = "$$.sock" ] && echo clean
      stop]])
    assert.are.equal("700\nclean\n", out)
  end)

  it("opens a socket that only the user may write to", function()
    local out = session(WAITS, [[start "$S"; halt
      "$LUCIO" ps $P >/dev/null 2>&1 & asker=$!
      until [ -S "$D/lucio/$asker.sock" ]; do sleep 0.01; done
      stat -c %a "$D/lucio/$asker.sock"
      kill -INT $asker; wait $asker; echo $?
      ls "$D/lucio"
      stop]])
    has(out, "700\n130\n")
    lacks(out, ".sock")
  end)

  it("trusts no directory that others may enter, and no link", function()
    local out = session(WAITS, [[
      mkdir -m 755 "$D/lucio"
      start "$S"; ask ps $P | grep -c Task-1; ls "$D/lucio"; stop
      rmdir "$D/lucio"; mkdir -m 700 "$D/own"; ln -s own "$D/lucio"
      start "$S"; ask ps $P | grep -c Task-1; ls "$D/own"; stop]])
    -- the next directory in line serves
    assert.are.equal("1\n1\n", out)
  end)
end)

describe("SIGQUIT and SIGUSR1", function()
  for _, name in ipairs{"QUIT", "USR1"} do
    for kind, script in pairs{sleeps = WAITS, ["is busy"] = BUSY, ["is stuck in a step"] = STUCK} do
      it("SIG" .. name .. " prints the tasks while the program " .. kind, function()
        local out, err = session(script, string.format(
          'start "$S"; kill -%s $P; until_err twin; kill -0 $P && echo alive; stop', name))
        assert.are.equal("alive\n", out)
        assert.truthy(err:find("^Tasks of process %d+:\nTask%-1: %l+ "))
        has(err, "two words")
      end)
    end
  end

  it("leave a handler of the script alone, and print again when it is removed", function()
    local out, err = session([[
      local lucio = require "lucio"
      io.stdout:setvbuf("line")
      local loop, seen = lucio.get_running_loop(), lucio.Event()
      loop:add_signal_handler("SIGUSR1", function() seen:set() end)
      print("up")
      seen:wait()
      loop:remove_signal_handler("SIGUSR1")
      print("seen")
      lucio.sleep(600)]], [[start "$S"
      kill -USR1 $P
      until grep -q seen "$D/out"; do sleep 0.01; done
      cat "$D/err"
      kill -USR1 $P; until_err Task-1; stop]])
    assert.are.equal("", out)
    assert.are.equal(1, select(2, err:gsub("Tasks of process", "")))
  end)

  it("keep their meaning for the system with --no-control", function()
    local out = session(WAITS, 'start --no-control "$S"; kill -USR1 $P; wait $P; echo $?')
    has(out, "138")
  end)
end)
