-- The names that the prompt completes.
local assert = require "luassert"
local lucio = require "lucio"
local complete = require "lucio.repl.complete"

describe("completion at the prompt", function()
  local function names(line) return (complete.names(line)) end

  after_each(function() _G.probe, _G.strict = nil, nil end)

  it("finds globals and keywords by their start", function()
    assert.are.same({"repeat", "require", "return"}, names "x = re")
    assert.are.same({}, names "")
    assert.are.same({}, names "12")
  end)

  it("finds fields, also of what lucio opens only when it is asked for", function()
    assert.are.same({"maxinteger"}, names "print(math.maxi")
    _G.probe = lucio
    assert.are.same({"create_task"}, names "probe.create_t")
    assert.are.same({"pretty"}, names "probe.pre")
  end)

  it("finds methods of objects and strings, with a colon functions alone", function()
    _G.probe = {queue = lucio.Queue(), text = "x", name = "n", none = 1}
    assert.are.same({"put", "put_nowait"}, names "probe.queue:put")
    assert.are.same({"rep", "reverse"}, names "probe.text:re")
    assert.are.same({"name", "none"}, names "probe.n")
    assert.are.same({}, names "probe:n")
  end)

  it("follows tables behind tables, and cuts circles", function()
    local base = {inherited = 1}
    _G.probe = setmetatable({own = 1}, {__index = setmetatable({}, {__index = base})})
    assert.are.same({"inherited", "own"}, names "probe.")
    setmetatable(base, {__index = _G.probe})
    assert.are.same({"inherited"}, names "probe.inh")
    assert.are.same({}, names "probe.missing.x")
  end)

  it("runs no code, and leaves alone what it does not know", function()
    local function fail() error "called" end
    _G.probe = setmetatable({abc = 1}, {__index = fail, __pairs = fail})
    assert.are.same({"abc"}, names "probe.ab")
    assert.are.same({}, names "probe.x.y")
    assert.are.same({}, names "probe().ab")
    assert.are.same({}, names "'text':re")
    assert.are.same({}, names "probe..ab")
  end)

  it("adds what all names have in common, and lists them in columns", function()
    assert.are.equal("put", complete.common_prefix {"put", "put_nowait"})
    assert.are.equal("", complete.common_prefix {"a", "b"})
    assert.are.equal("", complete.common_prefix {})
    assert.are.equal("a    ccc\nbb", complete.columns({"a", "bb", "ccc"}, 10))
  end)
end)
