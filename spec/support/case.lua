--- One spec case inside a loop of its own.
--
--     local case = require "spec.support.case"
--     case("QU1: put on a full queue raises QueueFull", function(t) ... end)
--
-- is busted's `it` with the function run by `lucio.run`, on a fresh loop. The runner sets
-- LUCIO_CLOCK=virtual: a case never really sleeps, one that waits for ever ends with an error.
-- Afterwards nothing may be left: no task, timer, watcher, anchor, unreported failure or open loop,
-- and no call of the loop's exception handler that the case did not look at.
--
-- The argument of a case:
--
--   * `t.tick()`: how many loop iterations passed since the case began (0 in its first step).
--   * `t.start_ticks()`: counts from 0 again, in this iteration.
--   * `t.log(...)`: appends its arguments, joined by spaces, to `t.lines`.
--   * `t.same_lines{...}`: asserts that `t.lines` holds just these.
--   * `t.raises(what, fn, ...)`: asserts that `fn(...)` raises, returns the error. `what` is an
--     error class, a message (without the position that `error` puts there), or the very value.
--   * `t.reports`: the contexts that the exception handler was given. Reading it takes the
--     reports of the case's body; what is reported later fails the case,
--   * `t.late_reports(n)`: unless so many are announced.
local assert = require "luassert"
local busted = require "busted"
local lucio = require "lucio"

-- Everything that a case could leave behind.
local COUNTED = {"tasks", "timers", "watchers", "anchors", "reports", "loops"}

-- The ticker keeps the loop busy, and the virtual clock stands still while it does. So it stops
-- when nobody has asked for the tick in so many iterations; t.start_ticks() sets it going again.
local IDLE_TICKS = 64

-- Collections that a chain of finalizers may need before its last object is gone.
local COLLECTIONS = 3

local function counts()
  local stats, found = lucio.stats(), {}
  for _, key in ipairs(COUNTED) do
    found[key] = assert(stats[key], "lucio.stats() lacks " .. key)
  end
  return found
end

