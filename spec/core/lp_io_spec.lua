-- LP23 to LP25, LP27: descriptors and name lookups.
-- Specified in C: the transport half of LP25.
local case = require "spec.support.case"
local fifo = require "spec.support.fifo"
local lucio = require "lucio"

local function no_op() end

local function ticks(n)
  for _ = 1, n do lucio.sleep(0) end
end

describe("add_reader", function()
  case("LP23: calls in every tick while there is something to read", function(t)
    local pipe <close> = fifo()
    local loop = lucio.get_running_loop()
    pipe:write("x")
    loop:add_reader(pipe.fd, function() t.log("reader", t.tick()) end)
    ticks(4)
    loop:remove_reader(pipe.fd)
    ticks(2)
    -- the fourth call is queued in tick 4 behind this task
    t.same_lines {"reader 1", "reader 2", "reader 3"}
  end)

  case("LP23: calls no more once all was read", function(t)
    local pipe <close> = fifo()
    local loop = lucio.get_running_loop()
    pipe:write("ab")
    loop:add_reader(pipe.fd, function() t.log(pipe:read(), t.tick()) end)
    ticks(5)
    pipe:write("c")
    ticks(3)
    loop:remove_reader(pipe.fd)
    t.same_lines {"a 1", "b 2", "c 6"}
  end)

  case("LP23: passes its arguments and has no current task", function(t)
    local pipe <close> = fifo()
    local loop = lucio.get_running_loop()
    pipe:write("x")
    loop:add_reader(pipe.fd, function(...)
      t.log(select("#", ...), ...)
      t.log(lucio.current_task())
      loop:remove_reader(pipe.fd)
    end, 1, nil, "three", nil)
    ticks(2)
    t.same_lines {"4 1 nil three nil", "nil"}
  end)

  case("LP23: wakes a loop that has nothing else to do", function()
    local pipe <close> = fifo()
    local loop = lucio.get_running_loop()
    local f = loop:create_future()
    loop:add_reader(pipe.fd, function()
      loop:remove_reader(pipe.fd)
      f:set_result(pipe:read())
    end)
    loop:call_later(0.01, pipe.write, pipe, "x")
    assert.are.equal("x", f:await())
  end)

  case("LP23: again replaces, even a call that is queued already", function(t)
    local pipe <close> = fifo()
    local loop = lucio.get_running_loop()
    pipe:write("x")
    loop:add_reader(pipe.fd, function() t.log("old", t.tick()) end)
    ticks(1)
    -- in tick 1, where the old call stands behind this task
    loop:add_reader(pipe.fd, function() t.log("new", t.tick()) end)
    ticks(2)
    loop:remove_reader(pipe.fd)
    t.same_lines {"new 2"}
  end)

  case("LP23: is independent of add_writer on the same descriptor", function(t)
    local pipe <close> = fifo()
    local loop = lucio.get_running_loop()
    pipe:write("x")
    local seen = {}
    loop:add_reader(pipe.fd, function() seen.reader = t.tick() end)
    loop:add_writer(pipe.fd, function() seen.writer = t.tick() end)
    ticks(2)
    assert.are.same({reader = 1, writer = 1}, seen)
    assert.is_true(loop:remove_writer(pipe.fd))
    ticks(2)
    assert.are.same({reader = 3, writer = 1}, seen)
    assert.is_true(loop:remove_reader(pipe.fd))
    ticks(2)
    assert.are.same({reader = 3, writer = 1}, seen)
  end)

  case("LP23: add_writer calls in every tick while there is room", function(t)
    local pipe <close> = fifo()
    local loop = lucio.get_running_loop()
    loop:add_writer(pipe.fd, function(...) t.log(t.tick(), ...) end, "argument")
    ticks(3)
    loop:remove_writer(pipe.fd)
    t.same_lines {"1 argument", "2 argument"}
  end)

  case("LP23: goes on after an error in the callback, which is reported", function(t)
    local pipe <close> = fifo()
    local loop = lucio.get_running_loop()
    pipe:write("x")
    loop:add_reader(pipe.fd, function()
      t.log(t.tick())
      error("broken", 0)
    end)
    ticks(3)
    loop:remove_reader(pipe.fd)
    t.same_lines {"1", "2"}
    assert.are.equal(2, #t.reports)
    assert.are.equal("broken", t.reports[1].exception.value)
  end)
end)

describe("remove_reader", function()
  case("LP24: tells whether there was one, as remove_writer does", function()
    local pipe <close> = fifo()
    local loop = lucio.get_running_loop()
    assert.is_false(loop:remove_reader(pipe.fd))
    assert.is_false(loop:remove_writer(pipe.fd))
    loop:add_reader(pipe.fd, no_op)
    assert.is_false(loop:remove_writer(pipe.fd))
    assert.is_true(loop:remove_reader(pipe.fd))
    assert.is_false(loop:remove_reader(pipe.fd))
    loop:add_writer(pipe.fd, no_op)
    assert.is_true(loop:remove_writer(pipe.fd))
    assert.is_false(loop:remove_writer(pipe.fd))
  end)

  case("LP24: may be called in the callback", function(t)
    local pipe <close> = fifo()
    local loop = lucio.get_running_loop()
    pipe:write("x")
    loop:add_reader(pipe.fd, function() t.log(t.tick(), loop:remove_reader(pipe.fd)) end)
    ticks(3)
    t.same_lines {"1 true"}
  end)

  case("LP24: prevents a call that is queued already", function(t)
    local pipe <close> = fifo()
    local loop = lucio.get_running_loop()
    pipe:write("x")
    loop:add_reader(pipe.fd, t.log, "reader")
    loop:call_soon(function() t.log("removed", loop:remove_reader(pipe.fd)) end)
    ticks(3)
    t.same_lines {"removed true"}
  end)

  case("LP24: leaves the descriptor usable again", function(t)
    local pipe <close> = fifo()
    local loop = lucio.get_running_loop()
    pipe:write("x")
    for i = 1, 3 do
      loop:add_reader(pipe.fd, t.log, i)
      ticks(2)
      loop:remove_reader(pipe.fd)
    end
    t.same_lines {"1", "2", "3"}
  end)
end)

describe("a bad descriptor", function()
  for _, name in ipairs {"add_reader", "add_writer"} do
    case("LP25: is refused by " .. name, function(t)
      local loop = lucio.get_running_loop()
      t.raises(lucio.ValueError, loop[name], loop, -1, no_op)
      t.raises(lucio.ValueError, loop[name], loop, 1000, no_op) -- not open
      t.raises(lucio.ValueError, loop[name], loop, 1 << 40, no_op)
      t.raises(lucio.TypeError, loop[name], loop, nil, no_op)
      t.raises(lucio.TypeError, loop[name], loop, "text", no_op)
      local pipe <close> = fifo()
      t.raises(lucio.TypeError, loop[name], loop, pipe.fd)
      t.raises(lucio.TypeError, loop[name], loop, pipe.fd, 42)
      lucio.sleep(0)
    end)
  end
end)

describe("getaddrinfo", function()
  case("LP27: of a numeric address and port skips the resolver", function(t)
    local loop = lucio.get_running_loop()
    for _, host in ipairs {"127.0.0.1", "::1"} do
      local list = loop:getaddrinfo(host, 80)
      assert.are.equal(host, list[1].address.host)
      assert.are.equal(80, list[1].address.port)
    end
    assert.are.equal(0, t.tick())
  end)

  case("LP27: of a name asks the resolver, and other tasks run meanwhile", function(t)
    local loop = lucio.get_running_loop()
    lucio.create_task(t.log, "other")
    local list = loop:getaddrinfo("localhost", 80)
    t.log("resolved")
    assert.is_true(#list > 0)
    assert.are.equal(80, list[1].address.port)
    t.same_lines {"other", "resolved"}
  end)

  case("LP27: of an unknown name raises gaierror", function(t)
    local loop = lucio.get_running_loop()
    t.raises(lucio.gaierror, loop.getaddrinfo, loop, "no-such-host.invalid", 80)
  end)
end)
