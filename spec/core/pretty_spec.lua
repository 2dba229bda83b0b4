-- lucio.pretty: values as text.
local assert = require "luassert"
local lucio = require "lucio"
local pretty = lucio.pretty

local function format(value, options) return pretty.format(value, options) end

describe("lucio.pretty.format", function()
  it("shows scalars as literals", function()
    assert.are.same({"nil", "true", "1", "1.5", "1e+100"},
      {format(nil), format(true), format(1), format(1.5), format(1e100)})
  end)

  it("quotes strings, with what cannot be seen as escapes", function()
    assert.are.same({[["a\"b\\c\n\t\0271"]], '"\xc3\xa4\xe2\x82\xac"', [["\xff\xc3x\u{85}"]]},
      {format('a"b\\c\n\t\27' .. "1"):gsub("\\x1b", "\\027"), format "\xc3\xa4\xe2\x82\xac",
        format "\xff\xc3x\xc2\x85"})
  end)

  it("gives literals that Lua reads back", function()
    local every = {}
    for byte = 0, 255 do every[#every + 1] = string.char(byte) end
    local text = table.concat(every)
    assert.are.equal(text, load("return " .. format(text))())
  end)

  it("cuts long strings between characters, and says how long they are", function()
    assert.are.equal('"aaaa"... (10 bytes)', format(("a"):rep(10), {length = 4}))
    assert.are.equal('"a\xc3\xa4"... (7 bytes)', format("a" .. ("\xc3\xa4"):rep(3), {length = 4}))
    assert.are.equal('"\\x80"... (9 bytes)', format(("\x80"):rep(9), {length = 1}))
  end)

  it("shows lists before names, names in order", function()
    assert.are.equal('{1, {}, "x", a = 1, b = 2, ["c d"] = 3, ["end"] = 4}',
      format {1, {}, "x", b = 2, a = 1, ["c d"] = 3, ["end"] = 4})
    assert.are.equal("{[-1] = 1, [0.5] = 2, x = 3, [false] = 4, [true] = 5}",
      format {[-1] = 1, [0.5] = 2, x = 3, [true] = 5, [false] = 4})
    assert.are.equal("{1, nil, 3, n = 3}", format(table.pack(1, nil, 3)))
  end)

  it("takes several lines where one is too narrow, numbers in rows", function()
    assert.are.equal("{\n  1, 2, 3, 4, 5, 6, 7, 8,\n  9,\n  name = \"x\"\n}",
      format({1, 2, 3, 4, 5, 6, 7, 8, 9, name = "x"}, {width = 25}))
    assert.are.equal("{\n  a = {\n    b = \"" .. ("x"):rep(20) .. "\"\n  },\n  c = 1\n}",
      format({a = {b = ("x"):rep(20)}, c = 1}, {width = 22}))
  end)

  it("marks cycles, and shows twice what stands twice", function()
    local t = {}
    t.me, t.list = t, {t}
    assert.are.equal("{list = {<cycle>}, me = <cycle>}", format(t))
    local shared = {1}
    assert.are.equal("{{1}, {1}}", format {shared, shared})
  end)

  it("keeps to its limits", function()
    assert.are.equal("{{{{...}}}}", format({{{{1}}}}, {depth = 3}))
    local t = {}
    for i = 1, 1000 do t[i] = i end
    assert.matches("^{1, 2, 3, %.%.%. 997 more}$", format(t, {items = 3}))
    -- 2^60 tables, were each shown in full
    local deep = {}
    for _ = 1, 60 do deep = {deep, deep} end
    assert.is_true(#format(deep, {depth = 100}) < 100000)
  end)

  it("shows functions by where they are defined, objects by their __tostring", function()
    assert.matches("^<function .*pretty_spec.lua:%d+>$", format(format))
    assert.matches("^<function: .*>$", format(print))
    assert.are.equal(tostring(io.stdout), format(io.stdout))
    assert.are.equal("text", format(setmetatable({}, {__tostring = function() return "text" end})))
    assert.are.equal("Point {x = 1}", format(setmetatable({x = 1}, {__name = "Point"})))
  end)

  it("shows errors as they are made", function()
    assert.are.same({'ValueError("bad")', "QueueEmpty()"},
      {format(lucio.ValueError "bad"), format(lucio.QueueEmpty())})
  end)

  it("calls no other metamethod, and survives a __tostring that fails", function()
    local function fail() error "called" end
    local t = setmetatable({1, a = 2}, {__index = fail, __len = fail, __pairs = fail, __eq = fail})
    assert.are.equal("{1, a = 2}", format(t))
    assert.are.equal("<table whose __tostring failed>",
      format(setmetatable({}, {__tostring = fail})))
  end)
end)
