-- string.gmatch: the patterns that are a class and `+` have a walk of their own; their matches, and
-- all else, are those of Lua. What the matches have to be, string.find says.
local assert = require "luassert"
require "lucio"
local random_bytes = require "spec.support.random_bytes"

-- The matches of a pattern without captures, none of which is empty.
local function expected(text, pattern)
  local list, at = {}, 1
  while true do
    local first, last = text:find(pattern, at)
    if not first then return list end
    list[#list + 1] = text:sub(first, last)
    at = last + 1
  end
end

local function matches(text, pattern, ...)
  local list = {}
  for word in text:gmatch(pattern, ...) do list[#list + 1] = word end
  return list
end

local function check(text, pattern)
  local list, found = expected(text, pattern), matches(text, pattern)
  local good = #list == #found
  for i = 1, #list do good = good and list[i] == found[i] end
  if not good then assert.are.same(list, found, pattern) end
end

describe("string.gmatch", function()
  it("finds the runs of each class", function()
    for class in ("acdglpsuwx"):gmatch "." do
      for _ = 1, 8 do
        local text = random_bytes(math.random(0, 200))
        check(text, "%" .. class .. "+")
        check(text, "%" .. class:upper() .. "+")
      end
    end
  end)

  it("finds the runs of sets and of single characters", function()
    local patterns = {
      "[^ ]+", "[ab]+", "[a-z]+", "[^a-z]+", "[]]+", "[^]]+", "[%]]+", "[%w_]+", "[a-]+", "[%-a]+",
      "[^%s%p]+", "[%]-a]+", "[+]+", "[^+]+", "[%+]+", "[\0-\31]+", "[\128-\255]+", "a+", " +",
      "]+", "%.+", "%++", "%]+", "%%+", "\0+", "\255+",
    }
    for _, pattern in ipairs(patterns) do
      for _ = 1, 8 do check(random_bytes(math.random(0, 200)), pattern) end
    end
  end)

  it("leaves every other pattern to Lua", function()
    local patterns = {
      "a+b+", "%d+%.", "[ab]+1+", "[ab]1+", "%f[%w]%w+", "%b]-+", ".+", "a", "[ab]", "%w%w+", "++",
    }
    for _, pattern in ipairs(patterns) do
      for _ = 1, 8 do check(random_bytes(math.random(0, 200)), pattern) end
    end
    local pairs_of = {}
    for key, value in ("a=1, b=2"):gmatch "(%w+)=(%w+)" do pairs_of[key] = value end
    assert.are.same({a = "1", b = "2"}, pairs_of)
    assert.are.same({"ab", "", "c", ""}, matches("ab  c ", "%a*"))
  end)

  it("finds runs by more patterns than it keeps", function()
    for i = 33, 126 do
      local set = "[^%" .. string.char(i) .. "]+"
      if not string.char(i):match "%w" then check(random_bytes(100), set) end
    end
    for i = 1, 60 do
      local character = string.char(i):gsub("%W", "%%%0")
      check(random_bytes(50), ("[%s]+"):format(character))
    end
  end)

  it("begins where it is told to, and takes numbers", function()
    assert.are.same({"d", "ef"}, matches("ab cd ef", "%a+", 5))
    assert.are.same({"ef"}, matches("ab cd ef", "%a+", -2))
    local list = {}
    for digits in string.gmatch(12.5, "%d+") do list[#list + 1] = digits end
    assert.are.same({"12", "5"}, list)
  end)

  it("ends once and for all, and goes on in several loops", function()
    local next_word = ("a bc"):gmatch "%a+"
    local other = ("x y z"):gmatch "%a+"
    assert.are.same({"a", "x", "bc", "y"}, {next_word(), other(), next_word(), other()})
    assert.is_nil(next_word())
    assert.is_nil(next_word())
    assert.are.equal("z", other())
  end)

  it("raises the errors of Lua", function()
    local function fails(text, ...)
      local ok, e = pcall(function(...)
        for _ in string.gmatch(...) do end -- luacheck: ignore 542
      end, ...)
      assert.is_false(ok)
      assert.is_truthy(tostring(e):find(text, 1, true), e)
    end
    fails("malformed pattern (missing ']')", "text", "[a+")
    fails("malformed pattern (missing ']')", "text", "[]+")
    fails("malformed pattern (ends with '%')", "text", "x%")
    fails("bad argument #1 to 'gmatch' (string expected, got nil)", nil, "a+")
    fails("bad argument #2 to 'gmatch' (string expected, got table)", "text", {})
    fails("bad argument #3 to 'gmatch'", "text", "a+", {})
  end)
end)
