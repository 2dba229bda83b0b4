-- lucio.counter: tables of counts, compared with the plain loops that they stand for.
local assert = require "luassert"
local case = require "spec.support.case"
local counter = require "lucio.counter"
local lucio = require "lucio"
local random_bytes = require "spec.support.random_bytes"
local small = require "spec.support.small"

-- What the functions of the module are defined by.
local function plain(text, pattern)
  local counts = {}
  for match in text:gmatch(pattern) do counts[match] = (counts[match] or 0) + 1 end
  return counts
end

local function same(expected, found, what)
  local good = true
  for key, n in pairs(expected) do good = good and rawequal(found[key], n) end
  for key in pairs(found) do good = good and expected[key] ~= nil end
  if not good then assert.are.same(expected, found, what) end
end

local function check(text, pattern)
  same(plain(text, pattern or "%S+"), counter.count(text, pattern), pattern)
end

-- Words out of a vocabulary, with what may stand between words.
local function random_text(words, vocabulary, longest)
  local list = {}
  for i = 1, words do
    local word = tostring(math.random(vocabulary))
    if math.random(20) == 1 then word = word:rep(math.random(longest)) end
    list[i] = word .. ("  \t\n,\0\255"):sub(math.random(7), math.random(7))
  end
  return table.concat(list, " ")
end

local PATTERNS = {
  "%S+", "[^ ]+", "%a+", "%w+", "[%w_]+", "[^%s%p]+", "[\0-\31]+", "1+", "[^1]+", " +", "%z+",
  "\0+", "\255+", "%d", "%d%d", "%a*", "%d*", ".", ".-", "%d-1", "^%d+", "^", "$", "%d+$", "()",
  "()%d+", "(%d)%d+", "%d+()", "(%d+)%s(%d+)", "((%d)%d*)", "%f[%w]%w+", "%b12", "(.)%1",
  "[ab]+1+", ".+", "[^%z]+", "",
}

describe("lucio.counter.count", function()
  it("counts words", function()
    assert.are.same({the = 2, cat = 1, ["mat."] = 1}, counter.count " the cat\n\tthe mat.")
    assert.are.same({}, counter.count "")
    assert.are.same({}, counter.count " \n")
  end)

  it("counts the matches of a pattern, or their first captures", function()
    assert.are.same({the = 1, cat = 1}, counter.count("the,cat", "%a+"))
    assert.are.same({a = 2, b = 1}, counter.count("a=1 b=2 a=3", "(%w)=(%d)"))
    same({[1] = 1, [4] = 1}, counter.count("ab cd", "()%a+"))
  end)

  it("adds to the counts of a table, and returns it", function()
    local counts = {a = 1, b = 0.5, n = -3}
    assert.are.equal(counts, counter.count("a b a c", nil, counts))
    same({a = 3, b = 1.5, c = 1, n = -3}, counts)
    assert.are.equal(counts, counter.count("a c", "%f[a]a", counts))
    same({a = 4, b = 1.5, c = 1, n = -3}, counts)
  end)

  it("keeps words that look like numbers strings", function()
    same({["1"] = 2, ["1.0"] = 1}, counter.count "1 1.0 1")
  end)

  it("counts what gmatch finds, whatever the pattern and the text", function()
    for _ = 1, small(4, 1) do
      local texts = {
        "", random_bytes(math.random(100)), random_bytes(math.random(512, 700)),
        random_text(math.random(100, 200), 100, 30),
      }
      for _, pattern in ipairs(PATTERNS) do
        for _, text in ipairs(texts) do check(text, pattern) end
      end
    end
  end)

  it("counts words of every length, at the end of a text too", function()
    for length = small(1, 14), small(50, 18) do
      local word = ("abcdefgh"):rep(10):sub(1, length)
      local other = word:sub(1, -2) .. "\0"
      check(word)
      check(("%s %s %s"):format(word, other, word))
      local many = ("%s %s\0 \0%s "):format(word, other, word):rep(4) .. word
      check(many)
      check(many .. "x")
    end
    local long = ("x"):rep(30000)
    check(("%s %sy %s"):format(long, long, long))
  end)

  it("counts more words than it has places for", function()
    local list = {}
    local n = small(3000, 300)
    for i = 1, n do list[i] = "w" .. i end
    for i = 1, n do list[n + i] = "long-word-number-" .. math.random(4000) end
    check(table.concat(list, " "))
  end)

  it("is right in a locale with other letters, too", function()
    local before = os.setlocale(nil, "ctype")
    local found
    for _, name in ipairs {"C.UTF-8", "C.utf8", "en_US.ISO-8859-1", "en_US.UTF-8"} do
      found = os.setlocale(name, "ctype")
      if found then break end
    end
    local text = ("caf\xe9 \xe9t\xe9 na\xefve "):rep(100)
    local expected, counts = plain(text, "%a+"), counter.count(text, "%a+")
    os.setlocale(before, "ctype")
    same(expected, counts, found)
    check(text, "%a+")
  end)

  it("refuses what it cannot count", function()
    local function fails(pos, text, ...)
      local ok, e = pcall(counter.count, ...)
      assert.is_false(ok)
      assert.is_true(lucio.isinstance(e, lucio.TypeError))
      assert.are.equal(("bad argument #%d to 'count' (%s)"):format(pos, text), e.message)
    end
    fails(1, "string expected, got nil")
    fails(1, "string expected, got number", 12)
    fails(2, "pattern as string expected, got table", "a", {})
    fails(3, "table expected, got string", "a", nil, "x")
    fails(3, "number for key 'b' expected, got string", "a b", nil, {b = "1"})
    fails(3, "number for key 'b' expected, got table", ("a b "):rep(500), nil, {b = {}})
    fails(3, "number for key 'a' expected, got boolean", "a b", "%f[%a]%a", {a = false})
  end)

  it("says what is wrong with a pattern", function()
    local function fails(reason, pattern)
      local ok, e = pcall(counter.count, "some text", pattern)
      assert.is_false(ok)
      assert.is_true(lucio.isinstance(e, lucio.ValueError))
      assert.are.equal(("bad argument #2 to 'count' (%s)"):format(reason), e.message)
    end
    fails("malformed pattern (missing ']')", "[a+")
    fails("malformed pattern (ends with '%')", "s%")
    fails("unfinished capture", "(s")
  end)

  it("takes tables as they are, without metamethods", function()
    local counts = setmetatable({}, {__index = function() return 5 end, __newindex = error})
    counter.count("a a", nil, counts)
    counter.count("a", "%f[a]a", counts)
    assert.are.equal(3, rawget(counts, "a"))
  end)
end)

