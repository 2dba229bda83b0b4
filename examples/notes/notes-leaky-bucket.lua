-- A leaky bucket: requests flow in as they come and drip out at a constant rate, so a burst is
-- smoothed. The bucket is a bounded queue. When it is full, a new request either overflows
-- (put_nowait raises QueueFull) or waits for room (put).
-- In asyncio: Queue(maxsize), put_nowait, QueueFull, put.
local lucio = require "lucio"

local LeakyBucket = {}
LeakyBucket.__index = LeakyBucket

local function leaky_bucket(capacity, interval, handle)
  local queue = lucio.Queue(capacity)
  local leak = lucio.create_task(function()
    for _, request in queue:items() do
      handle(request)
      queue:task_done()
      lucio.sleep(interval)
    end
  end)
  return setmetatable({queue = queue, leak = leak}, LeakyBucket)
end

function LeakyBucket:try_add(request)
  local ok, err = lucio.pcall(self.queue.put_nowait, self.queue, request)
  if not ok and not lucio.isinstance(err, lucio.QueueFull) then error(err, 0) end
  return ok
end

function LeakyBucket:add(request) self.queue:put(request) end

function LeakyBucket:__close()
  self.queue:shutdown()
  self.leak:await()
end

local function main()
  local loop = lucio.get_running_loop()
  local start
  local function report(text) print(("%.1f с: %s"):format(loop:time() - start, text)) end
  local function handle(i) report("обработан запрос " .. i) end

  print("Переполнение отбрасывается")
  start = loop:time()
  do
    local bucket <close> = leaky_bucket(3, 0.5, handle)
    for i = 1, 5 do
      if not bucket:try_add(i) then report("отклонён запрос " .. i) end
    end
    lucio.sleep(1.2)
    report(bucket:try_add(6) and "принят запрос 6" or "отклонён запрос 6")
  end

  print("Переполнение ждёт")
  start = loop:time()
  do
    local bucket <close> = leaky_bucket(3, 0.5, handle)
    for i = 1, 5 do bucket:add(i) end
    report("все запросы в ведре")
  end
end

lucio.run(main)
