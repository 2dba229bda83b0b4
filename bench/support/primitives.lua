--- Futures, queues, locks and groups in Lua for a library that has none, from three functions of
-- it: suspend the running coroutine, wake one, start one. As lean as somebody who writes
-- them for one program would have them: no cancellation, no limits on waits.
return function(suspend, wake, start)
  local running = coroutine.running
  local M = {}

  -- Futures and tasks. A single waiter, the usual case, needs no list.

  local Future = {}
  Future.__index = Future

  local function finish(self, value)
    self.finished, self.value = true, value
    local first, rest = self.waiter, self.waiters
    if first then
      wake(first)
    end
    if rest then
      for i = 1, #rest do
        wake(rest[i])
      end
    end
    if self.on_finish then
      self.on_finish(self)
    end
  end

  Future.set_result = finish

  function Future:await()
    if not self.finished then
      if not self.waiter then
        self.waiter = running()
      else
        self.waiters = self.waiters or {}
        self.waiters[#self.waiters + 1] = running()
      end
      suspend()
    end
    return self.value
  end

  function Future:done()
    return self.finished
  end

  function Future:result()
    return self.value
  end

  function M.Future()
    return setmetatable({ finished = false }, Future)
  end

  local function entry(task, fn, ...)
    finish(task, fn(...))
  end

  function M.create_task(fn, ...)
    local task = setmetatable({ finished = false }, Future)
    start(entry, task, fn, ...)
    return task
  end

  -- Lists of waiting coroutines, first in first out.

  local function push(list, co)
    local tail = list.tail
    list[tail] = co
    list.tail = tail + 1
  end

  local function wake_one(list)
    local head = list.head
    if head == list.tail then
      return false
    end
    local co = list[head]
    list[head] = nil
    list.head = head + 1
    wake(co)
    return true
  end

  local function new_list()
    return { head = 1, tail = 1 }
  end

  -- Queue

  local Queue = {}
  Queue.__index = Queue

  function M.Queue(maxsize)
    return setmetatable({
      maxsize = maxsize, head = 1, tail = 1, items = {}, getters = new_list(), putters = new_list(),
    }, Queue)
  end

  function Queue:put(item)
    while self.tail - self.head >= self.maxsize do
      push(self.putters, running())
      suspend()
    end
    self.items[self.tail] = item
    self.tail = self.tail + 1
    wake_one(self.getters)
  end

  function Queue:get()
    while self.head == self.tail do
      push(self.getters, running())
      suspend()
    end
    local head = self.head
    local item = self.items[head]
    self.items[head] = nil
    self.head = head + 1
    wake_one(self.putters)
    return item
  end

  -- Lock, handed over in order of arrival

  local Lock = {}
  Lock.__index = Lock

  function M.Lock()
    return setmetatable({ held = false, waiters = new_list() }, Lock)
  end

  function Lock:acquire()
    if self.held then
      push(self.waiters, running())
      suspend()
    end
    self.held = true
    return self
  end

  function Lock:release()
    if not wake_one(self.waiters) then
      self.held = false
    end
  end

  Lock.__close = Lock.release

  -- Event

  local Event = {}
  Event.__index = Event

  function M.Event()
    return setmetatable({ waiters = new_list() }, Event)
  end

  function Event:wait()
    if not self.is_set then
      push(self.waiters, running())
      suspend()
    end
  end

  function Event:set()
    self.is_set = true
    while wake_one(self.waiters) do end
  end

  -- Groups

  function M.gather(list)
    local pending, me = 0, running()
    local function on_finish()
      pending = pending - 1
      if pending == 0 then
        wake(me)
      end
    end
    for i = 1, #list do
      if not list[i].finished then
        pending = pending + 1
        list[i].on_finish = on_finish
      end
    end
    if pending > 0 then
      suspend()
    end
    local results = {}
    for i = 1, #list do
      results[i] = list[i].value
    end
    return results
  end

  function M.as_completed(list)
    local ended, head, waiter = {}, 0, nil
    local function on_finish(task)
      ended[#ended + 1] = task
      if waiter then
        local co = waiter
        waiter = nil
        wake(co)
      end
    end
    for i = 1, #list do
      if list[i].finished then
        on_finish(list[i])
      else
        list[i].on_finish = on_finish
      end
    end
    return function()
      if head == #list then
        return nil
      end
      head = head + 1
      while not ended[head] do
        waiter = running()
        suspend()
      end
      return ended[head]
    end
  end

  return M
end
