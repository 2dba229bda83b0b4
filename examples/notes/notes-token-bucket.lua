-- A token bucket: tokens flow in at a constant rate up to the size of the bucket, each request
-- takes one. A burst as large as the bucket passes at once, then the rate holds; after a pause
-- the bucket is full again, but no fuller. The lock keeps the requests in the order of their
-- arrival.
-- In asyncio: Lock, sleep, loop.time.
local lucio = require "lucio"

local TokenBucket = {}
TokenBucket.__index = TokenBucket

local function token_bucket(size, rate)
  return setmetatable({
    size = size,
    rate = rate,
    tokens = size,
    refilled_at = lucio.get_running_loop():time(),
    lock = lucio.Lock(),
  }, TokenBucket)
end

function TokenBucket:refill()
  local now = lucio.get_running_loop():time()
  self.tokens = math.min(self.size, self.tokens + (now - self.refilled_at) * self.rate)
  self.refilled_at = now
end

function TokenBucket:acquire()
  local _ <close> = self.lock:acquire()
  self:refill()
  while self.tokens < 1 do
    lucio.sleep((1 - self.tokens) / self.rate)
    self:refill()
  end
  self.tokens = self.tokens - 1
end

local function main()
  local loop = lucio.get_running_loop()
  local bucket = token_bucket(3, 2) -- three tokens, two more a second
  local start = loop:time()

  local function burst(n)
    local tg <close> = lucio.TaskGroup()
    for i = 1, n do
      tg:create_task(function()
        bucket:acquire()
        print(("%.1f с: запрос %d"):format(loop:time() - start, i))
      end)
    end
  end

  print("Первая серия")
  burst(6)
  lucio.sleep(10)
  print("Вторая серия после паузы")
  burst(5)
end

lucio.run(main)
