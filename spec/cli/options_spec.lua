-- API.md section 4: the options of the command.
local assert = require "luassert"
local command = require "spec.cli.command"

local run = command.run

local function has(text, part)
  assert.matches(part, text, 1, true)
end

describe("lucio -e", function()
  it("API 4: runs the text, with lucio as a global", function()
    local r = run{"-e", "print(lucio.sleep(0, 'slept'))"}
    assert.are.same({"slept\n", "", 0}, {r.out, r.err, r.status})
  end)

  it("API 4: more than one, in order, attached or not", function()
    local r = run{"-e", "x = 1", "-eprint(x)", "-e", "print(x + 1)"}
    assert.are.same({"1\n2\n", 0}, {r.out, r.status})
  end)

  it("API 4: may suspend and make tasks", function()
    local r = run{"--virtual-clock", "-e", [[
      local t = lucio.create_task(function() lucio.sleep(5) return "task" end)
      print(t:await())]]}
    assert.are.same({"task\n", "", 0}, {r.out, r.err, r.status})
  end)

  it("API 4: an error prints message and traceback and ends it with 1", function()
    local r = run{"-e", "error(lucio.ValueError('boom'))", "-e", "print('never')"}
    assert.are.equal(1, r.status)
    assert.are.equal("", r.out)
    has(r.err, "ValueError: boom")
    has(r.err, "stack traceback")
  end)

  it("API 4: a syntax error too", function()
    local r = run{"-e", "x ="}
    assert.are.equal(1, r.status)
    has(r.err, "near <eof>")
  end)

  it("API 4: goes before the script", function()
    local r = run{script = "print(x, ...)", "-e", "x = 'set'", "SCRIPT", "a"}
    assert.are.same({"set\ta\n", 0}, {r.out, r.status})
  end)

  it("API 4: without its argument is an error", function()
    local r = run{"-e"}
    assert.are.equal(1, r.status)
    assert.matches("'%-e' needs a?n? ?argument", r.err)
  end)
end)

describe("lucio -l", function()
  it("API 4: requires a module as a global", function()
    local r = run{"-l", "lucio", "-e", "print(type(lucio.sleep))"}
    assert.are.same({"function\n", 0}, {r.out, r.status})
    r = run{script = "print(type(lucio))", "-llucio", "SCRIPT"}
    assert.are.same({"table\n", 0}, {r.out, r.status})
  end)

  it("API 4: name=module sets the global of that name", function()
    local r = run{script = "print(type(l.sleep))", "-l", "l=lucio", "SCRIPT"}
    assert.are.same({"function\n", 0}, {r.out, r.status})
  end)

  it("API 4: a module that is not found is an error", function()
    local r = run{"-l", "no.such.module", "-e", "print('never')"}
    assert.are.equal(1, r.status)
    assert.are.equal("", r.out)
    has(r.err, "no.such.module")
  end)
end)

describe("lucio -v, --version, --help", function()
  it("API 4: -v tells the versions and goes on", function()
    local r = run{"-v"}
    assert.are.equal(0, r.status)
    assert.matches("lucio %d+%.%d+", r.out)
    assert.matches("Lua 5%.4", r.out)
    r = run{"-v", "-e", "print('more')"}
    assert.matches("Lua 5%.4.*\nmore\n$", r.out)
    assert.are.equal(0, r.status)
  end)

  it("API 4: --version does and ends", function()
    local r = run{"--version"}
    assert.are.equal(0, r.status)
    assert.matches("lucio %d+%.%d+", r.out)
    assert.are.equal("", r.err)
  end)

  it("API 4: --help lists the options and ends", function()
    local r = run{"--help"}
    assert.are.same({"", 0}, {r.err, r.status})
    has(r.out, "lucio [options] [script [args]]")
    for _, option in ipairs{
      "-e", "-l", "-i", "-v", "-E", "-W", "--debug", "--virtual-clock", "--backend", "--version",
      "--help",
    } do
      has(r.out, option)
    end
  end)
end)

describe("lucio with wrong options", function()
  it("API 4: an unknown one is named, with the usage, status 1", function()
    for _, option in ipairs{"--nope", "-x", "--virtual"} do
      local r = run{option, "-e", "print('never')"}
      assert.are.equal(1, r.status)
      assert.are.equal("", r.out)
      has(r.err, option)
      has(r.err, "usage: ")
    end
  end)

  it("API 4: --backend without a name, or with an unknown one", function()
    local r = run{"--backend"}
    assert.are.equal(1, r.status)
    has(r.err, "--backend")
    r = run{"--backend", "steam", "-e", "print('never')"}
    assert.are.equal(1, r.status)
    assert.are.equal("", r.out)
    has(r.err, "steam")
  end)

  it("API 4: a script that cannot be opened", function()
    local r = run{"no/such/script.lua"}
    assert.are.equal(1, r.status)
    has(r.err, "cannot open no/such/script.lua")
  end)
end)

