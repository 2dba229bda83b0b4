--- Turns meson's log of the C unit tests into TAP, one result for each test function.
--
--     lua5.4 spec/support/c_results.lua build/meson-logs/testlog.json
--
-- A line of the log is the JSON object of one test program. cmocka under
-- CMOCKA_MESSAGE_OUTPUT=TAP prints a result for each function on stdout; a program that printed
-- no complete TAP, or failed without a failed function, counts by its own result.
package.path = "./?.lua;" .. package.path

local tap = require "spec.support.tap"

local ESCAPES = {b = "\b", f = "\f", n = "\n", r = "\r", t = "\t"}

-- The string member `key` of a JSON object in one line, or nil.
local function member(line, key)
  local _, at = line:find('"' .. key .. '": "', 1, true)
  if not at then return nil end
  local last = at
  repeat
    last = line:find('["\\]', last + 1)
    if not last then return nil end
    local escape = line:sub(last, last) == "\\"
    if escape then last = last + 1 end
  until not escape
  local text = line:sub(at + 1, last - 1)
  text = text:gsub("\\u(%x%x%x%x)", function(hex) return utf8.char(tonumber(hex, 16)) end)
  return (text:gsub("\\(.)", function(c) return ESCAPES[c] or c end))
end

-- The results in a program's output: a list of {name, problems}, or nil if it is not whole TAP.
local function results_in(text)
  local list, plan = {}, nil
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do
    local no, name = line:match("^(n?o?t? ?)ok %d+ %-? ?(.*)")
    if name and (no == "" or no == "not ") then
      list[#list + 1] = {name = name, problems = no == "not " and {} or nil}
    elseif line:match("^1%.%.%d+") then
      plan = tonumber(line:match("^1%.%.(%d+)"))
    elseif #list > 0 and list[#list].problems and line ~= "" then
      table.insert(list[#list].problems, (line:gsub("^#%s?", "")))
    end
  end
  if plan ~= #list then return nil end
  return list
end

local function report(writer, line)
  local program, result = member(line, "name"), member(line, "result")
  local stdout, stderr = member(line, "stdout") or "", member(line, "stderr") or ""
  local list = results_in(stdout)
  local passed, failed = result == "OK", false
  if not list then list = {} end
  for _, entry in ipairs(list) do
    if entry.problems then
      failed = true
      if #entry.problems == 0 then entry.problems[1] = "failed" end
      if stderr ~= "" then table.insert(entry.problems, stderr) end
    end
    writer.result(program .. ": " .. entry.name, entry.problems)
  end
  if #list == 0 or not passed and not failed then
    writer.result(program, not passed and {result or "no result", stdout, stderr} or nil)
  end
end

local function main(path)
  local writer = tap.new()
  for line in assert(io.open(path)):lines() do report(writer, line) end
  writer.finish()
end

main(arg[1])
