--- Counts the results of test runs that wrote TAP.
--
--     lua5.4 spec/support/tally.lua JOB         one line about one run
--     lua5.4 spec/support/tally.lua --all JOB...   the failures again, then `N passed, N failed`
--
-- A JOB is a directory with the files `name`, `tap`, `log` (what else was printed), `status` (the
-- exit status) and `seconds`. A run that crashed, ran out of time, ended without its plan, or ran
-- nothing at all counts as one failure, beside what it had reported by then.
local M = {}

-- Lines shown of one failure, and of the log of a run that broke.
local DETAIL_LINES, LOG_LINES = 40, 25

local function read(path)
  local file = io.open(path, "rb")
  if not file then return "" end
  local text = file:read("a")
  file:close()
  return text
end

-- How a sanitizer's finding begins.
local FINDINGS = {"==ERROR: ", "runtime error:", "WARNING: ThreadSanitizer"}

local function is_finding(line)
  for _, text in ipairs(FINDINGS) do
    if line:find(text, 1, true) then return true end
  end
  return false
end

-- The part of a log that tells most: from a sanitizer's finding on, else its last lines.
local function log_excerpt(text)
  local list, first = {}, nil
  for line in text:gmatch("[^\n]+") do
    list[#list + 1] = "log: " .. line
    if not first and is_finding(line) then first = #list end
  end
  first = first or math.max(1, #list - LOG_LINES + 1)
  return table.move(list, first, math.min(#list, first + LOG_LINES - 1), 1, {})
end

--- Reads TAP: number of passed tests, list of failures ({name, details}), plan or nil, the name
-- of the test that had begun and not ended, or nil, list of what tests say is left out.
function M.parse(text)
  local passed, failures, plan, running, left_out = 0, {}, nil, nil, {}
  local details -- of the failure that comes last, while its lines follow
  for line in text:gmatch("[^\n]+") do
    local failed_name = line:match("^not ok %d+ %- (.*)")
    if failed_name then
      details, running = {}, nil
      failures[#failures + 1] = {name = failed_name, details = details}
    elseif line:match("^ok %d+") then
      passed, details, running = passed + 1, nil, nil
      left_out[#left_out + 1] = line:match("left out: (.*)")
    elseif line:match("^1%.%.%d+$") then
      plan = tonumber(line:match("%d+$"))
    elseif line:match("^# begin ") then
      running, details = line:match("^# begin (.*)"), nil
    elseif details and line:match("^#   ") and #details < DETAIL_LINES then
      details[#details + 1] = line:sub(5)
    end
  end
  return passed, failures, plan, running, left_out
end

-- Why a run is broken, or nil.
local function broken(count, failed, plan, status)
  if status == 124 or status == 137 then return "ran out of time" end
  if plan == nil then return string.format("ended without a summary (exit status %s)", status) end
  if plan ~= count then return string.format("reported %d of %d tests", count, plan) end
  if plan == 0 then return "ran no test" end
  if status ~= 0 and failed == 0 then return string.format("ended with exit status %s", status) end
  return nil
end

--- The outcome of a job: `name`, `seconds`, `passed`, `failures`, `left_out`.
function M.outcome(dir)
  local name = read(dir .. "/name"):match("[^\n]*")
  local status = tonumber(read(dir .. "/status")) or "unknown"
  local passed, failures, plan, running, left_out = M.parse(read(dir .. "/tap"))
  local why = broken(passed + #failures, #failures, plan, status)
  if why then
    local details = log_excerpt(read(dir .. "/log"))
    if running then table.insert(details, 1, "while it ran: " .. running) end
    failures[#failures + 1] = {name = "the run " .. why, details = details}
  end
  return {name = name, passed = passed, failures = failures, left_out = left_out,
    seconds = tonumber(read(dir .. "/seconds")) or 0}
end

local function summary(job)
  local outcome = M.outcome(job)
  io.write(string.format("%-44s %5d passed %4d failed %7.1f s\n", outcome.name, outcome.passed,
    #outcome.failures, outcome.seconds))
  for _, what in ipairs(outcome.left_out) do io.write("    left out: ", what, "\n") end
end

local function total(jobs)
  local passed, failed = 0, 0
  for _, job in ipairs(jobs) do
    local outcome = M.outcome(job)
    passed, failed = passed + outcome.passed, failed + #outcome.failures
    for _, failure in ipairs(outcome.failures) do
      io.write("\nFAILED ", outcome.name, ": ", failure.name, "\n")
      for _, line in ipairs(failure.details) do io.write("    ", line, "\n") end
    end
  end
  io.write(string.format("\n%d passed, %d failed\n", passed, failed))
  return failed == 0 and passed > 0
end

if arg and arg[0] and arg[0]:match("tally%.lua$") then
  if arg[1] == "--all" then
    os.exit(total({table.unpack(arg, 2)}))
  else
    summary(arg[1])
  end
end

return M
