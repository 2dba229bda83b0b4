-- An event loop in plain Lua, to see what one is made of; nothing here uses lucio's. A coroutine
-- yields what it waits for: a time or a channel. The loop resumes what is ready, asks a selector
-- which channels have data, and steps a clock of its own to the next timer when nothing is ready.
-- A coroutine that has returned is finished; the loop ends when none is left. The selector stands
-- for poll() over sockets.
-- In asyncio: the custom event loop of the book (send, StopIteration, selectors).

-- A channel in memory: what a socket is to a real selector.
local Channel = {}
Channel.__index = Channel

local function channel() return setmetatable({data = {}}, Channel) end
function Channel:send(text) table.insert(self.data, text) end
function Channel:readable() return #self.data > 0 end

function Channel:receive()
  if not self:readable() then coroutine.yield("read", self) end
  return table.remove(self.data, 1)
end

local EventLoop = {}
EventLoop.__index = EventLoop

local function event_loop()
  return setmetatable({
    now = 0,
    ready = {},
    timers = {}, -- by time, and of equal times by order of creation
    readers = {},
    sequence = 0,
  }, EventLoop)
end

function EventLoop:spawn(fn, ...)
  table.insert(self.ready, {co = coroutine.create(fn), args = table.pack(...)})
end

function EventLoop:step(task)
  local args = task.args or {n = 0}
  task.args = nil
  local ok, what, on = coroutine.resume(task.co, table.unpack(args, 1, args.n))
  if not ok then
    error(what, 0)
  elseif coroutine.status(task.co) == "dead" then
    return -- finished
  elseif what == "sleep" then
    task.wake_at = self.now + on
    self.sequence = self.sequence + 1
    task.sequence = self.sequence
    table.insert(self.timers, task)
    table.sort(self.timers, function(a, b)
      if a.wake_at ~= b.wake_at then return a.wake_at < b.wake_at end
      return a.sequence < b.sequence
    end)
  elseif what == "read" then
    task.channel = on
    table.insert(self.readers, task)
  end
end

function EventLoop:select()
  local waiting = {}
  for _, task in ipairs(self.readers) do
    table.insert(task.channel:readable() and self.ready or waiting, task)
  end
  self.readers = waiting
  if #self.ready == 0 and #self.timers > 0 then
    self.now = self.timers[1].wake_at
  end
  while self.timers[1] and self.timers[1].wake_at <= self.now do
    table.insert(self.ready, table.remove(self.timers, 1))
  end
end

function EventLoop:run()
  repeat
    local batch = self.ready
    self.ready = {}
    for _, task in ipairs(batch) do self:step(task) end
    self:select()
  until #self.ready == 0
end

local function sleep(delay) coroutine.yield("sleep", delay) end

local loop = event_loop()

local function report(text) print(("%.1f с: %s"):format(loop.now, text)) end

local function counter(name, n, pause)
  for i = 1, n do
    sleep(pause)
    report(("%s: %d"):format(name, i))
  end
  report(name .. ": конец")
end

local function server(request, reply)
  for _ = 1, 2 do
    local text = request:receive()
    report("сервер получил: " .. text)
    sleep(0.3)
    reply:send(text:upper())
  end
end

local function client(request, reply)
  for _, text in ipairs{"ping", "pong"} do
    request:send(text)
    report("клиент получил: " .. reply:receive())
  end
end

local request, reply = channel(), channel()
loop:spawn(counter, "А", 3, 0.5)
loop:spawn(counter, "Б", 2, 0.7)
loop:spawn(server, request, reply)
loop:spawn(client, request, reply)
loop:run()
report("все сопрограммы закончились")
