-- string.gsub in tasks: Lua's own results and errors, with replacements that may wait.
local alike = require "spec.support.alike"
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"
local small = require "spec.support.small"

local SUBJECTS = {
  "", "a", "abc", "hello world from Lua", "  spaces  here ", "THE (quick) fox", "a,b,,c,",
  "x=1, y=2",
  "one;two;;four", "\0a\0b\0", "((nested) (parens))", "aaa", "3.14 -7 +8e9", ("ab "):rep(40),
  "line one\nline two\n", "\225\233 bytes \255",
}

local PATTERNS = {
  "", ".", "%w+", "%w*", "%s*", "(%w)(%w*)", "()", "()%w+()", "^%w+", "^", "$", "%w+$", "^$",
  "^.-$",
  "a", "b*", "a-", "[^,]*", "%f[%w]%w+", "%f[%a]", "%f[%W]", "%b()", "(%b())", "(.)%1", "((%w)%w)",
  "(%w+)=(%w+)", ".-", "%z", "%0", "\0", "x", "[%w_]", "[]]", "[^]]", "(%w+) (%w+)",
  -- malformed ones
  "%", "[", "[a", "[%", "(", ")", "%1", "(()", "%f", "%b", "%bx", "(%w", "^%", "a%", "[]", "^*",
}

-- Functions for a match; each gets `pause` and `log`.
local REPLACEMENTS = {
  ["the match"] = function(pause, log)
    return function(...)
      log(...)
      pause()
      return ...
    end
  end,
  ["nothing"] = function(pause, log)
    return function(...)
      log(...)
      pause()
    end
  end,
  ["false"] = function(pause)
    return function()
      pause()
      return false
    end
  end,
  ["a number"] = function(pause)
    local n = 0
    return function()
      pause()
      n = n + 1.5
      return n
    end
  end,
  ["at times"] = function(pause)
    local n = 0
    return function(word)
      pause()
      n = n + 1
      return n % 2 == 0 and "<" .. word .. ">"
    end
  end,
  ["a bad value"] = function(pause)
    local n = 0
    return function()
      pause()
      n = n + 1
      if n == 3 then return {} end
    end
  end,
  ["true"] = function(pause)
    return function()
      pause()
      return true
    end
  end,
  ["an error"] = function(pause)
    local n = 0
    return function()
      pause()
      n = n + 1
      if n == 2 then error("match " .. n) end
      return "-"
    end
  end,
  ["a table with __index"] = function(pause, log)
    return setmetatable({a = "A", hello = "HELLO"}, {__index = function(_, key)
      log(key)
      pause()
      return key == "x" and "y" or nil
    end})
  end,
  ["a chain of tables"] = function(pause)
    local last = setmetatable({b = "B"}, {__index = function(_, key)
      pause()
      return "<" .. key .. ">"
    end})
    local middle = setmetatable({one = 1}, {__index = last})
    return setmetatable({a = false}, {__index = middle})
  end,
  ["a chain to a number"] = function()
    return setmetatable({a = "A"}, {__index = setmetatable({}, {__index = 12})})
  end,
  ["a plain table"] = function() return {a = "A", b = 1, c = false, x = {}} end,
  ["a string"] = function() return "<%0>" end,
}

