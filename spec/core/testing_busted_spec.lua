-- lucio.testing as the helper of Busted: specs of a user's, run by Busted in another process.
local assert = require "luassert"
local child = require "spec.support.child"
local limit = require "spec.support.limit"

local PROLOGUE = [[
local lucio = require "lucio"
local testing = require "lucio.testing"
local function now() return lucio.get_running_loop():time() end
]]

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
end

-- The usual ten seconds may not be enough for a machine with a lot to do.
local DEFAULT = {"--helper=lucio.testing", "-Xhelper", "timeout=" .. limit}

-- What Busted prints for the spec: lines of TAP. Options are Busted's.
local function run(spec, options)
  local name = os.tmpname()
  local path = name .. "_spec.lua"
  write(path, PROLOGUE .. spec)
  local words = {"--output=spec/support/busted_tap.lua", path}
  for _, word in ipairs(options or DEFAULT) do words[#words + 1] = word end
  for i, word in ipairs(words) do words[i] = ("%q"):format(word) end
  local r = child.run(("arg = {[0] = 'busted', %s}\nrequire 'busted.runner'({standalone = false})")
    :format(table.concat(words, ", ")), {clock = "real"})
  os.remove(path)
  os.remove(name)
  r.stdout = r.stdout:gsub(path:gsub("%p", "%%%0"), "x_spec.lua")
  return r
end

local function results(r)
  local list = {}
  for line in r.stdout:gmatch("[^\n]+") do
    if line:find("^ok") or line:find("^not ok") then
      list[#list + 1] = line:gsub(" %d+ %- ", " ", 1)
    end
  end
  assert.are_not.equal(0, #list, r.stdout .. r.stderr)
  return list
end

local function passes(spec, options)
  local r = run(spec, options)
  assert.are.same({"", 0}, {r.stderr, r.status}, r.stdout)
  for _, line in ipairs(results(r)) do assert.matches("^ok", line, nil, nil, r.stdout) end
end

-- The spec fails, and says so with these texts.
local function fails(spec, ...)
  local r = run(spec)
  assert.are.equal(1, r.status, r.stdout .. r.stderr)
  for _, text in ipairs {...} do assert.matches(text, r.stdout, 1, true) end
  return r
end

describe("Busted with the helper lucio.testing", function()
  it("lets cases and all hooks wait", function()
    passes [[
      local log = {}
      local function wait(what)
        return function() lucio.sleep(0.001) log[#log + 1] = what end
      end
      describe("block", function()
        lazy_setup(wait "lazy_setup")
        setup(wait "setup")
        before_each(wait "before_each")
        after_each(wait "after_each")
        teardown(wait "teardown")
        lazy_teardown(wait "lazy_teardown")
        it("waits", function()
          finally(wait "finally")
          wait "it" ()
        end)
      end)
      it("ran all", function()
        assert.are.same({"setup", "lazy_setup", "before_each", "it", "finally", "after_each",
          "lazy_teardown", "teardown"}, log)
      end)]]
  end)

  it("runs the functions of a case on one loop, each case on another", function()
    passes [[
      local loops, event, task, variable = {}, nil, nil, lucio.ContextVar "variable"
      before_each(function()
        event = lucio.Event()
        task = lucio.create_task(function() event:wait() return "woken" end)
        variable:set("of the case")
        loops[#loops + 1] = lucio.get_running_loop()
      end)
      after_each(function()
        assert.are.equal("woken", task:await())
        assert.are.equal(loops[#loops], lucio.get_running_loop())
      end)
      it("first", function()
        assert.are.equal(loops[#loops], lucio.get_running_loop())
        assert.are.equal("of the case", variable:get())
        event:set()
      end)
      it("second", function()
        assert.are.equal(2, #loops)
        assert.is_true(loops[1]:is_closed())
        event:set()
      end)]]
  end)

  it("leaves failures, errors and pending cases what they are", function()
    local r = fails([[
      it("fails", function() lucio.sleep(0) assert.are.equal(1, 2) end)
      it("raises", function() lucio.sleep(0) error(lucio.ValueError("broken")) end)
      it("raises a text", function() lucio.sleep(0) error("broken") end)
      it("is pending", function() lucio.sleep(0) pending("later") end)
      it("raises in a task", function()
        lucio.create_task(function() error(lucio.ValueError("inner")) end):await()
      end)]],
      "x_spec.lua:4: Expected objects to be equal.", "x_spec.lua:5: ValueError: broken",
      "x_spec.lua:6: broken", "x_spec.lua:7: later", "x_spec.lua:9: ValueError: inner")
    assert.are.same({"not ok fails", "not ok raises", "not ok raises a text", "not ok is pending",
      "not ok raises in a task"}, results(r))
  end)

  it("ends a case that takes too long, and shows what its tasks wait for", function()
    fails([[
      describe("slow", function()
        it("waits for ever", function()
          testing.virtual_clock()
          local worker = lucio.create_task {lucio.sleep, 100000, name = "worker"}
          worker:await()
        end)
      end)]],
      "x_spec.lua:5: the case 'slow waits for ever' ran longer than 86400 s",
      "waiting 86400.000 s for task 'worker' at x_spec.lua:8",
      "worker: waiting 86400.000 s for sleep (13600.000 s more)")
  end)

  it("ends a case that swallows its cancellation", function()
    fails([[
      it("stays", function()
        testing.virtual_clock()
        while true do pcall(lucio.sleep, 100) end
      end)]], "the case 'stays' ran longer than 86400 s")
  end)

  it("ends a hook that takes too long", function()
    fails([[
      describe("block", function()
        before_each(function()
          testing.virtual_clock()
          lucio.Future():await()
        end)
        it("never runs", function() end)
      end)]], "x_spec.lua:5: this case ran longer than 86400 s", "for future at x_spec.lua:7")
  end)

  it("has another limit by set_timeout, and by the helper's argument", function()
    passes [[
      it("takes long", function()
        testing.virtual_clock()
        testing.set_timeout(500000)
        lucio.sleep(400000)
      end)]]
    local r = run([[it("stops early", function() lucio.sleep(1000) end)]],
      {"--helper=lucio.testing", "-Xhelper", "virtual_timeout=0.5,clock=virtual"})
    assert.matches("ran longer than 0.5 s", r.stdout, 1, true)
    r = run([[it("stops early", function() lucio.sleep(10) end)]],
      {"--helper=lucio.testing", "-Xhelper", "timeout=0.01"})
    assert.matches("ran longer than 0.01 s", r.stdout, 1, true)
  end)

  it("gives a case a virtual clock, until its end", function()
    passes [[
      it("jumps", function()
        testing.virtual_clock()
        local start = now()
        assert.are.equal(start, math.floor(start))
        lucio.sleep(5)
        assert.are.equal(start + 5, now())
      end)
      it("does not jump", function()
        local start = now()
        lucio.sleep(0.001)
        assert.is_true(now() > start and now() - start ~= 0.001)
      end)]]
  end)

  it("fails a case that leaves something behind, and names it", function()
    fails([[
      it("leaves a task", function() lucio.create_task {lucio.sleep, 9, name = "left"} end)
      it("leaves a timer", function() lucio.get_running_loop():call_later(9, function() end) end)
      it("leaves a server", function() lucio.start_server(print, "127.0.0.1", 0) end)
      it("leaves streams", function() held = {testing.stream_pair()} end) -- not yet collected
      it("leaves a reader", function()
        lucio.get_running_loop():add_reader(0, function() end)
        lucio.get_running_loop():add_reader(0, function() end)
      end)
      local loop
      it("leaves a loop", function() loop = lucio.new_event_loop() end)
      it("leaves an error", function()
        lucio.create_task(function() error(lucio.ValueError("lost")) end)
        testing.ticks(3)
      end)]],
      "x_spec.lua:4: the case 'leaves a task' leaves something behind:",
      "task 'left', waiting for sleep (", "created at x_spec.lua:4",
      "a timer: <TimerHandle function at x_spec.lua:5>", "a server on 127.0.0.1:",
      "an end of a stream pair", "a reader or writer: <Handle function at x_spec.lua:10>",
      "loops: 1 more than before", "never retrieved: ValueError: lost")
  end)

  it("lets what is about to end do so", function()
    passes [[
      it("closes", function()
        local a, b = testing.stream_pair()
        a.writer:close()
        b.writer:close()
        local task = lucio.create_task(lucio.sleep, 10)
        lucio.sleep(0)
        task:cancel()
      end)]]
  end)

  it("looks for what is left after the last hook", function()
    local r = fails([[
      describe("block", function()
        local task
        after_each(function() if task then task:cancel() end end)
        it("is cleaned up", function() task = lucio.create_task(lucio.sleep, 9) end)
        it("is not", function() task = nil lucio.create_task(lucio.sleep, 9) end)
      end)]], "x_spec.lua:8: the case 'block is not' leaves something behind:")
    assert.are.same({"ok block is cleaned up", "ok block is not",
      "not ok after_each the end of a case"}, results(r))
  end)

  it("says where to put what a setup leaves behind", function()
    fails([[
      describe("block", function()
        setup(function() lucio.create_task(lucio.sleep, 9) end)
        it("never runs", function() end)
      end)]], "x_spec.lua:5: this setup leaves something behind:", "belongs into before_each")
  end)

  it("can do without the look", function()
    passes([[it("leaves a task", function() lucio.create_task(lucio.sleep, 9) end)]],
      {"--helper=lucio.testing", "-Xhelper", "leaks=false"})
    passes([[
      it("leaves a task", function()
        testing.ignore_leaks()
        lucio.create_task(lucio.sleep, 9)
      end)]])
  end)

  it("has options in a helper script", function()
    local name = os.tmpname()
    local path = name .. ".lua"
    write(path, 'require("lucio.testing").busted {clock = "virtual", virtual_timeout = 500000}')
    passes([[it("takes long", function() lucio.sleep(400000) end)]], {"--helper=" .. path})
    os.remove(path)
    os.remove(name)
  end)

  it("refuses options that it does not have", function()
    local r = run("", {"--helper=lucio.testing", "-Xhelper", "tiemout=3"})
    assert.matches("unknown option 'tiemout'", r.stderr, 1, true)
    r = run("", {"--helper=lucio.testing", "-Xhelper", "clock=fast"})
    assert.matches("clock: 'virtual' or 'real' expected", r.stderr, 1, true)
    assert.are.equal(1, r.status)
  end)

  it("works with --repeat and --lazy", function()
    passes([[
      setup(function() lucio.sleep(0) end)
      it("waits", function() lucio.sleep(0.001) end)]],
      {"--helper=lucio.testing", "--repeat=2", "--lazy"})
  end)

  it("changes nothing of the environment that specs see", function()
    local r = fails([[
      it("outer", function() it("inner", function() end) end)
      it("second", function() shared = 1 end)
      it("third", function() assert.is_nil(rawget(_G, "shared")) end)]],
      "'it' not supported inside current context block")
    assert.are.same({"not ok outer", "ok second", "ok third"}, results(r))
  end)
end)
