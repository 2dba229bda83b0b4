-- The end of a run and tasks that go on though they were cancelled (SEMANTICS RU2-RU5). These specs
-- call run themselves, so they stand outside of a loop.
local assert = require "luassert"
local lucio = require "lucio"

-- runs main on a loop with that timeout; returns what was reported, and how long the end took
local function run(timeout, main)
  local reports, from, to = {}, nil, nil
  local runner = lucio.Runner{shutdown_timeout = timeout}
  local loop = runner:get_loop()
  loop:set_exception_handler(function(l, context)
    to = l:time()
    reports[#reports + 1] = {context.message, tostring(context.task)}
  end)
  runner:run(function()
    main()
    lucio.sleep(0)
    from = loop:time()
  end)
  runner:close()
  return reports, to and to - from
end

local function start(name, fn)
  return lucio.create_task{fn, name = name}
end

describe("shutdown_timeout", function()
  local before

  before_each(function()
    before = lucio.stats()
  end)

  after_each(function()
    collectgarbage()
    local after = lucio.stats()
    for _, key in ipairs{"tasks", "timers", "anchors", "loops"} do
      assert.are.equal(before[key], after[key], key)
    end
  end)

  it("RU5: names the task that goes on, with its line, after 10 seconds", function()
    local reports, seconds = run(nil, function()
      start("stubborn", function()
        pcall(lucio.sleep, 60)
        lucio.Future():await()
      end)
    end)
    assert.are.equal(1, #reports)
    assert.matches("did not end within shutdown_timeout (10.0 s)", reports[1][1], 1, true)
    assert.matches("stubborn.*shutdown_timeout_spec.lua:47", reports[1][2])
    assert.are.equal(10, seconds)
  end)

  it("RU5: from then on every wait of it raises", function()
    local caught, ended = 0, false
    run(3, function()
      local lock, queue = lucio.Lock(), lucio.Queue()
      lock:acquire()
      local waits = {
        function() lucio.sleep(1) end,
        function() lucio.sleep(0) end,
        function() lucio.Future():await() end,
        function() lock:acquire() end,
        function() queue:get() end,
        function() lucio.Event():wait() end,
        function() lucio.gather(lucio.Future(), function() lucio.sleep(1) end) end,
        function() lucio.wait({lucio.Future()}) end,
        function() lucio.wait_for(lucio.Future(), 1) end,
        function() local _ <close> = lucio.timeout(5) lucio.sleep(60) end,
        function() lucio.shield(lucio.Future()):await() end,
        function()
          local group <close> = lucio.TaskGroup()
          group:create_task(lucio.sleep, 1)
          lucio.sleep(60)
        end,
      }
      start("stubborn", function()
        pcall(lucio.sleep, 60)
        pcall(lucio.sleep, 60)
        for i, wait in ipairs(waits) do
          local ok, e = pcall(wait)
          assert(not ok and e.name == "CancelledError", i)
          caught = caught + 1
        end
        ended = true
      end)
    end)
    assert.are.equal(12, caught)
    assert.is_true(ended)
  end)

  it("RU5: uncancel does not take that back", function()
    local names = {}
    run(3, function()
      start("stubborn", function()
        for i = 1, 4 do
          local ok, e = pcall(lucio.sleep, 60)
          names[i] = ok and "slept" or e.name
          while lucio.current_task():cancelling() > 0 do lucio.current_task():uncancel() end
        end
      end)
    end)
    assert.are.same({"CancelledError", "CancelledError", "CancelledError", "CancelledError"}, names)
  end)

  it("RU5: leaves a task behind that goes on even so", function()
    local reports = run(3, function()
      start("for ever", function()
        while true do pcall(lucio.sleep, 1) end
      end)
    end)
    assert.are.equal(2, #reports)
    assert.matches("for ever", reports[1][2], 1, true)
    assert.matches("was destroyed but it is pending", reports[2][1], 1, true)
    assert.matches("for ever", reports[2][2], 1, true)
  end)

  it("RU4: tasks that start others for ever end with it", function()
    local count = 0
    local function again()
      local _ <close> = setmetatable({}, {__close = function()
        lucio.create_task(again)
        lucio.sleep(0.5)
      end})
      count = count + 1
      lucio.sleep(1)
    end
    run(3, function() start("first", again) end)
    assert.is_true(count < 20)
  end)

  it("AG6: generators are closed after it, and their waits raise", function()
    local names = {}
    run(1, function()
      local generator = lucio.generator(function()
        local _ <close> = setmetatable({}, {__close = function()
          local _, e = pcall(lucio.sleep, 1)
          names[#names + 1] = e.name
        end})
        while true do coroutine.yield(1) end
      end)()
      generator:asend()
      start("stubborn", function()
        while true do pcall(lucio.sleep, 1) end
      end)
    end)
    assert.are.same({"CancelledError"}, names)
  end)

  it("RU5: math.huge waits as long as it takes", function()
    local slept = false
    local reports = run(math.huge, function()
      start("slow", function()
        pcall(lucio.sleep, 60)
        lucio.sleep(1000)
        slept = true
      end)
    end)
    assert.are.same({}, reports)
    assert.is_true(slept)
  end)

  it("RU5: 0 lets clean-up run up to its first wait", function()
    local words = {}
    local reports = run(0, function()
      start("tidy", function()
        local _ <close> = setmetatable({}, {__close = function() words[#words + 1] = "tidy" end})
        lucio.sleep(60)
      end)
      start("slow", function()
        pcall(lucio.sleep, 60)
        words[#words + 1] = "slow"
        lucio.sleep(1)
        words[#words + 1] = "never"
      end)
    end)
    assert.are.same({"tidy", "slow"}, words)
    assert.are.equal(1, #reports)
  end)

  it("is a field of the loop, so that main can set it", function()
    local loop
    lucio.run(function()
      loop = lucio.get_running_loop()
      assert.are.equal(10, loop.shutdown_timeout)
      loop.shutdown_timeout = 2
      assert.are.equal(2, loop.shutdown_timeout)
      for _, bad in ipairs{-1, 0 / 0} do
        local ok, e = pcall(function() loop.shutdown_timeout = bad end)
        assert.is_false(ok)
        assert.is_true(lucio.isinstance(e, lucio.ValueError))
      end
      local ok, e = pcall(function() loop.shutdown_timeout = "2" end)
      assert.is_false(ok)
      assert.is_true(lucio.isinstance(e, lucio.TypeError))
    end)
    local ok, e = pcall(lucio.Runner, {shutdown_timeout = -1})
    assert.is_false(ok)
    assert.is_true(lucio.isinstance(e, lucio.ValueError))
  end)
end)
