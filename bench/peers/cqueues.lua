--- cqueues: its own controller, sleep and condition variables; a task is a future set by a wrapped
-- coroutine. (cqueues.promise, which a program would take first, is slower than this: it makes a
-- table for it and a protected call as well.)
local cqueues = require "cqueues"
local condition = require "cqueues.condition"

local new_condition = condition.new
local sleep = cqueues.sleep

local M = { sleep = sleep }

local controller

-- Futures and tasks

local Future = {}
Future.__index = Future

local function finish(self, value)
  self.finished, self.value = true, value
  if self.changed then
    self.changed:signal()
  end
  if self.group then
    self.group:note(self)
  end
end

Future.set_result = finish

function Future:await()
  if not self.finished then
    self.changed = self.changed or new_condition()
    repeat
      self.changed:wait()
    until self.finished
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
  controller:wrap(entry, task, fn, ...)
  return task
end

-- Queue

local Queue = {}
Queue.__index = Queue

function M.Queue(maxsize)
  return setmetatable({
    maxsize = maxsize, head = 1, tail = 1, items = {},
    filled = new_condition(), emptied = new_condition(), getters = 0, putters = 0,
  }, Queue)
end

function Queue:put(item)
  while self.tail - self.head >= self.maxsize do
    self.putters = self.putters + 1
    self.emptied:wait()
    self.putters = self.putters - 1
  end
  self.items[self.tail] = item
  self.tail = self.tail + 1
  if self.getters > 0 then
    self.filled:signal(1)
  end
end

function Queue:get()
  while self.head == self.tail do
    self.getters = self.getters + 1
    self.filled:wait()
    self.getters = self.getters - 1
  end
  local head = self.head
  local item = self.items[head]
  self.items[head] = nil
  self.head = head + 1
  if self.putters > 0 then
    self.emptied:signal(1)
  end
  return item
end

-- Lock: a flag and a condition variable, so who releases may take it again before the one it woke

local Lock = {}
Lock.__index = Lock

function M.Lock()
  return setmetatable({ held = false, waiters = 0, free = new_condition() }, Lock)
end

function Lock:acquire()
  while self.held do
    self.waiters = self.waiters + 1
    self.free:wait()
    self.waiters = self.waiters - 1
  end
  self.held = true
  return self
end

function Lock:release()
  self.held = false
  if self.waiters > 0 then
    self.free:signal(1)
  end
end

Lock.__close = Lock.release

-- Event

local Event = {}
Event.__index = Event

function M.Event()
  return setmetatable({ changed = new_condition() }, Event)
end

function Event:wait()
  if not self.is_set then
    self.changed:wait()
  end
end

function Event:set()
  self.is_set = true
  self.changed:signal()
end

-- Groups

local Group = {}
Group.__index = Group

function Group:note(task)
  self.pending = self.pending - 1
  if self.ended then
    self.ended[#self.ended + 1] = task
    self.changed:signal()
  elseif self.pending == 0 then
    self.changed:signal()
  end
end

local function new_group(list, ended)
  local group = setmetatable({ pending = 0, ended = ended, changed = new_condition() }, Group)
  for i = 1, #list do
    if list[i].finished then
      if ended then
        ended[#ended + 1] = list[i]
      end
    else
      group.pending = group.pending + 1
      list[i].group = group
    end
  end
  return group
end

function M.gather(list)
  local group = new_group(list)
  while group.pending > 0 do
    group.changed:wait()
  end
  local results = {}
  for i = 1, #list do
    results[i] = list[i].value
  end
  return results
end

function M.as_completed(list)
  local group, head = new_group(list, {}), 0
  return function()
    if head == #list then
      return nil
    end
    head = head + 1
    while not group.ended[head] do
      group.changed:wait()
    end
    return group.ended[head]
  end
end

-- A limit is an argument of the poll in cqueues; there is none on a block of code.

M.timeout = false

function M.wait_for(fn, limit)
  local deadline = cqueues.monotime() + limit
  local task = M.create_task(fn)
  task.changed = new_condition()
  while not task.finished do
    if not task.changed:wait(deadline - cqueues.monotime()) and not task.finished then
      error "a timeout fired"
    end
  end
  return task.value
end

function M.run(main)
  controller = cqueues.new()
  local value
  controller:wrap(function() value = main() end)
  assert(controller:loop())
  return value
end

return M
