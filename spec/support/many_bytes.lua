--- Reads of many bytes for which a task waits: they come straight into the string that it gets.
-- The same cases for a plain pair of connected streams and for one with TLS.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

local M = {}

--- So many bytes are a string at once.
M.LARGE = 20000

local LARGE = M.LARGE

-- Calls fn(reader, task, text, writer): in the reader a task waits in read(n), for which the text
-- that the writer has sent has come; it goes on next.
local function with_large(pair, n, fn)
  local one, other = pair()
  local task = lucio.create_task(function() return other.reader:read(n) end)
  lucio.sleep(0)
  local text = ("0123456789abcdef"):rep(LARGE // 16)
  one.writer:write(text)
  -- this task's turn comes before that of the one which waits
  repeat lucio.sleep(0) until tostring(other.reader):find(LARGE .. " bytes", 1, true)
  fn(other.reader, task, text, one.writer)
  one.writer:abort()
  other.writer:abort()
end

--- The cases, of the ends that pair() makes; finish(writer) is a writer's last word.
function M.cases(pair, finish)
  case("gives all of them, in order, whatever sizes are asked for", function()
    local one, other = pair()
    local sent = {}
    for i = 1, 40000 do sent[i] = ("%07d\n"):format(i) end
    sent = table.concat(sent)
    lucio.create_task(function()
      for i = 1, #sent, 50000 do
        one.writer:write(sent:sub(i, i + 49999))
        one.writer:drain()
        if i % 3 == 0 then lucio.sleep(0.001) end
      end
      finish(one.writer)
    end)
    local sizes, got = {1, 8191, 8192, 65536, 300000, 7}, {}
    for i = 1, math.huge do
      local part
      if i % 4 == 0 then
        -- in a coroutine, whose stack has a mark on top while it waits
        part = coroutine.wrap(function() return other.reader:read(sizes[i % #sizes + 1]) end)()
      elseif i % 5 == 0 then
        part = other.reader:readline()
      else
        part = other.reader:read(sizes[i % #sizes + 1])
      end
      if part == "" then break end
      got[i] = part
    end
    assert.is_true(table.concat(got) == sent)
    one.writer:abort()
    other.writer:abort()
  end)

  case("ST7: cancelled when they had come, leaves them to the next one", function(t)
    with_large(pair, 65536, function(reader, task, text, writer)
      task:cancel()
      t.raises(lucio.CancelledError, task.await, task)
      writer:write("more")
      repeat lucio.sleep(0) until tostring(reader):find(LARGE + 4 .. " bytes", 1, true)
      assert.is_true(reader:read(100000) == text .. "more")
    end)
  end)

  case("leaves to the waiting task what another read has not taken first", function()
    for _, n in ipairs {9000, 65536} do
      with_large(pair, n, function(reader, task, text)
        assert.are.equal("01234", reader:read(5))
        local rest = task:await()
        assert.are.equal(text:sub(6, 5 + n), rest)
        if #rest < LARGE - 5 then assert.is_true(text:sub(6 + n) == reader:read(LARGE)) end
      end)
    end
  end)

  case("ST9: is not the end before they were taken", function()
    with_large(pair, 65536, function(reader, task, text, writer)
      finish(writer)
      assert.is_false(reader:at_eof())
      assert.is_true(task:await() == text)
      assert.are.equal("", reader:read(1))
      assert.is_true(reader:at_eof())
    end)
  end)
end

return M
