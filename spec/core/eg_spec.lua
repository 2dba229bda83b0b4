-- SEMANTICS EG1-EG4: exception groups.
local assert = require "luassert"
local lucio = require "lucio"

local ValueError, TypeError, LookupError = lucio.ValueError, lucio.TypeError, lucio.LookupError
local ExceptionGroup, BaseExceptionGroup = lucio.ExceptionGroup, lucio.BaseExceptionGroup

local function is(e, class)
  assert.is_true(lucio.isinstance(e, class))
end

local function raises(class, fn, ...)
  local ok, e = pcall(fn, ...)
  assert.is_false(ok)
  is(e, class)
  return e
end

-- A group in short: the names of the leaves, groups in brackets.
local function shape(e)
  if e == nil then return "nil" end
  if not lucio.isinstance(e, BaseExceptionGroup) then return tostring(e) end
  local list = {}
  for i, member in ipairs(e.exceptions) do list[i] = shape(member) end
  return e.message .. "[" .. table.concat(list, " ") .. "]"
end

-- top[v1 inner[t2 v3] left[l4]]
local function tree()
  local e = {v1 = ValueError("v1"), t2 = TypeError("t2"), v3 = ValueError("v3"),
    l4 = LookupError("l4")}
  e.inner = ExceptionGroup("inner", {e.t2, e.v3})
  e.left = ExceptionGroup("left", {e.l4})
  e.top = ExceptionGroup("top", {e.v1, e.inner, e.left})
  return e
end