local function growth(before, after)
  local grown = {}
  for _, key in ipairs(COUNTED) do
    if after[key] > before[key] then
      grown[#grown + 1] = string.format("%s %d -> %d", key, before[key], after[key])
    end
  end
  return grown
end

-- What the process held after the last case: the next one starts from there, without a collection
-- of its own unless something else ran between them.
local settled

local function baseline()
  if not settled then
    lucio.run(function() end) -- what the first run sets up for good is no leak
    collectgarbage()
    collectgarbage()
    return counts()
  end
  local now = counts()
  for _, key in ipairs(COUNTED) do
    if now[key] ~= settled[key] then
      collectgarbage()
      collectgarbage()
      return counts()
    end
  end
  return now
end

local function isinstance(e, class)
  local ok, yes = pcall(lucio.isinstance, e, class)
  return ok and yes
end

-- A text for any error value; error objects get their class before the message.
local function describe_error(e)
  if type(e) == "string" then return e end
  if isinstance(e, lucio.BaseException) then return e.name .. ": " .. tostring(e) end
  return string.format("(a %s raised) %s", type(e), tostring(e))
end

-- The first line of a spec in a traceback, as Busted puts it before a message, or "".
local function spec_line(trace)
  local place = trace and trace:match("([^%s]+_spec%.lua:%d+):")
  return place and place .. ": " or ""
end

local function is_assertion(e)
  local mt = type(e) == "table" and debug.getmetatable(e)
  return mt and (mt.__type == "failure" or mt.__type == "pending")
end

local function new_ticker()
  local count, idle, running, loop = 0, 0, false, nil

  local function turn()
    count, idle = count + 1, idle + 1
    if idle > IDLE_TICKS or loop:is_closed() then
      running = false
    else
      loop:call_soon(turn)
    end
  end

  local ticker = {}

  function ticker.start()
    count, idle = 0, 0
    loop = lucio.get_running_loop()
    if not running then
      running = true
      loop:call_soon(turn)
    end
  end

  function ticker.tick()
    if not running then
      error("the tick count stopped (the case waited for a timer): call t.start_ticks() there", 3)
    end
    idle = 0
    return count
  end

  return ticker
end

-- The level of busted.fail at which a failure is shown at the caller of t.raises.
local CALLER = 2

local function raises(what, fn, ...)
  local r = table.pack(pcall(fn, ...))
  if r[1] then busted.fail("expected an error, the call returned", CALLER) end
  local e = r[2]
  if rawequal(e, what) then return e end
  if type(what) == "string" then
    local text = tostring(e)
    if text ~= what and text:gsub("^[^\n]-:%d+: ", "", 1) ~= what then
      busted.fail(string.format("expected the error %q, got %q", what, text), CALLER)
    end
  elseif not isinstance(e, what) then
    local wanted = type(what) == "table" and what.name or tostring(what)
    busted.fail(string.format("expected %s, got %s", wanted, describe_error(e)), CALLER)
  end
  return e
end

-- The argument of a case, and a function that gives the reports nobody took.
local function new_context()
  local t = {lines = {}, raises = raises}
  local reports, taken, in_body, late_allowed = {}, false, true, 0
  local late = 0
  local ticker = new_ticker()

  t.tick, t.start_ticks = ticker.tick, ticker.start

  function t.log(...)
    local words = table.pack(...)
    for i = 1, words.n do words[i] = tostring(words[i]) end
    t.lines[#t.lines + 1] = table.concat(words, " ")
  end

  function t.same_lines(expected)
    return assert.are.same(expected, t.lines) -- a tail call: the failure shows the caller's line
  end

  function t.late_reports(n)
    late_allowed = n
  end

  setmetatable(t, {__index = function(_, key)
    if key == "reports" then
      taken = true
      return reports
    end
    error("a case's argument has no field " .. tostring(key), 2)
  end})

  local function on_report(_, context)
    reports[#reports + 1] = context
    if not in_body then late = late + 1 end
  end

  local function end_body()
    in_body = false
  end

  local function check_reports()
    if late == late_allowed and (taken or #reports == late) then return end
    local texts = {string.format(
      "unexpected calls of the exception handler (%d in the body, %s; %d after it, %d announced):",
      #reports - late, taken and "taken" or "not taken", late, late_allowed)}
    for _, context in ipairs(reports) do
      local e = context.exception
      local cause = e ~= nil and ": " .. describe_error(e) or ""
      texts[#texts + 1] = "  " .. tostring(context.message) .. cause
    end
    error(table.concat(texts, "\n"), 0)
  end

  return t, {ticker = ticker, on_report = on_report, end_body = end_body, check = check_reports}
end

local function run_case(fn)
  local before = baseline()
  local t, control = new_context()
  local trace

  local function keep_trace(e)
    if not is_assertion(e) then trace = debug.traceback("", 2) end
    return e
  end

  local ok, e = pcall(lucio.run, function()
    lucio.get_running_loop():set_exception_handler(control.on_report)
    control.ticker.start()
    local passed, err = xpcall(fn, keep_trace, t)
    control.end_body()
    if not passed then error(err, 0) end
  end)

  collectgarbage()
  if not ok then
    settled = nil
    if is_assertion(e) then error(e, 0) end
    local place = type(e) == "string" and "" or spec_line(trace)
    error(place .. describe_error(e) .. (trace or ""), 0)
  end
  control.check()
  local after = counts()
  local grown = growth(before, after)
  for _ = 2, COLLECTIONS do
    if #grown == 0 then break end
    collectgarbage()
    after = counts()
    grown = growth(before, after)
  end
  settled = after
  if #grown > 0 then error("the case leaves behind: " .. table.concat(grown, ", "), 0) end
end

return function(name, fn)
  -- a tail call, so that busted takes the caller's line for the case's
  return busted.it(name, function() run_case(fn) end)
end
