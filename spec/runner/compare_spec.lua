local compare = require "spec.support.compare"

describe("spec.support.compare", function()
  local differences = compare.differences

  describe("mode exact", function()
    it("accepts equal texts", function()
      assert.are.same({}, differences("a\nb\n", "a\nb\n"))
      assert.are.same({}, differences("", "", {}))
    end)

    it("names the lines that differ", function()
      assert.are.same({"line 2: expected |b", "line 2: got      |c"},
        differences("a\nb\n", "a\nc\n"))
    end)

    it("shows where one text ends early", function()
      assert.are.same({"line 2: expected |b", "line 2: got      the end"},
        differences("a\nb\n", "a\n"))
      assert.are.same({"line 1: expected the end", "line 1: got      |a"},
        differences("", "a\n"))
    end)

    it("notices a missing last newline", function()
      assert.are.same({"the newline at the end differs"}, differences("a\n", "a"))
    end)

    it("notices an empty line more", function()
      assert.are.same({"line 2: expected the end", "line 2: got      |"},
        differences("a\n", "a\n\n"))
    end)

    it("refuses to compare with nothing", function()
      assert.are.same({"there is no expected output"}, differences(nil, "a\n"))
    end)

    it("counts the differences that it does not show", function()
      local found = differences(("a\n"):rep(20), ("b\n"):rep(20))
      assert.are.equal("... and 28 more", found[#found])
    end)
  end)

  describe("normalise", function()
    it("applies Lua patterns to both texts, in order", function()
      local check = {normalise = {{"port %d+", "port P"}, {"P", "N"}}}
      assert.are.same({}, differences("port 1\n", "port 22\n", check))
      assert.are.same({"line 1: expected |port N", "line 1: got      |PORT"},
        differences("port 1\n", "PORT\n", {normalise = {{"port %d+", "port N"}}}))
    end)
  end)

  describe("mode multiset", function()
    local check = {mode = "multiset", order = {{"a", "b"}}}

    it("accepts the same lines in another order", function()
      assert.are.same({}, differences("a\nb\nc\n", "c\na\nb\n", check))
    end)

    it("names missing and unexpected lines, repeated ones too", function()
      assert.are.same({"missing: |a", "unexpected: |b", "unexpected: |d"},
        differences("a\na\nb\n", "a\nb\nb\nd\n", check))
    end)

    it("keeps to the order constraints", function()
      assert.are.same({"wrong order: a < b"}, differences("a\nb\n", "b\na\n", check))
    end)
  end)

  describe("mode counts", function()
    it("counts plain texts", function()
      local check = {mode = "counts", counts = {["a."] = 2, b = 0}}
      assert.are.same({}, differences(nil, "a.a.a", check))
      assert.are.same({"|a.: 1 times, expected 2", "|b: 1 times, expected 0"},
        differences(nil, "a.b", check))
    end)
  end)

  describe("order", function()
    it("applies in every mode and names a text that is not there", function()
      assert.are.same({"wrong order: a < z (there is no |z)"},
        differences("a\n", "a\n", {order = {{"a", "z"}}}))
    end)

    it("accepts one text as the start of the next", function()
      assert.are.same({}, differences("item_1\n", "item_1\n", {order = {{"item", "item_1"}}}))
    end)
  end)

  it("refuses an unknown mode", function()
    assert.are.same({"unknown mode fuzzy"}, differences("a", "a", {mode = "fuzzy"}))
  end)
end)