describe("lucio -W, -E, -, --", function()
  it("API 4: -W turns warnings on", function()
    local r = run{"-W", "-e", "warn('careful')"}
    assert.are.equal(0, r.status)
    has(r.err, "Lua warning: careful")
    r = run{"-e", "warn('careful')"}
    assert.are.equal("", r.err)
  end)

  it("API 4: warnings are those of lua, whatever the state's allocator", function()
    local text = [[
      warn("@on") warn("@unknown") warn("one") warn("in ", "pieces ", "@off")
      warn("@off") warn("lost ", "too") warn("@on") warn("last")
      local list = {}
      for i = 1, 3000 do list[i] = ("x"):rep(i % 1500) .. i end
      for i = 1, 3000 do assert(list[i] == ("x"):rep(i % 1500) .. i) end]]
    local warnings = "Lua warning: one\nLua warning: in pieces @off\nLua warning: last\n"
    for _, allocator in ipairs{"", "malloc"} do
      local r = run{script = text, env = {LUCIO_ALLOCATOR = allocator}}
      assert.are.same({"", warnings, 0}, {r.out, r.err, r.status})
    end
  end)

  it("API 4: - runs the standard input, with arguments", function()
    local r = run{stdin = "print('input', ...)\nrequire('lucio').sleep(0)\nprint(arg[0], arg[1])",
      "-", "a", "b"}
    assert.are.same({"input\ta\tb\n-\ta\n", "", 0}, {r.out, r.err, r.status})
  end)

  it("API 4: without a script the standard input is run, if it is no terminal", function()
    local r = run{stdin = "print('input')"}
    assert.are.same({"input\n", "", 0}, {r.out, r.err, r.status})
  end)

  it("API 4: -E ignores the variables of Lua and of lucio", function()
    local env = {LUA_INIT = "print('init')", LUA_PATH = "/nowhere/?.lua", LUCIO_DEBUG = "1"}
    local text = [[
      print(package.path:find("nowhere", 1, true) ~= nil)
      print(require("lucio").get_running_loop():get_debug())]]
    local r = run{script = text, env = env}
    assert.are.same({"init\ntrue\ntrue\n", 0}, {r.out, r.status})
    r = run{script = text, env = env, "-E", "SCRIPT"}
    assert.are.same({"false\nfalse\n", 0}, {r.out, r.status})
    env, text = {LUCIO_FS_THREADS = "none"}, "print(pcall(require, 'lucio.fs'))"
    assert.matches("^false.*LUCIO_FS_THREADS", run{script = text, env = env}.out)
    assert.matches("^true", run{script = text, env = env, "-E", "SCRIPT"}.out)
  end)

  it("API 4: -- ends the options", function()
    local r = run{script = "print('script', ...)", "--", "SCRIPT", "-e"}
    assert.are.same({"script\t-e\n", 0}, {r.out, r.status})
  end)
end)

describe("lucio --debug, --virtual-clock, --backend", function()
  local DEBUG = 'print(require("lucio").get_running_loop():get_debug())'
  local BACKEND = 'print(require("lucio").get_running_loop().backend)'
  local CLOCK = [[
    local lucio = require "lucio"
    local loop = lucio.get_running_loop()
    local start, real = loop:time(), os.time()
    print(start == math.floor(start))
    lucio.sleep(1000)
    print(loop:time() - start == 1000, os.time() - real < 500)]]

  it("API 4: --debug and LUCIO_DEBUG=1 turn debug mode on", function()
    assert.are.equal("false\n", run{script = DEBUG}.out)
    assert.are.equal("true\n", run{script = DEBUG, "--debug", "SCRIPT"}.out)
    assert.are.equal("true\n", run{script = DEBUG, env = {LUCIO_DEBUG = "1"}}.out)
    assert.are.equal("false\n", run{script = DEBUG, env = {LUCIO_DEBUG = ""}}.out)
  end)

  it("API 4: debug mode holds for every loop that the script makes", function()
    local text = [[
      local lucio = require "lucio"
      lucio.run(function() print(lucio.get_running_loop():get_debug()) end)
      local loop = lucio.new_event_loop()
      print(loop:get_debug())
      loop:close()]]
    assert.are.equal("true\ntrue\n", run{script = text, "--debug", "SCRIPT"}.out)
  end)

  it("API 4: --virtual-clock and LUCIO_CLOCK=virtual make the clock jump", function()
    local expected = {"true\ntrue\ttrue\n", "", 0}
    local r = run{script = CLOCK, "--virtual-clock", "SCRIPT"}
    assert.are.same(expected, {r.out, r.err, r.status})
    r = run{script = CLOCK, env = {LUCIO_CLOCK = "virtual"}}
    assert.are.same(expected, {r.out, r.err, r.status})
  end)

  it("API 4: the virtual clock holds for every loop that the script makes", function()
    local text = [[
      local lucio = require "lucio"
      print(lucio.run(function() return lucio.sleep(1000, "slept") end))]]
    assert.are.equal("slept\n", run{script = text, "--virtual-clock", "SCRIPT"}.out)
  end)

  it("API 4: otherwise the clock is the real one", function()
    local r = run{script = [[
      local lucio = require "lucio"
      local loop = lucio.get_running_loop()
      local start = loop:time()
      lucio.sleep(0.05)
      local passed = loop:time() - start
      print(passed >= 0.05, passed < 500)]]}
    assert.are.same({"true\ttrue\n", 0}, {r.out, r.status})
  end)

  it("API 4: --backend and LUCIO_BACKEND choose the backend", function()
    for _, name in ipairs{"select", "poll", "epoll"} do
      local r = run{script = BACKEND, "--backend", name, "SCRIPT"}
      assert.are.same({name .. "\n", "", 0}, {r.out, r.err, r.status})
      r = run{script = BACKEND, env = {LUCIO_BACKEND = name}}
      assert.are.same({name .. "\n", "", 0}, {r.out, r.err, r.status})
    end
    local r = run{script = BACKEND, env = {LUCIO_BACKEND = "poll"}, "--backend=select", "SCRIPT"}
    assert.are.same({"select\n", 0}, {r.out, r.status})
  end)
end)
