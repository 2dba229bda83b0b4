--- Writes test results in the Test Anything Protocol, the one form that script/test counts.
local M = {}

local function one_line(text)
  return (tostring(text):gsub("%s+", " "):gsub("#", "\\#"))
end

--- A writer to `file` (default: stdout). Every line is flushed: what a crash leaves is complete.
function M.new(file)
  file = file or io.stdout
  local count = 0
  local writer = {}

  local function put(line)
    file:write(line, "\n")
    file:flush()
  end

  --- Says which test runs now, so that a crash can be laid to it.
  function writer.begin(name)
    put("# begin " .. one_line(name))
  end

  --- One result: passed unless there are problems (a text or a list of texts).
  function writer.result(name, problems)
    if type(problems) == "string" then problems = {problems} end
    count = count + 1
    local failed = problems and #problems > 0
    put(string.format("%s %d - %s", failed and "not ok" or "ok", count, one_line(name)))
    for _, text in ipairs(failed and problems or {}) do
      for line in (text .. "\n"):gmatch("([^\n]*)\n") do put("#   " .. line) end
    end
  end

  --- The plan: without it the run counts as crashed.
  function writer.finish()
    put("1.." .. count)
  end

  return writer
end

return M
