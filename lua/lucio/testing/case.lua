--- A case of Busted, or a hook of a block: a loop of its own, a time limit, a look at what is left.
-- The functions of a case (before_each, it, finally, after_each) run one after the other on its
-- loop and in its context; what they started goes on while one of them runs.
local lucio, native = ...

local M = {}

local COUNTED = {"tasks", "timers", "watchers", "anchors", "reports", "loops"}
-- iterations for what is about to end when the case does
local SETTLE = 20
-- collections that a chain of finalizers may need
local COLLECTIONS = 3

local collectgarbage, error, ipairs, pairs, pcall, setmetatable, tostring, type =
  collectgarbage, error, ipairs, pairs, pcall, setmetatable, tostring, type
local concat, huge, stderr = table.concat, math.huge, io and io.stderr
local get_metatable = debug and debug.getmetatable or getmetatable

-- a day of the virtual clock is over at once, if it has nothing in it
local settings = {timeout = 10, virtual_timeout = 86400, leaks = true}
local current -- the case whose function runs
local warm = false

function M.configure(options)
  for key, value in pairs(options) do settings[key] = value end
end

function M.current() return current end

-- ---- texts ----

local function is_error(e)
  local ok, yes = pcall(lucio.isinstance, e, lucio.BaseException)
  return ok and yes
end

--- A text for any error value.
function M.describe_error(e)
  if is_error(e) then
    local message = tostring(e)
    return message == "" and e.name or e.name .. ": " .. message
  end
  return type(e) == "string" and e or ("a %s (%s)"):format(type(e), tostring(e))
end

function M.quote(value)
  return type(value) == "string" and ("%q"):format(value) or tostring(value)
end

-- What Busted and luassert raise; they hold their place themselves.
local function is_verdict(e)
  local meta = type(e) == "table" and get_metatable(e)
  return meta and (meta.__type == "failure" or meta.__type == "pending") or false
end

-- The first place in a traceback that is neither this library's nor another's.
local function first_place(trace)
  for line in (trace or ""):gmatch("[^\n]+") do
    local place = line:match("^%s+([^%s]+%.lua:%d+): ")
    if place and not (place:find("lucio/testing", 1, true) or place:find("busted/", 1, true)
      or place:find("luassert/", 1, true)) then
      return place
    end
  end
end

-- Busted puts the place of its own where a message begins with none.
local function with_place(text, place)
  if not place or text:find("^[^\n]-:%d+: ") then return text end
  return place .. ": " .. text
end

local function error_text(e, trace, place)
  if type(e) ~= "string" and not is_error(e) then return e end
  local text = with_place(M.describe_error(e), first_place(trace) or place)
  if trace ~= "" and not text:find("stack traceback:", 1, true) then
    text = text .. "\n" .. trace:gsub("^\n", "")
  end
  return text
end

-- ---- the limit ----

local function expire(case)
  lucio.print_tasks(function(text) case.tree = text end)
  case.expired = case.limit
  case.task:cancel("the case ran longer than its limit")
  case.timer = case.loop:call_later(case.limit, case.loop.stop, case.loop)
end

local function start_limit(case)
  if case.timer then case.timer:cancel() end
  case.timer = case.limit < huge and case.loop:call_later(case.limit, expire, case) or nil
end

local function end_limit(case)
  if case.timer then case.timer:cancel() end
  case.timer = nil
end

local function expired_text(case, place)
  return with_place(("%s ran longer than %g s; what its tasks wait for:\n%s"):format(case.title,
    case.expired, (case.tree:gsub("\n+$", ""))), place)
end

-- Of the clock in use, unless the case has one of its own.
local function choose_limit(case)
  if case.has_limit then return end
  case.limit = native.set_virtual() and settings.virtual_timeout or settings.timeout
end

function M.restart_limit()
  if not current then return end
  choose_limit(current)
  if current.task and not current.expired then start_limit(current) end
end

--- False: no case is running.
function M.set_limit(seconds)
  if not current then return false end
  current.limit, current.has_limit = seconds, true
  M.restart_limit()
  return true
end

-- ---- what is left ----

local function counts()
  local stats, found = lucio.stats(), {}
  for _, key in ipairs(COUNTED) do found[key] = stats[key] end
  return found
end

-- Whether the loop holds no more than before the case, but for the task that asks.
local function is_clean(before)
  local stats = lucio.stats()
  return stats.tasks <= before.tasks + 1 and stats.timers <= before.timers
    and stats.watchers <= before.watchers
end

