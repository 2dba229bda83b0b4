-- Every function of the modules, and every method of lucio.log's classes, called with what it is
-- not made for: the answer is an error object that names the function, and never an error out of
-- the inside of lucio.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

-- What ends the program, what takes the process's own streams, and what stands behind others.
local LEFT_OUT = {
  exit = true, connect_stdin = true, connect_stdout = true, connect_stderr = true, upgrade = true,
}

local MODULES = {"", "counter", "fs", "log", "pretty", "shared", "ssl", "streams", "subprocess"}

local function no_op() end

-- Values that nothing takes for a path, a number that fits, a list of tasks or a function.
local function values()
  return {
    -5, 0.5, 0 / 0, math.maxinteger, true, {}, {"x", 5, nope = 1}, io.stdout, lucio.Lock(),
    coroutine.create(no_op), lucio.ValueError,
  }
end

local function functions_of(name)
  local module, list = name == "" and lucio or lucio[name], {}
  for key, value in pairs(module) do
    if type(key) == "string" and type(value) == "function" and not LEFT_OUT[key] then
      list[#list + 1] = {key, value}
    end
  end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  return list
end

-- What an error says that a call has raised; nil for one that is as it should be.
local function fault(name, e)
  if type(e) == "string" or not lucio.isinstance(e, lucio.BaseException) then
    return "is no error object: " .. tostring(e)
  end
  local text = tostring(e)
  if text:find("%.lua:%d") or text:find("attempt to", 1, true) then
    return "comes from the inside: " .. text
  end
  local named = text:match("^bad argument #%d+ to '([^']*)'")
  if named and named ~= name then return "names another function: " .. text end
end

-- Calls it in a task of its own, which is cancelled where it waits. What is wrong goes to `faults`.
local function check(faults, name, fn, ...)
  local ok, e
  local args = table.pack(...)
  local task = lucio.create_task(function() ok, e = pcall(fn, table.unpack(args, 1, args.n)) end)
  for _ = 1, 20 do
    lucio.sleep(0)
    if task:done() then break end
    task:cancel()
  end
  lucio.wait {task}
  if ok ~= false then return end
  local found = fault(name, e)
  if found then
    faults[#faults + 1] = ("%s(%s): its error %s"):format(name, tostring(args[1]), found)
  end
end

describe("a bad argument of", function()
  for _, module in ipairs(MODULES) do
    local name = "lucio" .. (module ~= "" and "." .. module or "")

    case("a function of " .. name .. " is told of", function(t)
      local faults = {}
      for _, entry in ipairs(functions_of(module)) do
        check(faults, entry[1], entry[2])
        for _, value in ipairs(values()) do
          check(faults, entry[1], entry[2], value)
          check(faults, entry[1], entry[2], "name", value)
        end
      end
      assert.are.equal("", table.concat(faults, "\n"))
      lucio.log.disable(-1)
      lucio.watchdog(nil)
      assert.is_true(#t.reports >= 0)
    end)
  end

  case("a method of lucio.log's objects is told of, self too", function()
    local log = lucio.log
    local faults = {}
    local objects = {
      log.getLogger "bad_calls", log.NullHandler(), log.Formatter(), log.Filter "bad_calls",
    }
    for _, object in ipairs(objects) do
      local class = getmetatable(object)
      while class do
        for name, method in pairs(class) do
          if type(method) == "function" and not name:find "^__" and name ~= "init" then
            for _, value in ipairs(values()) do
              check(faults, name, method, object, value)
              if name ~= "formatStack" then check(faults, name, method, value, value) end
            end
          end
        end
        local meta = getmetatable(class)
        class = meta and meta.__index
      end
    end
    assert.are.equal("", table.concat(faults, "\n"))
  end)
end)
