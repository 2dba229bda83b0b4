-- tostring, string.format and print in tasks: a __tostring may wait.
local alike = require "spec.support.alike"
local assert = require "luassert"
local case = require "spec.support.case"
local child = require "spec.support.child"
local lucio = require "lucio"

-- An object whose text is `text`, whatever that is.
local function new_object(pause, log, text)
  return setmetatable({}, {__tostring = function()
    log("text of", type(text) == "table" and "table" or text)
    pause()
    return text
  end})
end

describe("tostring", function()
  case("gives the same as outside of tasks", function()
    alike(function(pause, log)
      local named = setmetatable({}, {__name = "Named"})
      log(tostring(new_object(pause, log, "text")), tostring(new_object(pause, log, "")))
      log(tostring(1), tostring(1.5), tostring("s"), tostring(nil), tostring(true))
      log(math.type(tostring(new_object(pause, log, 12))), tostring(new_object(pause, log, 12)))
      log((tostring(named):gsub("0x%x+", "address")), (tostring({}):gsub("0x%x+", "address")))
      log(pcall(tostring))
      for _, wrong in ipairs {{}, true, print} do
        log(pcall(tostring, setmetatable({}, {__tostring = function()
          pause()
          return wrong
        end})))
      end
      log(pcall(tostring, setmetatable({}, {__tostring = 1})))
      log(pcall(tostring, setmetatable({}, {__tostring = function() error("no text") end})))
      log(select("#", tostring(new_object(pause, log, "a"), 1, 2)))
    end)
  end)

  case("asks the __tostring of values that are no tables", function()
    local old = debug.getmetatable(true)
    debug.setmetatable(true, {__tostring = function(value)
      lucio.sleep(0)
      return value and "yes" or "no"
    end})
    local yes, no = tostring(true), tostring(false)
    debug.setmetatable(true, old)
    assert.are.equal("yes no", yes .. " " .. no)
  end)

  case("waits in a __tostring that is an object to call", function()
    local callable = setmetatable({}, {__call = function()
      lucio.sleep(1)
      return "called"
    end})
    assert.are.equal("called", tostring(setmetatable({}, {__tostring = callable})))
  end)
end)

describe("string.format", function()
  local FORMATS = {
    "%s", "%s%s", "%d %s", "%s %d", "%5s|%-5s|", "%.1s", "%.1s %s", "%%s %s", "%s %%",
    "100%% %s %s", "%q %s", "%s %q", "%x %s", "%g %s", "%c%s", "%s %y", "%y %s", "%", "%s %",
    "%#s", "%s %s %s %s", "%010s", "%5%s", "%-3s%s", "%s\0%s", "%i %s", "%a %s", "%.20s %s",
    "%.200s", "%1234567890123s",
    "no item",
  }

  case("gives the same as outside of tasks, with calls in the same order", function()
    alike(function(pause, log)
      local function o(text) return new_object(pause, log, text) end
      for _, format in ipairs(FORMATS) do
        log(format, pcall(string.format, format))
        log(format, pcall(string.format, format, o("a")))
        log(format, pcall(string.format, format, o("first"), o("second")))
        log(format, pcall(string.format, format, 12, o("second")))
        log(format, pcall(string.format, format, "x", o("second"), o(3)))
        log(format, pcall(string.format, format, o("ze\0ro"), 7))
        log(format, pcall(string.format, format, o({}), 7))
        log(format, pcall(string.format, format, 1.5, o("x")))
      end
      log(pcall(string.format, o("%s"), 1))
      log(pcall(string.format, 12, o("x")))
      log(("%s and %s"):format(o("a"), o("b")))
    end)
  end)

  case("raises its errors at the caller's line", function()
    alike(function(pause, log)
      local object = new_object(pause, log, "text")
      log(pcall(function() string.format("%d %s", "x", object) end))
      log(pcall(function() string.format("%s %d", object, "x") end))
      log(pcall(function() ("%s %d"):format(object) end))
      log(pcall(function() string.format("%s", new_object(pause, log, {})) end))
    end)
  end)

  case("puts short texts together as the original does", function()
    alike(function(pause, log)
      local object = new_object(pause, log, "a text")
      for _, value in ipairs {0, 7, -1, math.maxinteger, math.mininteger, 1.5, "12", "", true} do
        log(pcall(string.format, "<%s> %s|%d", object, value, value))
        log(pcall(string.format, "%d%s", value, object))
      end
      log(string.format("%s %s", object, nil), string.format("100%% %s", object))
      log(pcall(string.format, "%s %d", object, object))
      log(pcall(string.format, "%s %s", object))
      log(pcall(string.format, "%s %", object))
      log(pcall(string.format, "%s %y", object))
      for size = 236, 260 do log(string.format("%s" .. ("x"):rep(size) .. "%d", object, 1)) end
      return string.format("\0%s\0", new_object(pause, log, "\0"))
    end)
  end)

  case("leaves everything to the original where strings have a __tostring", function()
    local mt = getmetatable("")
    mt.__tostring = function(s) return "<" .. s .. ">" end
    local ok, e = pcall(function()
      local object = setmetatable({}, {__tostring = function() return "object" end})
      return string.format("%s %s", object, "text")
    end)
    mt.__tostring = nil
    assert.is_true(ok, e)
    assert.are.equal("object <text>", e)
  end)
end)

describe("print", function()
  it("prints objects whose text waits, each line whole", function()
    local r = child.run [[
      local lucio = require "lucio"
      local function object(text, seconds)
        return setmetatable({}, {__tostring = function()
          lucio.sleep(seconds)
          return text
        end})
      end
      lucio.run(function()
        lucio.gather(
          function() print(1, object("a", 0.2), nil, object("b", 0.2)) end,
          function() print("x", object("y", 0.3)) end,
          function() print() print("plain", 1.5, true) end)
        print(pcall(print, "lost", object({}, 0)))
        print(object(1, 0), setmetatable({}, {__name = "Named"}) ~= nil)
      end)
    ]]
    assert.are.equal("", r.stderr)
    assert.are.equal("\nplain\t1.5\ttrue\nx\ty\n1\ta\tnil\tb\n" ..
      "false\t'__tostring' must return a string\n1\ttrue\n", r.stdout)
  end)
end)