describe("ExceptionGroup", function()
  it("EG1: is made of a text and a list of errors", function()
    local a, b = ValueError("a"), TypeError("b")
    local e = ExceptionGroup("some", {a, b})
    is(e, ExceptionGroup)
    is(e, lucio.Exception)
    assert.are.equal("some", e.message)
    assert.are.equal(2, #e.exceptions)
    assert.is_true(rawequal(a, e.exceptions[1]))
    assert.is_true(rawequal(b, e.exceptions[2]))
  end)

  it("EG1: an empty list is a ValueError", function()
    raises(ValueError, ExceptionGroup, "some", {})
  end)

  it("EG1: a member that is no error object is a ValueError", function()
    raises(ValueError, ExceptionGroup, "some", {ValueError("a"), "text"})
    raises(ValueError, ExceptionGroup, "some", {{}})
    raises(ValueError, ExceptionGroup, "some", {ValueError})
  end)

  it("EG1: what is no list is a TypeError", function()
    raises(TypeError, ExceptionGroup, "some", 42)
    raises(TypeError, ExceptionGroup, "some")
  end)

  it("EG1: a text that is no string is a TypeError", function()
    raises(TypeError, ExceptionGroup, 42, {ValueError("a")})
    raises(TypeError, ExceptionGroup, {ValueError("a")})
  end)

  it("EG2: BaseExceptionGroup of ordinary members gives an ExceptionGroup", function()
    local e = BaseExceptionGroup("some", {ValueError("a")})
    is(e, ExceptionGroup)
    assert.are.equal("ExceptionGroup", e.name)
  end)

  it("EG2: BaseExceptionGroup of others is no ordinary error", function()
    local e = BaseExceptionGroup("some", {ValueError("a"), lucio.KeyboardInterrupt()})
    is(e, BaseExceptionGroup)
    assert.is_false(lucio.isinstance(e, ExceptionGroup))
    assert.is_false(lucio.isinstance(e, lucio.Exception))
    assert.are.equal("BaseExceptionGroup", e.name)
  end)

  it("EG2: ExceptionGroup refuses members that are not ordinary with TypeError", function()
    raises(TypeError, ExceptionGroup, "some", {lucio.CancelledError()})
    raises(TypeError, ExceptionGroup, "some", {ValueError("a"), lucio.SystemExit(1)})
  end)

  it("EG2: message and exceptions cannot be changed", function()
    local a, b = ValueError("a"), ValueError("b")
    local list = {a, b}
    local e = ExceptionGroup("some", list)
    list[1], list[3] = b, a
    pcall(function() e.message = "other" end)
    pcall(function() e.exceptions = {b} end)
    pcall(function() e.exceptions[1] = b end)
    assert.are.equal("some", e.message)
    assert.are.equal(2, #e.exceptions)
    assert.is_true(rawequal(a, e.exceptions[1]))
  end)

  it("EG2: the text counts the members", function()
    local a = ValueError("a")
    assert.are.equal("some (1 sub-exception)", tostring(ExceptionGroup("some", {a})))
    assert.are.equal("some (2 sub-exceptions)", tostring(ExceptionGroup("some", {a, a})))
    assert.are.equal("top (3 sub-exceptions)", tostring(tree().top))
  end)
end)

describe("ExceptionGroup:subgroup", function()
  it("EG3: keeps the nesting and drops empty branches", function()
    local e = tree()
    assert.are.equal("top[v1 inner[v3]]", shape(e.top:subgroup(ValueError)))
    assert.are.equal("top[left[l4]]", shape(e.top:subgroup(LookupError)))
  end)

  it("EG3: is nil if nothing matches", function()
    assert.is_nil(tree().top:subgroup(lucio.OSError))
  end)

  it("EG3: is the group itself if it matches whole", function()
    local e = tree()
    assert.is_true(rawequal(e.top, e.top:subgroup(lucio.Exception)))
    assert.is_true(rawequal(e.top, e.top:subgroup(ExceptionGroup)))
  end)

  it("EG3: a nested group that matches whole is kept as the very object", function()
    local e = tree()
    local found = e.top:subgroup(LookupError)
    is(found, ExceptionGroup)
    assert.are.equal(1, #found.exceptions)
    assert.are.equal("left[l4]", shape(found.exceptions[1]))
    assert.is_true(rawequal(e.l4, found.exceptions[1].exceptions[1]))
  end)

  it("EG3: takes a list of classes", function()
    assert.are.equal("top[v1 inner[v3] left[l4]]",
      shape(tree().top:subgroup{ValueError, LookupError}))
  end)

  it("EG3: takes a predicate", function()
    local found = tree().top:subgroup(function(e)
      return not lucio.isinstance(e, ExceptionGroup) and e.message:find("[13]") ~= nil
    end)
    assert.are.equal("top[v1 inner[v3]]", shape(found))
  end)

  it("EG3: a predicate is asked about groups first, then about what is in them", function()
    local asked = {}
    local found = tree().top:subgroup(function(e)
      asked[#asked + 1] = e.message
      return e.message == "inner"
    end)
    assert.are.equal("top[inner[t2 v3]]", shape(found))
    assert.are.same({"top", "v1", "inner", "left", "l4"}, asked)
  end)

  it("EG3: a condition of another type is a TypeError", function()
    local e = tree()
    raises(TypeError, e.top.subgroup, e.top, 42)
    raises(TypeError, e.top.subgroup, e.top)
    raises(TypeError, e.top.split, e.top, "ValueError")
  end)
end)

describe("ExceptionGroup:split", function()
  it("EG4: gives what matches and the rest, every leaf in exactly one", function()
    local e = tree()
    local match, rest = e.top:split(ValueError)
    assert.are.equal("top[v1 inner[v3]]", shape(match))
    assert.are.equal("top[inner[t2] left[l4]]", shape(rest))
    assert.is_true(rawequal(e.v3, match.exceptions[2].exceptions[1]))
    assert.is_true(rawequal(e.t2, rest.exceptions[1].exceptions[1]))
  end)

  it("EG4: either part may be nil, the other is the group itself", function()
    local e = tree()
    local match, rest = e.top:split(lucio.Exception)
    assert.is_true(rawequal(e.top, match))
    assert.is_nil(rest)
    match, rest = e.top:split(lucio.OSError)
    assert.is_nil(match)
    assert.are.equal(shape(e.top), shape(rest))
  end)

  it("EG4: takes a list of classes and a predicate", function()
    local match, rest = tree().top:split{TypeError, LookupError}
    assert.are.equal("top[inner[t2] left[l4]]", shape(match))
    assert.are.equal("top[v1 inner[v3]]", shape(rest))
    match, rest = tree().top:split(function(e) return e.message == "v1" end)
    assert.are.equal("top[v1]", shape(match))
    assert.are.equal("top[inner[t2 v3] left[l4]]", shape(rest))
  end)

  it("EG4: keeps cause and traceback, also of nested groups", function()
    local e = tree()
    e.top.cause, e.inner.cause = LookupError("why"), LookupError("because")
    local ok, raised = xpcall(error, function(x) return x end, e.top)
    assert.is_false(ok)
    assert.is_true(rawequal(e.top, raised))
    for _, part in ipairs{e.top:split(ValueError)} do
      assert.is_true(rawequal(e.top.cause, part.cause))
      assert.are.equal(e.top.traceback, part.traceback)
      for _, member in ipairs(part.exceptions) do
        if member.message == "inner" then
          assert.is_true(rawequal(e.inner.cause, member.cause))
        end
      end
    end
  end)

  it("EG4: the parts of a group of one's own class are built by its derive", function()
    local Own = lucio.exception("Own", ExceptionGroup)
    function Own:derive(list)
      local part = Own(self.message, list)
      part.code = self.code
      return part
    end
    local e = Own("own", {ValueError("v"), TypeError("t")})
    e.code = 7
    for _, part in ipairs{e:split(ValueError)} do
      is(part, Own)
      assert.are.equal(7, part.code)
      assert.are.equal(1, #part.exceptions)
    end
  end)

  it("EG4: without a derive they are plain groups", function()
    local Own = lucio.exception("Own", ExceptionGroup)
    local match, rest = Own("own", {ValueError("v"), TypeError("t")}):split(ValueError)
    assert.are.equal("ExceptionGroup", match.name)
    assert.are.equal("ExceptionGroup", rest.name)
  end)

  it("EG4: parts of a mixed BaseExceptionGroup that hold ordinary errors only are ExceptionGroups",
    function()
      local e = BaseExceptionGroup("mixed", {ValueError("v"), lucio.SystemExit(1)})
      local match, rest = e:split(ValueError)
      assert.are.equal("ExceptionGroup", match.name)
      assert.are.equal("BaseExceptionGroup", rest.name)
    end)
end)

describe("lucio.except_star", function()
  local function fail(e)
    return function() error(e, 0) end
  end

  it("EG5: without an error gives what the function gives, no handler runs", function()
    local results = table.pack(lucio.except_star(function() return 1, nil, 3 end,
      ValueError, function() error("never") end))
    assert.are.same({1, nil, 3, n = 3}, results)
  end)

  it("EG5: handlers run in order, each on what the earlier ones left", function()
    local lines = {}
    lucio.except_star(fail(tree().top),
      ValueError, function(e) lines[#lines + 1] = "first " .. shape(e) end,
      LookupError, function(e) lines[#lines + 1] = "second " .. shape(e) end,
      lucio.Exception, function(e) lines[#lines + 1] = "third " .. shape(e) end)
    assert.are.same({"first top[v1 inner[v3]]", "second top[left[l4]]", "third top[inner[t2]]"},
      lines)
  end)

  it("EG5: a handler whose class matches nothing is not called", function()
    local ok, e = pcall(lucio.except_star, fail(tree().top),
      lucio.OSError, function() error("never") end)
    assert.is_false(ok)
    assert.are.equal("top[v1 inner[t2 v3] left[l4]]", shape(e))
  end)

  it("EG5: the rest that nothing matched is raised again with its structure", function()
    local ok, e = pcall(lucio.except_star, fail(tree().top), ValueError, function() end)
    assert.is_false(ok)
    is(e, ExceptionGroup)
    assert.are.equal("top[inner[t2] left[l4]]", shape(e))
  end)

  it("EG6: a naked error that matches comes in a group without a text", function()
    local boom, seen = ValueError("boom"), nil
    lucio.except_star(fail(boom), ValueError, function(e) seen = e end)
    is(seen, ExceptionGroup)
    assert.are.equal("", seen.message)
    assert.are.equal(1, #seen.exceptions)
    assert.is_true(rawequal(boom, seen.exceptions[1]))
  end)

  it("EG6: one that does not match stays naked", function()
    local boom = ValueError("boom")
    local ok, e = pcall(lucio.except_star, fail(boom), LookupError, function() end)
    assert.is_false(ok)
    assert.is_true(rawequal(boom, e))
  end)

  it("EG7: errors of handlers are grouped with the rest", function()
    local ok, e = pcall(lucio.except_star, fail(tree().top),
      ValueError, function() error(TypeError("new"), 0) end)
    assert.is_false(ok)
    is(e, ExceptionGroup)
    assert.are.equal("[new top[inner[t2] left[l4]]]", shape(e))
  end)

  it("EG7: one error of a handler alone comes as it is", function()
    local new = TypeError("new")
    for _, raised in ipairs{ExceptionGroup("some", {ValueError("v")}), ValueError("v")} do
      local ok, e = pcall(lucio.except_star, fail(raised), ValueError, fail(new))
      assert.is_false(ok)
      assert.is_true(rawequal(new, e))
    end
  end)

  it("EG7: raising the matched part again merges it without another level", function()
    local ok, e = pcall(lucio.except_star, fail(tree().top),
      ValueError, function(group) error(group, 0) end)
    assert.is_false(ok)
    assert.are.equal("top[v1 inner[t2 v3] left[l4]]", shape(e))
  end)

  it("EG7: a naked error that is raised again in its group keeps that", function()
    local ok, e = pcall(lucio.except_star, fail(ValueError("boom")),
      ValueError, function(group) error(group, 0) end)
    assert.is_false(ok)
    assert.are.equal("[boom]", shape(e))
  end)

  it("EG5: bad arguments raise TypeError before the function runs", function()
    local function never() error("never") end
    raises(TypeError, lucio.except_star, 42)
    raises(TypeError, lucio.except_star, never)
    raises(TypeError, lucio.except_star, never, ValueError)
    raises(TypeError, lucio.except_star, never, "ValueError", never)
    raises(TypeError, lucio.except_star, never, ValueError, 42)
  end)
end)