describe("a long call of lucio.counter", function()
  -- Whether a hook has had its turn in the call.
  local function heard(fn, ...)
    local called
    debug.sethook(function()
      called = called or debug.getinfo(2, "S").source == "@lucio/counter.lua"
    end, "", 1)
    fn(...)
    debug.sethook()
    return called == true
  end

  local function numbers(n)
    local list = {}
    for i = 1, n do list[i] = i end
    return list
  end

  it("lets hooks run now and then, by which a job is stopped", function()
    assert.is_true(heard(counter.count, ("a "):rep(300000)))
    local list = numbers(5000)
    for _, name in ipairs {"count_items", "total"} do assert.is_true(heard(counter[name], list)) end
    assert.is_true(heard(counter.merge, {}, list))
    assert.is_true(heard(counter.subtract, {}, list))
  end)

  it("has no such turn where it is short", function()
    assert.is_false(heard(counter.count, "a b c"))
    assert.is_false(heard(counter.merge, {}, numbers(100)))
  end)

  it("ends by the error of a hook", function()
    debug.sethook(function()
      if debug.getinfo(2, "S").source == "@lucio/counter.lua" then error("enough", 0) end
    end, "", 1)
    local ok, e = pcall(counter.count, ("a "):rep(300000))
    debug.sethook()
    assert.are.same({false, "enough"}, {ok, e})
  end)
end)