local function names(map)
  local list = {}
  for name in pairs(map) do list[#list + 1] = name end
  table.sort(list)
  return list
end

describe("string.gsub", function()
  for _, name in ipairs(names(REPLACEMENTS)) do
    local make = REPLACEMENTS[name]

    case("gives the same as outside of tasks; the replacement is " .. name, function()
      for i, subject in ipairs(SUBJECTS) do
        alike(function(pause, log)
          -- all patterns, with all subjects or some of them
          for j, pattern in ipairs(PATTERNS) do
            local limit = nil
            if (i + j) % 5 == 0 then limit = (i + j) % 4 - 1 end
            if (i + j) % small(1, 7) == 0 then
              log(pattern, limit, pcall(string.gsub, subject, pattern, make(pause, log), limit))
            end
          end
        end)
      end
    end)
  end

  case("gives the same as outside of tasks for patterns made by chance", function()
    local ITEMS = {"a", "b", ".", "%w", "%s", "[ab]", "[^a]", "(", ")", "()", "*", "+", "-", "?",
      "^", "$", "%1", "%f[%w]", "%b()", "%"}
    local function random_text(parts, most)
      local text = {}
      for i = 1, math.random(0, most) do text[i] = parts[math.random(#parts)] end
      return table.concat(text)
    end
    for _ = 1, small(60, 3) do
      local programs = {}
      for i = 1, 10 do
        programs[i] = {random_text({"a", "b", " ", "(", ")", "ab"}, 12), random_text(ITEMS, 5)}
      end
      alike(function(pause, log)
        for _, it in ipairs(programs) do
          log(it[1], it[2], pcall(string.gsub, it[1], it[2], function(...)
            pause()
            log(...)
            return "<" .. tostring((...)) .. ">"
          end))
        end
      end)
    end
  end)

  case("raises its argument errors under its own name, at the caller's line", function()
    local function f() return "x" end
    local calls = {
      function() string.gsub() end,
      function() string.gsub("a") end,
      function() string.gsub("a", "a") end,
      function() string.gsub({}, "a", f) end,
      function() string.gsub("a", {}, f) end,
      function() string.gsub("a", "a", f, "x") end,
      function() string.gsub("a", "a", f, 1.5) end,
      function() ("a"):gsub({}, f) end,
      function() ("a"):gsub("a", print, {}) end,
      function() ("a"):gsub("%", f) end,
      function() ("a"):gsub("a", function() return {} end) end,
      function() string.gsub("a", "a", true) end,
    }
    alike(function(_, log)
      for _, call in ipairs(calls) do log(pcall(call)) end
    end)
  end)

  case("takes numbers for strings", function()
    assert.are.same({true, "1x3x5", 2, n = 3}, alike(function(pause)
      local text, n = string.gsub(12325, 2, function()
        pause()
        return "x"
      end)
      return text, n
    end))
  end)

  case("builds results that grow far", function()
    alike(function(pause)
      local n = 0
      return (("ab"):rep(500):gsub("a", function(c)
        n = n + 1
        if n % 50 == 0 then pause() end
        return c:rep(100)
      end))
    end)
  end)

  case("calls C functions as replacements", function()
    assert.are.same({true, "ABC", 3, n = 3},
      alike(function() return string.gsub("abc", "%w", string.upper) end))
  end)

  case("is suspended by its replacement; other tasks go on", function(t)
    local other = lucio.create_task(function()
      lucio.sleep(1)
      t.log("other")
      lucio.sleep(1)
      t.log("other")
    end)
    local text = ("a b"):gsub("%w", function(c)
      t.log("replaces", c)
      lucio.sleep(1.5)
      return c .. c
    end)
    assert.are.equal("aa bb", text)
    t.same_lines {"replaces a", "other", "replaces b", "other"}
    other:await()
  end)

  case("runs in several tasks at once, and within itself", function()
    local function double(text)
      return (text:gsub("%w+", function(word)
        lucio.sleep(#word)
        return (word:gsub("%w", function(c)
          lucio.sleep(0.1)
          return c .. c
        end))
      end))
    end
    local r = lucio.gather {lucio.async(double)("ab c"), lucio.async(double)("x yy zzz"),
      lucio.async(double)("")}
    assert.are.same({"aabb cc", "xx yyyy zzzzzz", "", n = 3}, r)
  end)

  case("works in a generator, in a comparator and below table functions", function()
    local lists = coroutine.wrap(function()
      local list = {"b1", "a2"}
      table.sort(list, function(a, b)
        local function strip(s)
          return (s:gsub("%d", function()
            lucio.sleep(0)
            return ""
          end))
        end
        return strip(a) < strip(b)
      end)
      coroutine.yield(table.concat(list, " "))
    end)
    assert.are.equal("a2 b1", lists())
  end)

  case("CA2: cancellation is raised in the replacement", function(t)
    local task = lucio.create_task(function()
      local ok, e = pcall(string.gsub, "abc", "%w", function(c)
        t.log("replaces", c)
        local inner, err = pcall(lucio.sleep, 10)
        t.log(inner, err.name)
        error(err, 0)
      end)
      t.log(ok, e.name)
      error(e, 0)
    end)
    lucio.sleep(0)
    task:cancel()
    t.raises(lucio.CancelledError, task.await, task)
    t.same_lines {"replaces a", "false CancelledError", "false CancelledError"}
  end)

  case("a replacement may yield to who resumes its coroutine", function()
    local words = coroutine.wrap(function()
      return (("a b"):gsub("%w", function(c) return coroutine.yield(c) end))
    end)
    assert.are.equal("a", words())
    assert.are.equal("b", words("1"))
    assert.are.equal("1 2", words("2"))
  end)
end)
