-- What the command prints of an error that nobody caught: causes, tracebacks, groups, colours.
local assert = require "luassert"
local command = require "spec.cli.command"
local limit = require "spec.support.limit"
local screen = require "spec.cli.screen"

local run, script = command.run, command.script

-- Runs the program, which ends with an error. In `want` APP stands for its file.
local function prints(want, text)
  local r = script(text)
  assert.are.equal((want:gsub("APP", r.script):gsub("TAB", "\t")), r.err)
  assert.are.equal(1, r.status)
end

local GROUP = [[
local lucio = require "lucio"
local function fail(e)
  lucio.sleep(1)
  error(e, 0)
end
local function both()
  local tg <close> = lucio.TaskGroup()
  tg:create_task{fail, lucio.ValueError("first"), name = "a"}
  tg:create_task{fail, "text", name = "b"}
end
lucio.create_task{both, name = "both"}:await()
]]

describe("an error that nobody caught is printed", function()
  it("API 4: with the stack of each task that it came through", function()
    prints([[
lucio: ValueError: no page 7
stack traceback:
	[C]: in function 'error'
	APP:4: in upvalue 'fetch'
	APP:8: in function <APP:7>
	(in task 'Task-2' created at APP:11)
	[C]: in function 'lucio.gather'
	APP:11: in upvalue 'fetch_all'
	APP:13: in function <APP:13>
	(in task 'main' created at APP:13)
	[C]: in method 'await'
	APP:13: in main chunk
]], [[
local lucio = require "lucio"
local function fetch(page)
  lucio.sleep(page)
  error(lucio.ValueError("no page " .. page))
end

local function worker()
  fetch(7)
end
local function fetch_all()
  lucio.gather(worker, lucio.Future())
end
lucio.create_task{function() fetch_all() end, name = "main"}:await()
]])
  end)

  it("API 4: when it is a bare value", function()
    prints([[
lucio: APP:2: plain
stack traceback:
	[C]: in function 'error'
	APP:2: in function <APP:2>
	(in task 'Task-2' created at APP:3)
	[C]: in method 'await'
	APP:3: in main chunk
]], [[
local lucio = require "lucio"
local function fail() error("plain") end
lucio.create_task(fail):await()
]])
  end)

  it("EG: as a tree when it is a group", function()
    prints([[
lucio: ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions)
stack traceback:
	[C]: in metamethod 'close'
	APP:10: in function <APP:6>
	(in task 'both' created at APP:11)
	[C]: in method 'await'
	APP:11: in main chunk
  +-- [1] ValueError: first
  |   stack traceback:
  |   	[C]: in function 'error'
  |   	APP:4: in function <APP:2>
  |   	(in task 'a' created at APP:8)
  +-- [2] LuaError: text
      stack traceback:
      TAB[C]: in function 'error'
      TABAPP:4: in function <APP:2>
      TAB(in task 'b' created at APP:9)
]], GROUP)
  end)

  it("EG: with groups in groups, and no more than one can read", function()
    local r = script [[
      local lucio = require "lucio"
      local many = {}
      for i = 1, 20 do many[i] = lucio.ValueError("e" .. i) end
      local inner = lucio.ExceptionGroup("inner", {lucio.ValueError("leaf")})
      error(lucio.ExceptionGroup("outer", {inner, lucio.ExceptionGroup("many", many)}))]]
    assert.matches("\n  +-- [1] ExceptionGroup: inner (1 sub-exception)\n"
      .. "  |     +-- [1] ValueError: leaf\n"
      .. "  +-- [2] ExceptionGroup: many (20 sub-exceptions)\n"
      .. "        +-- [1] ValueError: e1\n", r.err, 1, true)
    assert.matches("\n        +-- [15] ValueError: e15\n        +-- ... (5 more)\n", r.err, 1, true)
    r = script [[
      local lucio = require "lucio"
      local e = lucio.ValueError("leaf")
      for i = 1, 40 do e = lucio.ExceptionGroup("level " .. i, {e, e}) end
      error(e)]]
    assert.matches("more)", r.err, 1, true)
    assert.is_true(#r.err < 200000)
    assert.are.equal(1, r.status)
  end)

  it("API 3: after the errors that are its cause", function()
    prints([[
lucio: FileNotFoundError: no such file
stack traceback:
	[C]: in function 'error'
	APP:2: in function <APP:2>
	[C]: in function 'lucio.pcall'
	APP:3: in main chunk

The above exception was the direct cause of the following exception:

RuntimeError: no settings
stack traceback:
	[C]: in function 'error'
	APP:6: in main chunk
]], [[
local lucio = require "lucio"
local function open() error(lucio.FileNotFoundError("no such file")) end
local ok, cause = lucio.pcall(open)
local e = lucio.RuntimeError("no settings")
e.cause = cause
error(e)
]])
  end)

  it("API 3: after the error that it replaced", function()
    prints([[
lucio: APP:4: first
stack traceback:
	[C]: in function 'error'
	APP:4: in main chunk

During handling of the above exception, another exception occurred:

ValueError: second
stack traceback:
	[C]: in function 'error'
	APP:2: in function <APP:2>
]], [[
local lucio = require "lucio"
local function close(_, err) if err then error(lucio.ValueError("second")) end end
local _ <close> = setmetatable({}, {__close = close})
error("first")
]])
  end)

  it("API 3: when causes go in a circle, or are no errors", function()
    prints([[
lucio: ValueError: b

The above exception was the direct cause of the following exception:

ValueError: a
stack traceback:
	[C]: in function 'error'
	APP:4: in main chunk
]], [[
local lucio = require "lucio"
local a, b = lucio.ValueError("a"), lucio.ValueError("b")
a.cause, b.cause = b, a
error(a)
]])
    local r = script [[
      local lucio = require "lucio"
      local e = lucio.ValueError("a")
      e.cause = "some text"
      error(e)]]
    assert.matches("^lucio: some text\n\nThe above", r.err)
  end)

  it("EX: in reports as well", function()
    local r = script [[
local lucio = require "lucio"
local loop = lucio.get_running_loop()
local function inner() error(lucio.ValueError("lost")) end
local function outer() lucio.create_task{inner, name = "inner"}:await() end
lucio.create_task{outer, name = "outer"}
lucio.sleep(1)
loop:call_soon(function() error(lucio.ExceptionGroup("two", {lucio.ValueError("a")})) end)
lucio.sleep(1)
]]
    local want = [[
Task exception was never retrieved
future: <Task finished name='outer' at APP:4 exception=ValueError('lost')>
ValueError: lost
stack traceback:
	[C]: in function 'error'
	APP:3: in function <APP:3>
	(in task 'inner' created at APP:4)
	[C]: in method 'await'
	APP:4: in function <APP:4>
	(in task 'outer' created at APP:5)
]]
    assert.matches(want:gsub("APP", r.script), r.err, 1, true)
    assert.matches("ExceptionGroup: two (1 sub-exception)\nstack traceback:\n", r.err, 1, true)
    assert.matches("\n  +-- [1] ValueError: a\n", r.err, 1, true)
    assert.are.equal(0, r.status)
  end)

  it("API 4: with the places of tasks from thousands of chunks", function()
    local r = script [[
local lucio = require "lucio"
local seen, fail = 0, function() error("x", 0) end
for i = 1, 6000 do
  local chunk = load("local create_task, fail = ...\nreturn create_task(fail)", "=chunk" .. i)
  local task = chunk(lucio.create_task, fail)
  lucio.sleep(1)
  local place = task:exception().traceback:match("created at (%S+)%)$")
  if place then
    seen = seen + 1
    assert(place == "chunk" .. i .. ":2", place)
  end
end
print(seen > 4000, seen < 4200)]]
    assert.are.same({"true\ttrue\n", "", 0}, {r.out, r.err, r.status})
  end)

  it("EX7: in debug mode with the stack that created a task", function()
    local r = run{clock = "virtual", env = {LUCIO_DEBUG = "1"}, script = [[
local lucio = require "lucio"
local function fail() error("text", 0) end
local function spawn() local task = lucio.create_task(fail) return task end
spawn():await()
]]}
    local want = "\t(in task 'Task-2' created at APP:3)\n\t    APP:3: in local 'spawn'\n"
      .. "\t    APP:4: in main chunk\n\t[C]: in method 'await'\n"
    assert.matches(want:gsub("APP", r.script), r.err, 1, true)
  end)
end)