describe("lucio.counter", function()
  it("counts the items of a list", function()
    same({a = 2, [1] = 2, [true] = 1}, counter.count_items {"a", 1, true, "a", 1.0})
    local counts = {a = 1}
    assert.are.equal(counts, counter.count_items({"a", "b"}, counts))
    same({a = 2, b = 1}, counts)
    same({}, counter.count_items {n = 0})
    same({x = 1}, counter.count_items {"x", "y", n = 1})
  end)

  it("merges and subtracts counts", function()
    local counts = {a = 1, b = 2}
    assert.are.equal(counts, counter.merge(counts, {b = 1, c = 0.5}))
    same({a = 1, b = 3, c = 0.5}, counts)
    assert.are.equal(counts, counter.subtract(counts, {a = 2, d = 1}))
    same({a = -1, b = 3, c = 0.5, d = -1}, counts)
    counter.merge(counts, counts)
    same({a = -2, b = 6, c = 1.0, d = -2}, counts)
    counter.subtract(counts, counts)
    same({a = 0, b = 0, c = 0.0, d = 0}, counts)
    same({x = math.mininteger}, counter.merge({x = math.maxinteger}, {x = 1}))
  end)

  it("sums counts", function()
    assert.are.equal(0, counter.total {})
    assert.are.equal("integer", math.type(counter.total {a = 1, b = 2}))
    assert.are.equal(2.5, counter.total {a = 1, b = 1.5})
  end)

  it("finds the most common keys, equal ones in the order of the keys", function()
    local counts = {b = 2, a = 2, c = 5, [10] = 2, [9] = 2, [true] = 1}
    local all = {{"c", 5}, {9, 2}, {10, 2}, {"a", 2}, {"b", 2}, {true, 1}}
    assert.are.same(all, counter.most_common(counts))
    assert.are.same(all, counter.most_common(counts, 100))
    assert.are.same(all, counter.most_common(counts, math.maxinteger))
    assert.are.same({{"c", 5}, {9, 2}}, counter.most_common(counts, 2))
    assert.are.same({}, counter.most_common(counts, 0))
    assert.are.same({}, counter.most_common({}, 3))
  end)

  it("finds the same among many as by sorting all", function()
    local counts = {}
    local size = small(2000, 120)
    for i = 1, size do counts["k" .. i] = math.random(100) end
    local all = counter.most_common(counts)
    assert.are.equal(size, #all)
    for i = 2, size do
      local a, b = all[i - 1], all[i]
      assert.is_true(a[2] > b[2] or a[2] == b[2] and a[1] < b[1])
    end
    for _, n in ipairs {0, 1, 10, 110, size} do
      assert.are.same(table.move(all, 1, n, 1, {}), counter.most_common(counts, n))
    end
  end)

  it("refuses what are no counts", function()
    local function fails(class, name, pos, text, ...)
      local ok, e = pcall(counter[name], ...)
      assert.is_false(ok)
      assert.is_true(lucio.isinstance(e, lucio[class]))
      assert.are.equal(("bad argument #%d to '%s' (%s)"):format(pos, name, text), e.message)
    end
    local function no_number(name, pos, got, ...)
      fails("TypeError", name, pos, "number for key 'a' expected, got " .. got, ...)
    end
    fails("TypeError", "merge", 1, "table expected, got nil")
    fails("TypeError", "merge", 2, "table expected, got number", {}, 1)
    no_number("merge", 2, "string", {}, {a = "1"})
    no_number("merge", 1, "string", {a = "1"}, {a = 1})
    no_number("subtract", 1, "table", {a = {}}, {a = 1})
    fails("TypeError", "count_items", 1, "list expected, got string", "a")
    fails("TypeError", "count_items", 1, "item 2 is nil", {"a", nil, "b", n = 3})
    fails("ValueError", "count_items", 1, "item 1 is not a number", {0 / 0})
    fails("TypeError", "count_items", 2, "table expected, got string", {}, "x")
    no_number("count_items", 2, "boolean", {"a"}, {a = true})
    no_number("total", 1, "boolean", {a = true})
    no_number("most_common", 1, "boolean", {a = true})
    fails("ValueError", "most_common", 1, "a count is not a number", {a = 0 / 0})
    fails("ValueError", "most_common", 2, "must be 0 or more", {}, -1)
    fails("TypeError", "most_common", 2, "integer expected, got string", {}, "1")
    local key = ("x"):rep(50)
    fails("TypeError", "total", 1, ("number for key '%s' expected, got string"):format(
      ("x"):rep(40)), {[key] = "1"})
  end)

  case("goes to workers by its functions' names", function()
    local pool <close> = lucio.ThreadPoolExecutor {max_workers = 2}
    local total = {}
    for _, counts in pool:map(counter.count, {"a b", "b c", ""}) do counter.merge(total, counts) end
    same({a = 1, b = 2, c = 1}, total)
  end)
end)
