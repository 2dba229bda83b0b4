-- How bytes get through a stream: what is read and written when, and what holds them.
local assert = require "luassert"
local case = require "spec.support.case"
local child = require "spec.support.child"
local lucio = require "lucio"
local many_bytes = require "spec.support.many_bytes"

describe("a stream", function()
  it("makes room for a writer of the same loop in the tick after bytes were taken in", function()
    -- a program of its own: a case has a ticker, so that no tick of it only takes bytes in
    local r = child.run([[
      local lucio = require "lucio"
      lucio.run(function()
        local one, other = lucio.testing.stream_pair()
        local loop = lucio.get_running_loop()
        one.writer:write(("x"):rep(4 << 20))
        local before = one.writer:get_write_buffer_size()
        print(#other.reader:read(1 << 20) > 0)
        local after = loop:create_future()
        loop:call_soon(function() after:set_result(one.writer:get_write_buffer_size()) end)
        print(after:await() < before)
        one.writer:abort()
        other.writer:abort()
      end)
    ]])
    assert.are.same({"true\ntrue\n", "", 0}, {r.stdout, r.stderr, r.status})
  end)

  it("lets a finalizer that still has its ends know that they are gone", function()
    local r = child.run([[
      local lucio = require "lucio"
      local holder = setmetatable({}, {__gc = function(holder)
        for _, name in ipairs {"reader", "writer", "socket"} do
          for method in pairs(getmetatable(holder[name]).__index) do
            local ok, e = pcall(holder[name][method], holder[name], "x")
            if ok or not tostring(e):find("bad self", 1, true) then print(name, method, ok, e) end
          end
        end
        print(pcall(holder.lines))
      end})
      lucio.run(function()
        local server = lucio.start_server(function(reader, writer)
          reader:read()
          writer:close()
        end, "127.0.0.1", 0)
        holder.reader, holder.writer =
          lucio.open_connection("127.0.0.1", server.sockets[1]:getsockname().port)
        holder.socket = holder.writer:get_extra_info "socket"
        holder.lines = holder.reader:lines()
        holder.writer:close()
        holder.writer:wait_closed()
        server:close()
        server:wait_closed()
        holder = nil
        collectgarbage()
        collectgarbage()
      end)
    ]])
    assert.are.same({"true\tnil\n", "", 0}, {r.stdout, r.stderr, r.status})
  end)
end)

describe("a read of many bytes", function()
  many_bytes.cases(lucio.testing.stream_pair, function(writer) writer:write_eof() end)

  case("takes the ticks that a small one takes", function(t)
    local one, other = lucio.testing.stream_pair()
    local ticks = {}
    for i, size in ipairs {10, many_bytes.LARGE, 150000} do
      lucio.create_task(function() one.writer:write(("x"):rep(size)) end)
      t.start_ticks()
      assert.are.equal(size, #other.reader:read(1 << 20))
      ticks[i] = t.tick()
    end
    assert.are.same({3, 3, 3}, ticks)
    one.writer:abort()
    other.writer:abort()
  end)
end)

describe("StreamWriter:writelines", function()
  local function lines_of(count, size)
    local lines = {}
    for i = 1, count do
      lines[i] = i % 7 == 0 and "" or ("%d:%s\n"):format(i, ("x"):rep(i % size))
    end
    return lines
  end

  case("takes nothing but lists", function()
    local one, other = lucio.testing.stream_pair()
    for _, value in ipairs {5, "text", true, print, one.writer} do
      local ok, e = pcall(one.writer.writelines, one.writer, value)
      assert.is_false(ok)
      assert.matches("^bad argument #1 to 'writelines' %(list expected, got ", e.message)
    end
    one.writer:abort()
    other.writer:abort()
  end)

  case("ST10: sends long lists, at once and behind what waits already, in order", function()
    local one, other = lucio.testing.stream_pair()
    local few, many = lines_of(300, 10), lines_of(3000, 500)
    local text = table.concat(few) .. table.concat(many) .. table.concat(few)
    one.writer:writelines(few)
    assert.are.equal(0, one.writer:get_write_buffer_size())
    one.writer:writelines(many) -- more than the socket takes
    assert.is_true(one.writer:get_write_buffer_size() > 0)
    one.writer:writelines(few)
    one.writer:writelines {}
    one.writer:writelines {"", ""}
    local drain = lucio.create_task(one.writer.drain, one.writer)
    lucio.sleep(0)
    assert.is_false(drain:done())
    assert.is_true(other.reader:readexactly(#text) == text)
    drain:await()
    one.writer:abort()
    other.writer:abort()
  end)

  case("ST10: keeps what the socket did not take of a string in the middle of a list", function()
    local one, other = lucio.testing.stream_pair()
    local many = {}
    for i = 1, 130 do many[i] = i .. ":" .. ("x"):rep(100003) end
    local text = table.concat(many)
    one.writer:writelines(many)
    assert.is_true(one.writer:get_write_buffer_size() > 0)
    one.writer:close()
    assert.is_true(other.reader:read() == text)
    other.writer:abort()
  end)

  case("ST12: the marks themselves are not over the high one, and not above the low one", function()
    local one, other = lucio.testing.stream_pair()
    one.writer:set_write_buffer_limits(1 << 30)
    one.writer:write(("x"):rep(4 << 20))
    local size = one.writer:get_write_buffer_size()
    assert.is_true(size > 0)
    one.writer:set_write_buffer_limits(size)
    one.writer:drain() -- returns at once
    one.writer:set_write_buffer_limits(size - 1, 0)
    local drain = lucio.create_task(one.writer.drain, one.writer)
    lucio.sleep(0)
    assert.is_false(drain:done())
    assert.are.equal(4 << 20, #other.reader:readexactly(4 << 20))
    lucio.wait_for(drain, 60)
    one.writer:abort()
    other.writer:abort()
  end)

  case("ST14: a list for a connection that is gone is dropped", function()
    local one, other = lucio.testing.stream_pair()
    other.writer:abort()
    lucio.sleep(0.01)
    for _ = 1, 3 do one.writer:writelines {"a", "b"} end
    lucio.sleep(0.01)
    assert.are.equal(0, one.writer:get_write_buffer_size())
    one.writer:abort()
  end)
end)
