-- A circuit breaker before a service that fails. After three failures within ten seconds it
-- opens: calls fail at once and leave the service alone. After the reset time one trial call is
-- let through; its success closes the breaker, its failure opens it again. While the trial runs,
-- other calls are refused.
-- In asyncio: an ordinary class around await, loop.time.
local lucio = require "lucio"

local CircuitOpen = lucio.exception("CircuitOpen")

local CircuitBreaker = {}
CircuitBreaker.__index = CircuitBreaker

local function circuit_breaker(options)
  return setmetatable({
    max_failures = options.max_failures,
    window = options.window,
    reset_time = options.reset_time,
    state = "замкнут",
    failures = {}, -- times of the latest failures
    opened_at = nil,
  }, CircuitBreaker)
end

function CircuitBreaker:change(state)
  if state ~= self.state then
    print(("       выключатель: %s -> %s"):format(self.state, state))
    self.state = state
  end
end

function CircuitBreaker:open(now)
  self.failures, self.opened_at = {}, now
  self:change("разомкнут")
end

function CircuitBreaker:failed(now)
  table.insert(self.failures, now)
  while self.failures[1] < now - self.window do table.remove(self.failures, 1) end
  if self.state == "проба" or #self.failures >= self.max_failures then self:open(now) end
end

function CircuitBreaker:call(fn, ...)
  local loop = lucio.get_running_loop()
  if self.state == "разомкнут" and loop:time() >= self.opened_at + self.reset_time then
    self:change("проба")
  elseif self.state ~= "замкнут" then
    error(CircuitOpen("вызов не сделан"))
  end

  local results = table.pack(lucio.pcall(fn, ...))
  if not results[1] then
    self:failed(loop:time())
    error(results[2], 0)
  end
  self.failures = {}
  self:change("замкнут")
  return table.unpack(results, 2, results.n)
end

local function main()
  local loop = lucio.get_running_loop()
  local start = loop:time()
  local function clock() return loop:time() - start end

  local calls = 0
  local function service()
    local down = clock() > 1.5 and clock() < 8.5
    calls = calls + 1
    lucio.sleep(0.2)
    if down then error(lucio.ConnectionError("служба не отвечает")) end
    return "ответ"
  end

  local breaker = circuit_breaker{max_failures = 3, window = 10, reset_time = 3}
  local function request()
    local ok, result = lucio.pcall(breaker.call, breaker, service)
    print(("%4.1f с: %s"):format(clock(), ok and result or result.name .. ": " .. tostring(result)))
  end

  for second = 0, 13 do
    lucio.sleep(second - clock())
    if second == 12 then
      lucio.gather(request, request) -- the trial, and a call during the trial
    else
      request()
    end
  end
  print(("вызовов 15, из них дошли до службы %d"):format(calls))
end

lucio.run(main)
