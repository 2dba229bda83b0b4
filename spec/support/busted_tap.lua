--- Busted output handler: TAP to the file named by `-Xoutput` (default: stdout).
--
-- Unlike Busted's own TAP handler it says which case begins, keeps apart from what cases print,
-- and counts a pending case as a failure: nothing here is left for later.
local tap = require "spec.support.tap"

local function text_of(entry, status)
  local message = entry.message
  if message == nil then
    message = status == "pending" and "pending" or "no message"
  end
  local lines = {tostring(message)}
  local trace = entry.element.trace or entry.trace
  if trace and trace.short_src then
    table.insert(lines, 1, string.format("%s:%d", trace.short_src, trace.currentline))
  end
  local traceback = entry.isError and entry.trace and entry.trace.traceback
  if traceback and not tostring(message):find("stack traceback", 1, true) then
    lines[#lines + 1] = (traceback:gsub("^\n", ""))
  end
  return lines
end

return function(options)
  local busted = require "busted"
  local handler = require "busted.outputHandlers.base"()
  local path = options.arguments and options.arguments[1]
  local writer = tap.new(path and assert(io.open(path, "w")))

  local function last(list)
    return list[#list] or {element = {}}
  end

  busted.subscribe({"test", "start"}, function(element)
    writer.begin(handler.getFullName(element))
    return nil, true
  end)

  busted.subscribe({"test", "end"}, function(element, _, status)
    local problems
    if status == "failure" then
      problems = text_of(last(handler.failures), status)
    elseif status == "error" then
      problems = text_of(last(handler.errors), status)
    elseif status == "pending" then
      problems = text_of(last(handler.pendings), status)
    end
    writer.result(handler.getFullName(element), problems)
    return nil, true
  end)

  -- what fails outside a case: a file that does not load, a hook that raises
  busted.subscribe({"error"}, function(element)
    if element.descriptor ~= "it" then
      local name = element.descriptor .. " " .. tostring(element.name or "")
      writer.result(name, text_of(last(handler.errors), "error"))
    end
    return nil, true
  end)

  busted.subscribe({"suite", "end"}, function()
    writer.finish()
    return nil, true
  end)

  return handler
end
