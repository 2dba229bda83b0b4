-- The queues under cancellation. The rest: qu_spec.lua, qu_shutdown_spec.lua.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

-- Starts a task that logs `name`, the item it got and the tick.
local function getter(t, queue, name)
  return lucio.create_task(function() t.log(name, queue:get(), t.tick()) end)
end

-- Starts a task that puts `item` and logs the tick.
local function putter(t, queue, item)
  return lucio.create_task(function()
    queue:put(item)
    t.log("put", item, t.tick())
  end)
end

local function take_all(queue)
  local items = {}
  while not queue:empty() do items[#items + 1] = queue:get_nowait() end
  return items
end

describe("lucio.Queue cancellation", function()
  case("QU6: a cancelled getter that was not woken takes nothing", function(t)
    local queue = lucio.Queue()
    local cancelled = getter(t, queue, "cancelled")
    getter(t, queue, "second")
    lucio.sleep(0)
    cancelled:cancel("stop")
    lucio.sleep(0)
    local e = t.raises(lucio.CancelledError, cancelled.await, cancelled)
    assert.are.equal("stop", e.args[1])
    queue:put("a")
    lucio.sleep(0)
    t.same_lines {"second a 3"}
  end)

  case("QU6: a getter cancelled after it was woken wakes the next", function(t)
    local queue = lucio.Queue()
    local cancelled = getter(t, queue, "cancelled")
    getter(t, queue, "second")
    lucio.sleep(0)
    queue:put("a")
    cancelled:cancel()
    lucio.sleep(0)
    assert.is_true(cancelled:cancelled())
    t.same_lines {}
    lucio.sleep(0)
    t.same_lines {"second a 3"}
  end)

  case("QU6: an item put after the cancel of the same tick goes to the next getter", function(t)
    local queue = lucio.Queue()
    local cancelled = getter(t, queue, "cancelled")
    getter(t, queue, "second")
    lucio.sleep(0)
    cancelled:cancel()
    queue:put("a")
    lucio.sleep(0)
    assert.is_true(cancelled:cancelled())
    t.same_lines {"second a 2"}
  end)

  case("QU6: the item of a getter cancelled after its wake stays in the queue", function(t)
    local queue = lucio.Queue()
    local cancelled = getter(t, queue, "cancelled")
    lucio.sleep(0)
    queue:put("a")
    cancelled:cancel()
    lucio.sleep(0)
    assert.is_true(cancelled:cancelled())
    assert.are.same({"a"}, take_all(queue))
  end)

  case("QU6: a cancelled putter that was not woken adds nothing", function(t)
    local queue = lucio.Queue(1)
    queue:put("full")
    local cancelled = putter(t, queue, "a")
    putter(t, queue, "b")
    lucio.sleep(0)
    cancelled:cancel()
    lucio.sleep(0)
    assert.is_true(cancelled:cancelled())
    assert.are.equal("full", queue:get())
    lucio.sleep(0)
    t.same_lines {"put b 3"}
    assert.are.same({"b"}, take_all(queue))
  end)

  case("QU6: a putter cancelled after it was woken wakes the next", function(t)
    local queue = lucio.Queue(1)
    queue:put("full")
    local cancelled = putter(t, queue, "a")
    putter(t, queue, "b")
    lucio.sleep(0)
    queue:get()
    cancelled:cancel()
    lucio.sleep(0)
    t.same_lines {}
    lucio.sleep(0)
    t.same_lines {"put b 3"}
    assert.are.same({"b"}, take_all(queue))
  end)

  case("QU6: room made after the cancel of the same tick goes to the next putter", function(t)
    local queue = lucio.Queue(1)
    queue:put("full")
    local cancelled = putter(t, queue, "a")
    putter(t, queue, "b")
    lucio.sleep(0)
    cancelled:cancel()
    queue:get()
    lucio.sleep(0)
    assert.is_true(cancelled:cancelled())
    t.same_lines {"put b 2"}
    assert.are.same({"b"}, take_all(queue))
  end)

  case("QU6: the items of many puts and cancels all arrive once", function()
    local queue, seen, tasks = lucio.Queue(2), {}, {}
    for i = 1, 20 do
      tasks[i] = lucio.create_task(function()
        while true do
          local item = queue:get()
          seen[item] = (seen[item] or 0) + 1
        end
      end)
    end
    for i = 1, 60 do
      queue:put(i)
      if i % 4 == 0 then tasks[i // 4]:cancel() end
    end
    while not queue:empty() do lucio.sleep(0) end
    for i = 1, 60 do assert.are.equal(1, seen[i]) end
  end)
end)
