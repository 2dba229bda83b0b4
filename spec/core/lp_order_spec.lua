-- LP1 to LP5, LP10, LP21: what a tick runs, and in which order.
local case = require "spec.support.case"
local child = require "spec.support.child"
local fifo = require "spec.support.fifo"
local lucio = require "lucio"
local retried = require "spec.support.retried"

local function no_op() end

describe("a tick", function()
  case("LP1: runs exactly what was queued when it began, first in first out", function(t)
    local loop = lucio.get_running_loop()
    for i = 1, 3 do
      loop:call_soon(function()
        t.log(i, t.tick())
        loop:call_soon(function() t.log(i * 10, t.tick()) end)
      end)
    end
    lucio.sleep(0)
    lucio.sleep(0)
    t.same_lines {"1 1", "2 1", "3 1", "10 2", "20 2", "30 2"}
  end)

  case("LP1: takes due timers by deadline", function(t)
    local loop = lucio.get_running_loop()
    local now = loop:time()
    for _, delay in ipairs {0.3, 0.1, 0.2} do
      loop:call_at(now - delay, function() t.log(delay, t.tick()) end)
    end
    lucio.sleep(0)
    lucio.sleep(0)
    t.same_lines {"0.3 1", "0.2 1", "0.1 1"}
  end)

  case("LP1: passes by a timer that was cancelled", function(t)
    local loop = lucio.get_running_loop()
    local start = loop:time()
    loop:call_later(5, function() t.log("cancelled") end):cancel()
    loop:call_later(10, function() t.log("kept", loop:time() - start) end)
    lucio.sleep(11)
    t.same_lines {"kept 10.0"}
  end)

  case("LP5: a callable object is a callback like a function", function(t)
    local loop = lucio.get_running_loop()
    local deaf = setmetatable({}, {
      __call = function(_, ...) t.log("deaf", ...) end,
      __index = function(_, key) error("asked for " .. tostring(key)) end,
    })
    local bare = setmetatable({}, {__call = function(_, ...) t.log("bare", ...) end})
    for _, callback in ipairs {deaf, bare} do
      loop:call_soon(callback, "soon", 1)
      loop:call_later(1, callback, "later")
      loop:call_at(loop:time() + 2, callback, "at")
      lucio.create_task(no_op):add_done_callback(function() callback("done") end)
    end
    lucio.sleep(3)
    t.same_lines {"deaf soon 1", "bare soon 1", "deaf done", "bare done", "deaf later",
      "bare later", "deaf at", "bare at"}
  end)

  case("LP2: leaves to the next one what its callbacks schedule", function(t)
    local loop = lucio.get_running_loop()
    local function again(n)
      t.log(n, t.tick())
      if n < 4 then loop:call_soon(again, n + 1) end
    end
    loop:call_soon(again, 1)
    for _ = 1, 4 do lucio.sleep(0) end
    t.same_lines {"1 1", "2 2", "3 3", "4 4"}
  end)

  case("LP2: polls for I/O though callbacks reschedule themselves for ever", function(t)
    local pipe <close> = fifo()
    local loop = lucio.get_running_loop()
    local seen = false
    local function again()
      if not seen then loop:call_soon(again) end
    end
    loop:call_soon(again)
    pipe:write("x")
    loop:add_reader(pipe.fd, function()
      seen = true
      loop:remove_reader(pipe.fd)
      t.log("reader", t.tick())
    end)
    lucio.sleep(0)
    lucio.sleep(0)
    t.same_lines {"reader 1"}
  end)

  it("LP2: lets timers come due though a task never stops sleeping 0", function()
    local r = child.run([[
      local lucio = require "lucio"
      lucio.run(function()
        local due = false
        lucio.get_running_loop():call_later(0.02, function() due = true end)
        while not due do lucio.sleep(0) end
        print "due"
      end)
    ]], {clock = "real"})
    assert.are.equal("due\n", r.stdout)
  end)

  it("LP2: lets timers come due though a callback always reschedules itself", function()
    local r = child.run([[
      local lucio = require "lucio"
      lucio.run(function()
        local loop = lucio.get_running_loop()
        local done = loop:create_future()
        local function again()
          if not done:done() then loop:call_soon(again) end
        end
        again()
        loop:call_later(0.02, done.set_result, done, "due")
        print(done:await())
      end)
    ]], {clock = "real"})
    assert.are.equal("due\n", r.stdout)
  end)

  case("LP3: runs call_soon entries first, then I/O, then timers", function(t)
    local pipe <close> = fifo()
    local loop = lucio.get_running_loop()
    pipe:write("x")
    loop:call_later(0, function() t.log("timer", t.tick()) end)
    loop:add_reader(pipe.fd, function()
      t.log("reader", t.tick())
      loop:remove_reader(pipe.fd)
    end)
    loop:call_soon(function() t.log("soon", t.tick()) end)
    lucio.sleep(0)
    lucio.sleep(0)
    t.same_lines {"soon 1", "reader 1", "timer 1"}
  end)

  case("LP4: does not wait while anything is ready", function()
    local loop = lucio.get_running_loop()
    loop:call_later(1, function() end)
    local start = loop:time()
    for _ = 1, 10 do lucio.sleep(0) end
    assert.are.equal(start, loop:time())
  end)

  case("LP4: waits for the next timer", function()
    local loop = lucio.get_running_loop()
    local start = loop:time()
    lucio.sleep(1.25)
    assert.are.equal(start + 1.25, loop:time())
  end)

  case("LP4: waits longer than a day when the next timer is farther", function()
    local loop = lucio.get_running_loop()
    local start = loop:time()
    lucio.sleep(1e7)
    assert.are.equal(start + 1e7, loop:time())
  end)

  case("LP4: never comes to an infinite delay", function(t)
    local loop = lucio.get_running_loop()
    local handle = loop:call_later(math.huge, function() t.log("never") end)
    t.raises(lucio.TimeoutError, lucio.wait_for, lucio.async(lucio.sleep)(math.huge), 1e6)
    handle:cancel()
    t.same_lines {}
  end)

  retried("LP4: sleeps in the poll, in real time", function()
    local r = child.run([[
      local lucio = require "lucio"
      lucio.run(function()
        local loop = lucio.get_running_loop()
        local clock, time = os.clock(), loop:time()
        lucio.sleep(0.1)
        local slept = loop:time() - time
        print(slept >= 0.0999 and slept < 2, os.clock() - clock < 0.05)
      end)
    ]], {clock = "real"})
    assert.are.equal("true\ttrue\n", r.stdout)
  end)
end)

