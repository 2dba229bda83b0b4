-- ST1 to ST9: readers. Most are fed by hand, as asyncio's own tests do.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

local function fed(data, limit)
  local reader = lucio.StreamReader {limit = limit}
  if data then reader:feed_data(data) end
  return reader
end

local function ended(data, limit)
  local reader = fed(data, limit)
  reader:feed_eof()
  return reader
end

describe("StreamReader:read", function()
  case("ST1: a limit that is not positive is a ValueError", function(t)
    t.raises(lucio.ValueError, lucio.StreamReader, {limit = 0})
    t.raises(lucio.ValueError, lucio.StreamReader, {limit = -1})
    t.raises(lucio.TypeError, lucio.StreamReader, {limit = "x"})
  end)

  case("ST1: more than twice the limit stops its stream, the limit sets it going", function()
    local connected = lucio.Future()
    local server = lucio.start_server(function(reader)
      connected:set_result(reader)
      lucio.Future():await()
    end, "127.0.0.1", 0, {limit = 1000})
    local _, writer = lucio.open_connection("127.0.0.1", server.sockets[1]:getsockname().port)
    local reader = connected:await()
    local function is_read() return lucio.stats().watchers end
    lucio.sleep(0)
    local reads = is_read()
    reader:feed_data(("x"):rep(2000))
    assert.are.equal(reads, is_read())
    reader:feed_data("y")
    assert.are.equal(reads - 1, is_read())
    assert.are.equal(1000, #reader:read(1000))
    assert.are.equal(reads - 1, is_read())
    assert.are.equal(1, #reader:read(1))
    assert.are.equal(reads, is_read())
    assert.are.equal(("x"):rep(999) .. "y", reader:read(1001))
    -- what comes at once for who waits, and a rest below the limit
    local waiting = lucio.create_task(reader.read, reader, 10000)
    lucio.sleep(0)
    reader:feed_data(("z"):rep(10500))
    assert.are.equal(reads - 1, is_read())
    assert.are.equal(10000, #waiting:await())
    assert.are.equal(reads, is_read())
    server:close()
    server:abort_clients()
    writer:close()
    lucio.pcall(writer.wait_closed, writer)
    for _, task in ipairs(lucio.all_tasks()) do
      if task ~= lucio.current_task() then task:cancel() end
    end
    server:wait_closed()
  end)

  case("ST2: gives what there is, up to n", function()
    local reader = fed("abcdef")
    assert.are.equal("abc", reader:read(3))
    assert.are.equal("def", reader:read(100))
  end)

  case("ST2: waits for one byte, and goes on one tick after it came", function(t)
    local reader = fed()
    lucio.create_task(function()
      lucio.sleep(0)
      reader:feed_data("x")
    end)
    t.start_ticks()
    assert.are.equal("x", reader:read(10))
    assert.are.equal(3, t.tick())
  end)

  case("ST2: read() and read(-1) wait for the end", function()
    for _, n in ipairs {-1, false} do
      local reader = fed("ab")
      lucio.create_task(function()
        lucio.sleep(1)
        reader:feed_data("cd")
        lucio.sleep(1)
        reader:feed_eof()
      end)
      assert.are.equal("abcd", reader:read(n or nil))
      assert.are.equal("", reader:read(n or nil))
    end
  end)

  case("ST2: read(0) returns at once, and empty means the end", function()
    assert.are.equal("", fed():read(0))
    assert.are.equal("", ended():read(5))
  end)

  case("ST2: is not bound by the limit", function()
    assert.are.equal(100, #fed(("x"):rep(100), 3):read(100))
  end)

  case("bad arguments are TypeErrors", function(t)
    local e = t.raises(lucio.TypeError, fed().read, fed(), "x")
    assert.are.equal("bad argument #1 to 'read' (integer expected, got string)", e.message)
    t.raises(lucio.TypeError, fed().read, lucio.Future(), 1)
    t.raises(lucio.TypeError, fed().feed_data, fed(), 5)
  end)
end)

describe("StreamReader:readline", function()
  case("ST3: goes through the newline", function()
    local reader = ended("one\ntwo\nrest")
    assert.are.equal("one\n", reader:readline())
    assert.are.equal("two\n", reader:readline())
    assert.are.equal("rest", reader:readline())
    assert.are.equal("", reader:readline())
  end)

  case("ST3: a line that comes in pieces", function()
    local reader = fed("a")
    lucio.create_task(function()
      for _, piece in ipairs {"b", "c", "\nd"} do
        lucio.sleep(0.1)
        reader:feed_data(piece)
      end
    end)
    assert.are.equal("abc\n", reader:readline())
    reader:feed_eof()
    assert.are.equal("d", reader:readline())
  end)

  case("ST3: an overlong line whose newline is there is dropped", function(t)
    local reader = ended("toolong\nok\n", 3)
    t.raises(lucio.ValueError, reader.readline, reader)
    assert.are.equal("ok\n", reader:readline())
  end)

  case("ST3: over the limit without a newline the buffer is cleared", function(t)
    local reader = fed("toolong", 3)
    t.raises(lucio.ValueError, reader.readline, reader)
    reader:feed_data("ok\n")
    assert.are.equal("ok\n", reader:readline())
  end)

  case("ST3: the newline does not count", function()
    assert.are.equal("abc\n", fed("abc\n", 3):readline())
  end)

  case("ST9: lines() yields lines until the end", function(t)
    for line in ended("a\n\nb\nc"):lines() do t.log("[" .. line .. "]") end
    t.same_lines {"[a]", "[]", "[b]", "[c]"}
    local kept = {}
    for line in ended("a\nb"):lines("L") do kept[#kept + 1] = line end
    assert.are.same({"a\n", "b"}, kept)
  end)
end)

describe("StreamReader:readexactly", function()
  case("ST4: waits for n bytes, also beyond the limit", function()
    local reader = fed("ab", 2)
    lucio.create_task(function()
      for _ = 1, 4 do
        lucio.sleep(0)
        reader:feed_data("cdef")
      end
    end)
    assert.are.equal("abcdefcdef", reader:readexactly(10))
    assert.are.equal("", reader:readexactly(0))
  end)

  case("ST4: an early end raises IncompleteReadError and empties the buffer", function(t)
    local reader = ended("abc")
    local e = t.raises(lucio.IncompleteReadError, reader.readexactly, reader, 5)
    assert.are.same({"abc", 5}, {e.partial, e.expected})
    assert.are.equal("3 bytes read on a total of 5 expected bytes", e.message)
    assert.is_true(reader:at_eof())
  end)

  case("ST4: a negative n is a ValueError", function(t)
    t.raises(lucio.ValueError, fed().readexactly, fed("x"), -1)
  end)
end)

describe("StreamReader:readuntil", function()
  case("ST5: the separator is included", function()
    local reader = fed("a--b--")
    assert.are.equal("a--", reader:readuntil("--"))
    assert.are.equal("b--", reader:readuntil("--"))
  end)

  case("ST5: of several separators the match that ends first wins", function()
    assert.are.equal("some data\n", fed("some data\r\n\n"):readuntil({"\n\n", "\n", "a\n"}) and
      fed("some data\n\n"):readuntil({"\n\n", "\n"}))
    assert.are.equal("abc", fed("abcd"):readuntil({"bcd", "c"}))
  end)

  case("ST5: an empty separator is a ValueError", function(t)
    t.raises(lucio.ValueError, fed().readuntil, fed("x"), "")
    t.raises(lucio.ValueError, fed().readuntil, fed("x"), {})
    t.raises(lucio.ValueError, fed().readuntil, fed("x"), {"a", ""})
    t.raises(lucio.TypeError, fed().readuntil, fed("x"), 5)
  end)

  case("ST6: over the limit it raises LimitOverrunError and keeps the buffer", function(t)
    local reader = fed("some dataAAA", 7)
    local e = t.raises(lucio.LimitOverrunError, reader.readuntil, reader, "AAA")
    assert.are.equal(9, e.consumed)
    assert.are.equal("some dataAAA", reader:read(100))
    reader = fed("some dataAA", 7)
    e = t.raises(lucio.LimitOverrunError, reader.readuntil, reader, "AAA")
    assert.are.equal(9, e.consumed)
  end)

  case("ST6: the end raises IncompleteReadError with what there was", function(t)
    local reader = ended("some data")
    local e = t.raises(lucio.IncompleteReadError, reader.readuntil, reader, "X")
    assert.are.equal("some data", e.partial)
    assert.is_nil(e.expected)
  end)

  case("ST6: a separator may span pieces", function()
    local reader = fed("xS")
    lucio.create_task(function()
      for _, piece in ipairs {"E", "P", "y"} do
        lucio.sleep(0)
        reader:feed_data(piece)
      end
    end)
    assert.are.equal("xSEP", reader:readuntil("SEP"))
  end)
end)

describe("StreamReader", function()
  case("ST7: a second read while one is pending is a RuntimeError", function(t)
    local reader = fed()
    local first = lucio.create_task(reader.read, reader, 1)
    lucio.sleep(0)
    local e = t.raises(lucio.RuntimeError, reader.readline, reader)
    assert.matches("already waiting for incoming data", e.message, 1, true)
    reader:feed_data("x")
    assert.are.equal("x", first:await())
  end)

  case("ST7: cancelling a read loses nothing", function()
    local reader = fed("abc")
    local read = lucio.create_task(reader.readexactly, reader, 5)
    lucio.sleep(0)
    read:cancel()
    lucio.wait {read}
    assert.is_true(read:cancelled())
    reader:feed_data("de")
    assert.are.equal("abcde", reader:readexactly(5))
  end)

  case("ST7: also when the bytes came before the cancellation was seen", function()
    local reader = fed()
    local read = lucio.create_task(reader.read, reader, 5)
    lucio.sleep(0)
    reader:feed_data("x")
    read:cancel()
    lucio.wait {read}
    assert.is_true(read:cancelled())
    assert.are.equal("x", reader:read(5))
  end)

  case("ST9: data before the end stays readable", function(t)
    local reader = fed("x")
    reader:feed_data("")
    reader:feed_eof()
    assert.is_false(reader:at_eof())
    t.raises(lucio.RuntimeError, reader.feed_data, reader, "more")
    assert.are.equal("x", reader:read())
    assert.is_true(reader:at_eof())
  end)

  case("ST2: outside of a task only what is there can be read", function(t)
    local reader = fed("x")
    local seen
    lucio.get_running_loop():call_soon(function()
      seen = {reader:read(1), pcall(reader.read, reader, 1)}
    end)
    lucio.sleep(0)
    lucio.sleep(0)
    assert.are.equal("x", seen[1])
    assert.is_false(seen[2])
    assert.are.equal("RuntimeError", seen[3].name)
    t.same_lines {}
  end)
end)