describe("colours", function()
  local quote = command.quote

  -- What the command writes to a terminal; `env` is put before it.
  local function on_terminal(env, text)
    local path = os.tmpname()
    local file <close> = assert(io.open(path, "w"))
    file:write(text)
    file:flush()
    local line = "%s %d 80 env -u NO_COLOR TERM=xterm LUCIO_CLOCK=virtual %s %s %s </dev/null 2>&1"
    local pipe = assert(io.popen(line:format(quote(screen.pty), limit, env, quote(command.path),
      quote(path))))
    local out = pipe:read("a"):gsub("\r\n", "\n")
    pipe:close()
    os.remove(path)
    return out, path
  end

  it("are used on a terminal", function()
    local out, path = on_terminal("", GROUP)
    assert.matches("lucio: \27[1;31mExceptionGroup\27[0m: unhandled", out, 1, true)
    assert.matches("\n  |   \t\27[35m" .. path .. ":4\27[0m: in \27[1mfunction <", out, 1, true)
    assert.matches("\n  |   \t\27[2m(in task 'a' created at " .. path .. ":8)\27[0m\n", out, 1,
      true)
    assert.matches("\n  |   \t\27[2m[C]: in function 'error'\27[0m\n", out, 1, true)
    local r = script(GROUP)
    assert.are.equal((r.err:gsub(r.script, path)), (out:gsub("\27%[[%d;]*m", "")))
  end)

  it("are not used where NO_COLOR is set, or TERM is dumb", function()
    for _, env in ipairs{"NO_COLOR=1", "TERM=dumb"} do
      local out = on_terminal(env, GROUP)
      assert.matches("lucio: ExceptionGroup: unhandled", out, 1, true)
      assert.is_nil(out:find("\27", 1, true))
    end
    assert.matches("\27", (on_terminal("NO_COLOR=", GROUP)), 1, true)
  end)

  it("are not used in a pipe or a file", function()
    local r = run{script = GROUP, clock = "virtual", env = {TERM = "xterm"}}
    assert.matches("lucio: ExceptionGroup: unhandled", r.err, 1, true)
    assert.is_nil(r.err:find("\27", 1, true))
  end)
end)