local function task_text(node)
  local parts = {("task '%s'"):format(node.name), node.state}
  if node.waits_for then parts[2] = "waiting for " .. node.waits_for end
  if node.place then parts[#parts + 1] = "at " .. node.place end
  if node.created then parts[#parts + 1] = "created at " .. node.created end
  return concat(parts, ", ")
end

local function list_tasks(nodes, own, list)
  for _, node in ipairs(nodes) do
    if node.task and node.task ~= own and not node.shown then list[#list + 1] = task_text(node) end
    list_tasks(node.children or {}, own, list)
  end
end

local function list_left()
  local list = {}
  list_tasks(lucio.task_tree(), lucio.current_task(), list)
  for _, what in ipairs(native.left()) do
    local text = tostring(what)
    if type(what) == "string" then
      list[#list + 1] = what
    elseif not lucio.isfuture(what) then
      local kind = text:find("^<TimerHandle") and "a timer: " or "a reader or writer: "
      list[#list + 1] = kind .. text
    end
  end
  return list
end

-- A growth that no collection undoes.
local function list_growth(before)
  local list
  for round = 0, COLLECTIONS do
    if round > 0 then collectgarbage() end
    local after = counts()
    list = {}
    for _, key in ipairs(COUNTED) do
      if after[key] > before[key] then
        list[#list + 1] = ("%s: %d more than before"):format(key, after[key] - before[key])
      end
    end
    if #list == 0 then break end
  end
  return list
end

local function report_text(context)
  local e = context.exception
  local text = tostring(context.message)
  if e ~= nil then text = text .. ": " .. M.describe_error(e) end
  local subject = context.task or context.future
  return subject and ("%s (%s)"):format(text, tostring(subject)) or text
end

-- ---- a case ----

local Case = {}
Case.__index = Case

--- A case begins. `place` is where it stands, `title` what it is called in messages.
function M.open(title, place)
  if not warm then
    warm = true
    local runner = lucio.Runner() -- what the first run sets up for good is no leak
    pcall(runner.run, runner, function() end)
    runner:close()
  end
  local case = setmetatable({title = title, place = place, leaks = settings.leaks,
    before = counts(), reports = {}}, Case)
  case.runner = lucio.Runner()
  case.loop = case.runner:get_loop()
  case.was_virtual = native.set_virtual()
  if settings.clock then native.set_virtual(settings.clock == "virtual") end
  choose_limit(case)
  case.loop:set_exception_handler(function(_, context)
    case.reports[#case.reports + 1] = report_text(context)
  end)
  return case
end

--- Runs a function of the case, which stands at `place`, as a task, to its end.
function Case:run(fn, place)
  self.expired, self.tree = nil, nil
  place = place or self.place
  local outer = current
  current = self
  local ok, e = pcall(self.runner.run, self.runner, function()
    self.task = lucio.current_task()
    start_limit(self)
    local _ <close> = setmetatable({}, {__close = function() end_limit(self) end})
    fn()
  end)
  current = outer
  local task = self.task
  self.task = nil
  end_limit(self)
  if ok and not self.expired then return end
  if self.expired then
    e = expired_text(self, place)
  else
    local failed = task and task:done() and not task:cancelled() and task:exception()
    local trace = failed and failed.traceback or ""
    if is_verdict(e) then
      self.verdict_place = first_place(trace)
      if type(e.message) == "string" then e.message = with_place(e.message, self.verdict_place) end
    else
      e = error_text(e, trace, place)
    end
  end
  self.failed = true
  error(e, 0)
end

--- The case ends: raises what it leaves behind, unless it has failed anyhow.
function Case:finish()
  if self.finished then return end
  self.finished = true
  local left = {}
  local looked, problem = pcall(self.runner.run, self.runner, function()
    for _ = 1, SETTLE do
      if is_clean(self.before) then break end
      lucio.sleep(0)
    end
    if not is_clean(self.before) then left = list_left() end
  end)
  if not looked then left[1] = M.describe_error(problem) end
  local closed
  closed, problem = pcall(self.runner.close, self.runner)
  if not closed then left[#left + 1] = M.describe_error(problem) end
  native.set_virtual(self.was_virtual)
  self.runner, self.loop, self.timer = nil, nil, nil
  local texts = {}
  for _, text in ipairs(self.reports) do texts[#texts + 1] = "reported: " .. text end
  if self.leaks then
    if #left == 0 then left = list_growth(self.before) end
    for _, text in ipairs(left) do texts[#texts + 1] = "left: " .. text end
  end
  if #texts == 0 then return end
  local text = ("%s leaves something behind:\n  %s"):format(self.title, concat(texts, "\n  "))
  if not self.failed then error(with_place(text, self.place), 0) end
  if #self.reports > 0 and stderr then stderr:write("lucio: ", text, "\n") end
end

--- What it leaves behind is no failure.
function Case:ignore_leaks() self.leaks = false end

return M
