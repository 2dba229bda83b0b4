--- How cases get into Busted: what a spec registers is replaced, as it is registered, by a function
-- that runs it on the loop of its case.
-- A hook before all others begins the case, one after all others ends it. Where no other hook comes
-- after a case, it ends with the case itself, so that what it leaves behind fails the case.
local cases = select(2, ...)

local M = {}

local OF_CASE = {"before_each", "after_each"}
local OF_BLOCK = {
  strict_setup = "setup", strict_teardown = "teardown", lazy_setup = "lazy_setup",
  lazy_teardown = "lazy_teardown",
}

local error, ipairs, pairs, pcall, setmetatable, tostring =
  error, ipairs, pairs, pcall, setmetatable, tostring
local getupvalue = debug and debug.getupvalue

local busted
local case -- the one that Busted runs now
local own_after
local ours = setmetatable({}, {__mode = "k"}) -- functions that are registered as they are

-- Busted looks at the environment of what it runs.
local function environment_of(fn)
  local i = 1
  while getupvalue do
    local name, value = getupvalue(fn, i)
    if name == "_ENV" then return value end
    if name == nil then break end
    i = i + 1
  end
  return _G
end

local function in_environment(_ENV, run)
  return function() return run(_ENV) end
end

local function place_of(trace)
  return trace and trace.short_src and ("%s:%d"):format(trace.short_src, trace.currentline) or nil
end

-- ---- functions of a case ----

local function has_after_each(element)
  local parent = busted.parent(element)
  while parent do
    for _, hook in ipairs(parent.after_each or {}) do
      if hook.run ~= own_after then return true end
    end
    parent = busted.parent(parent)
  end
  return false
end

-- Runs it; ends the case if nothing of it comes later.
local function run_last(fn, is_last)
  local ok, e = pcall(case.run, case, fn)
  if is_last() then
    local clean, problem = pcall(case.finish, case)
    if ok and not clean then ok, e = false, problem end
  end
  if not ok then error(e, 0) end
end

local function wrap_finally(fn)
  return function()
    run_last(fn, function() return not has_after_each(case.element) end)
  end
end

local function wrap_it(fn)
  return function()
    run_last(fn, function() return not case.has_finally and not has_after_each(case.element) end)
  end
end

local function wrap_hook(fn, trace)
  return function() case:run(fn, place_of(trace)) end
end

-- ---- functions of a block ----

local function wrap_block(fn, what, trace)
  return function()
    local block = cases.open("this " .. what, place_of(trace))
    local ok, e = pcall(block.run, block, fn)
    local clean, problem = pcall(block.finish, block)
    if not ok then error(e, 0) end
    if not clean then
      error(("%s\n(its loop ends with it: what cases share and what lives on a loop belongs into "
        .. "before_each)"):format(tostring(problem)), 0)
    end
  end
end

-- ---- Busted ----

local function intercept(descriptor, wrap)
  busted.subscribe({"register", descriptor}, function(name, fn, trace, attributes)
    if ours[fn] then return nil, true end
    local wrapped = in_environment(environment_of(fn), wrap(fn, trace))
    ours[wrapped] = true
    busted.publish({"register", descriptor}, name, wrapped, trace, attributes)
    return nil, false
  end, {priority = 1})
end

local function begin_case()
  case = cases.open("this case", nil)
end

local function end_case()
  local ended = case
  case = nil
  if ended then ended:finish() end
end

local function full_name(element)
  local names = {}
  while element and element.descriptor ~= "file" and element.descriptor ~= "suite" do
    table.insert(names, 1, tostring(element.name or ""))
    element = busted.parent(element)
  end
  return table.concat(names, " ")
end

-- For Busted a case that ends as pending does so in this file.
local function correct_place(_, _, _, trace)
  local place = case and case.verdict_place
  if type(trace) == "table" and place then
    local source, line = place:match("^(.*):(%d+)$")
    trace.short_src, trace.currentline = source, math.tointeger(line)
  end
  return nil, true
end

--- Once for each run of Busted.
function M.install(module)
  if busted then return end
  busted = module
  own_after = end_case
  ours[begin_case], ours[end_case] = true, true
  busted.before_each("the beginning of a case", begin_case)
  busted.after_each("the end of a case", end_case)
  intercept("it", wrap_it)
  for _, descriptor in ipairs(OF_CASE) do intercept(descriptor, wrap_hook) end
  for descriptor, name in pairs(OF_BLOCK) do
    intercept(descriptor, function(fn, trace) return wrap_block(fn, name, trace) end)
  end
  busted.subscribe({"pending"}, correct_place, {priority = 1})
  busted.subscribe({"test", "start"}, function(element)
    if case then
      local set = element.env.finally
      case.element = element
      case.title = ("the case '%s'"):format(full_name(element))
      case.place = place_of(element.trace)
      element.env.finally = function(fn)
        case.has_finally = true
        set(wrap_finally(fn))
      end
    end
    return nil, true
  end, {priority = 1})
end

return M