describe("call_soon", function()
  case("LP5: runs callbacks in order, each exactly once", function()
    local loop = lucio.get_running_loop()
    local order, expected = {}, {}
    for i = 1, 1000 do
      loop:call_soon(function() order[#order + 1] = i end)
      expected[i] = i
    end
    lucio.sleep(0)
    lucio.sleep(0)
    assert.are.same(expected, order)
  end)

  case("LP5: passes its arguments, nils included", function()
    local got
    lucio.get_running_loop():call_soon(function(...) got = table.pack(...) end, nil, 2, nil)
    lucio.sleep(0)
    assert.are.same(table.pack(nil, 2, nil), got)
  end)

  case("LP5: returns a handle, and takes one function many times", function(t)
    local loop = lucio.get_running_loop()
    local function f(x) t.log(x) end
    local a, b = loop:call_soon(f, "a"), loop:call_soon(f, "b")
    assert.are_not.equal(a, b)
    assert.is_false(a:cancelled())
    lucio.sleep(0)
    t.same_lines {"a", "b"}
  end)
end)

describe("a handle's cancel", function()
  case("LP10: drops an entry of the current batch", function(t)
    local loop = lucio.get_running_loop()
    local second
    loop:call_soon(function()
      t.log("first")
      second:cancel()
      t.log(second:cancelled())
    end)
    second = loop:call_soon(function() t.log("second") end)
    loop:call_soon(function() t.log("third") end)
    lucio.sleep(0)
    t.same_lines {"first", "true", "third"}
  end)

  case("LP10: may be repeated, and comes too late harmlessly", function(t)
    local loop = lucio.get_running_loop()
    local early, late = loop:call_soon(t.log, "early"), loop:call_soon(t.log, "late")
    early:cancel()
    early:cancel()
    lucio.sleep(0)
    assert.is_false(late:cancelled())
    late:cancel()
    assert.is_true(late:cancelled())
    lucio.sleep(0)
    t.same_lines {"late"}
  end)

  case("LP10: drops callback and arguments", function()
    local loop = lucio.get_running_loop()
    local alive = setmetatable({}, {__mode = "k"})
    local function schedule(delay)
      local callback, argument = function() return alive end, {}
      alive[callback], alive[argument] = true, true
      if delay then return loop:call_later(delay, callback, argument) end
      return loop:call_soon(callback, argument)
    end
    local handles = {schedule(), schedule(100)}
    for _, handle in ipairs(handles) do handle:cancel() end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(alive))
  end)
end)

describe("an error in a callback", function()
  case("LP21: goes to the exception handler, the batch goes on", function(t)
    local loop = lucio.get_running_loop()
    local e = lucio.ValueError("broken")
    loop:call_soon(t.log, "before")
    local handle = loop:call_soon(function() error(e) end)
    loop:call_soon(t.log, "after")
    lucio.sleep(0)
    t.same_lines {"before", "after"}
    local context = t.reports[1]
    assert.are.equal(1, #t.reports)
    assert.is_string(context.message)
    assert.is_true(rawequal(e, context.exception))
    assert.are.equal(handle, context.handle)
  end)

  case("LP21: of a timer is reported with the timer's handle", function(t)
    local handle = lucio.get_running_loop():call_later(1, error, "text", 0)
    lucio.sleep(2)
    assert.are.equal(1, #t.reports)
    assert.are.equal(handle, t.reports[1].handle)
    local e = t.reports[1].exception
    assert.is_true(lucio.isinstance(e, lucio.LuaError))
    assert.are.equal("text", e.value)
  end)
end)
