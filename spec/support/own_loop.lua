--- One spec case that drives a loop by hand, outside of any running loop.
--
--     local own_loop = require "spec.support.own_loop"
--     own_loop("LP13: stop lets the current batch finish", function(loop, t) ... end)
--
-- `loop` is new and not running; it is closed at the end where the case did not do so. As after
-- a case of spec.support.case, nothing may be left. `t` has `log`, `lines`, `same_lines`, `raises`
-- (of a class), and `reports`, the contexts that the loop's exception handler was given: the case
-- fails when there are some and it did not look at them.
local assert = require "luassert"
local busted = require "busted"
local lucio = require "lucio"

local COUNTED = {"tasks", "timers", "watchers", "anchors", "reports", "loops"}
local COLLECTIONS = 3

local function collect()
  for _ = 1, COLLECTIONS do collectgarbage() end
end

local function raises(class, fn, ...)
  local ok, e = pcall(fn, ...)
  if ok then busted.fail("expected an error, the call returned", 2) end
  local known, yes = pcall(lucio.isinstance, e, class)
  if not (known and yes) then
    busted.fail(string.format("expected %s, got %s", class.name, tostring(e)), 2)
  end
  return e
end

local function new_context(loop)
  local t = {lines = {}, raises = raises}
  local reports, taken = {}, false

  function t.log(...)
    local words = table.pack(...)
    for i = 1, words.n do words[i] = tostring(words[i]) end
    t.lines[#t.lines + 1] = table.concat(words, " ")
  end

  function t.same_lines(expected)
    return assert.are.same(expected, t.lines)
  end

  loop:set_exception_handler(function(_, context)
    reports[#reports + 1] = context
  end)
  setmetatable(t, {__index = function(_, key)
    assert(key == "reports", "no such field: " .. tostring(key))
    taken = true
    return reports
  end})

  local function check()
    if taken or #reports == 0 then return end
    local first = reports[1]
    error(string.format("%d unexpected reports, the first: %s: %s", #reports,
      tostring(first.message), tostring(first.exception)), 0)
  end

  return t, check
end

local function run_case(fn)
  local loop <const> = lucio.new_event_loop()
  local t, check = new_context(loop)
  local ok, e = xpcall(fn, function(e)
    if type(e) == "table" or type(e) == "userdata" then return e end
    return debug.traceback(e, 2)
  end, loop, t)
  if not loop:is_closed() then loop:close() end
  if not ok then error(e, 0) end
  return check
end

-- One run that sets up for good what the first run sets up.
local warm = false

return function(name, fn)
  return busted.it(name, function()
    if not warm then
      warm = true
      local loop = lucio.new_event_loop()
      loop:run_until_complete(loop:create_task(function() end))
      loop:close()
    end
    collect()
    local before = lucio.stats()
    local check = run_case(fn)
    collect()
    check()
    check = nil -- luacheck: ignore 311
    collect()
    local after = lucio.stats()
    for _, key in ipairs(COUNTED) do
      if after[key] > before[key] then
        busted.fail(string.format("the case leaves behind: %s %d -> %d", key, before[key],
          after[key]))
      end
    end
  end)
end
