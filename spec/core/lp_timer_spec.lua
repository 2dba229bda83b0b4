-- LP6 to LP9, LP11, LP12: timers and the clock.
local case = require "spec.support.case"
local child = require "spec.support.child"
local lucio = require "lucio"

local NAN = 0 / 0

describe("a timer", function()
  case("LP6: is due in the tick whose time has reached its deadline", function(t)
    local loop = lucio.get_running_loop()
    loop:call_at(loop:time(), function() t.log("now", t.tick()) end)
    local later = loop:call_at(loop:time() + 1e-4, function() t.log("later") end)
    for _ = 1, 5 do lucio.sleep(0) end
    later:cancel()
    t.same_lines {"now 1"}
  end)

  case("LP6: runs at its very deadline under the virtual clock", function(t)
    local loop = lucio.get_running_loop()
    local start = loop:time()
    for _, delay in ipairs {0.5, 0.25, 3} do
      loop:call_later(delay, function() t.log(loop:time() - start) end)
    end
    lucio.sleep(4)
    t.same_lines {"0.25", "0.5", "3.0"}
  end)

  case("LP7: with the same deadline as others runs in the order of making", function(t)
    local loop = lucio.get_running_loop()
    local now = loop:time()
    for i, delay in ipairs {5, 3, 5, 4, 3, 5, 4, 3} do
      loop:call_at(now + delay, function() t.log(delay, i) end)
    end
    lucio.sleep(6)
    t.same_lines {"3 2", "3 5", "3 8", "4 4", "4 7", "5 1", "5 3", "5 6"}
  end)

  case("LP7: keeps that order among many, in one tick, also after cancels", function(t)
    local loop = lucio.get_running_loop()
    local deadline = loop:time() + 1
    local order, expected, handles = {}, {}, {}
    loop:call_at(deadline, t.start_ticks)
    for i = 1, 300 do
      handles[i] = loop:call_at(deadline, function()
        order[#order + 1] = i
        assert(t.tick() == 0)
      end)
    end
    for i = 3, 300, 3 do handles[i]:cancel() end
    for i = 1, 300 do
      if i % 3 ~= 0 then expected[#expected + 1] = i end
    end
    lucio.sleep(2)
    assert.are.same(expected, order)
  end)

  case("LP8: may have a negative delay; the earlier deadline runs first", function(t)
    local loop = lucio.get_running_loop()
    loop:call_later(-1, function() t.log("a", t.tick()) end)
    loop:call_later(-2, function() t.log("b", t.tick()) end)
    lucio.sleep(0)
    lucio.sleep(0)
    t.same_lines {"b 1", "a 1"}
  end)

  case("LP8: without delay runs after the call_soon entries of the same tick", function(t)
    local loop = lucio.get_running_loop()
    loop:call_later(0, function() t.log("timer", t.tick()) end)
    loop:call_soon(function() t.log("soon", t.tick()) end)
    lucio.sleep(0)
    lucio.sleep(0)
    t.same_lines {"soon 1", "timer 1"}
  end)

  for _, name in ipairs {"call_later", "call_at"} do
    case("LP9: of " .. name .. " needs a number", function(t)
      local loop = lucio.get_running_loop()
      local e = t.raises(lucio.TypeError, loop[name], loop, nil, print)
      assert.is_truthy(tostring(e):find(
        "^bad argument #1 to '" .. name .. "' %(number.* expected, got nil%)$"), tostring(e))
      t.raises(lucio.TypeError, loop[name], loop, "1", print)
      t.raises(lucio.TypeError, loop[name], loop, {}, print)
      t.raises(lucio.ValueError, loop[name], loop, NAN, print)
    end)
  end

  case("LP11: tells its deadline", function()
    local loop = lucio.get_running_loop()
    local start = loop:time()
    local later, at = loop:call_later(2.5, print), loop:call_at(start + 7, print)
    assert.are.equal(start + 2.5, later:when())
    assert.are.equal(start + 7, at:when())
    later:cancel()
    at:cancel()
    assert.are.equal(start + 2.5, later:when())
  end)

  case("LP11: cancelled among many leaves nothing behind", function(t)
    local loop = lucio.get_running_loop()
    local before = lucio.stats().timers
    local handles = {}
    for i = 1, 1000 do
      handles[i] = loop:call_later(i, t.log, i)
    end
    assert.are.equal(before + 1000, lucio.stats().timers)
    for i = 1, 1000 do
      if i % 250 ~= 0 then handles[i]:cancel() end
    end
    lucio.sleep(0)
    assert.are.equal(before + 4, lucio.stats().timers)
    lucio.sleep(2000)
    t.same_lines {"250", "500", "750", "1000"}
  end)
end)

describe("the loop's clock", function()
  case("LP12: gives float seconds, the same for call_at and call_later", function(t)
    local loop = lucio.get_running_loop()
    local start = loop:time()
    assert.are.equal("float", math.type(start))
    loop:call_later(2, function() t.log("later", loop:time() - start) end)
    loop:call_at(start + 2, function() t.log("at", loop:time() - start) end)
    lucio.sleep(3)
    t.same_lines {"later 2.0", "at 2.0"}
    assert.are.equal(start + 3, loop:time())
  end)

  case("LP12: starts at a whole second and stands still in a tick, if virtual", function()
    local loop = lucio.get_running_loop()
    local start = loop:time()
    assert.are.equal(math.floor(start), start)
    for _ = 1, 100000 do assert(loop:time() == start) end
  end)

  it("LP12: goes on while a callback runs, if real, and never back", function()
    local r = child.run([[
      local lucio = require "lucio"
      lucio.run(function()
        local loop = lucio.get_running_loop()
        local start = loop:time()
        local last, clock, steady = start, os.clock(), true
        while os.clock() - clock < 0.03 do
          local now = loop:time()
          steady = steady and now >= last
          last = now
        end
        print(math.type(start), last - start >= 0.02, steady)
      end)
    ]], {clock = "real"})
    assert.are.equal("float\ttrue\ttrue\n", r.stdout)
  end)
end)
