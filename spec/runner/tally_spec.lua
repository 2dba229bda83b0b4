local tally = require "spec.support.tally"

-- A job's directory with these files; removed at the end of the case.
local function job(files)
  local dir = os.tmpname()
  os.remove(dir)
  assert(os.execute("mkdir '" .. dir .. "'"))
  for name, text in pairs(files) do
    local file <close> = assert(io.open(dir .. "/" .. name, "w"))
    file:write(text)
  end
  finally(function() os.execute("rm -r '" .. dir .. "'") end) -- luacheck: globals finally
  return dir
end

local function outcome(files)
  files.name = "core/x"
  return tally.outcome(job(files))
end

describe("spec.support.tally", function()
  it("counts passed and failed tests with their details", function()
    local result = outcome {
      tap = "# begin a\nok 1 - a\nnot ok 2 - b\n#   why\n#   more\nok 3 - c left out: d\n1..3\n",
      status = "1", seconds = "1.5",
    }
    assert.are.same({name = "core/x", seconds = 1.5, passed = 2, left_out = {"d"},
      failures = {{name = "b", details = {"why", "more"}}}}, result)
  end)

  it("counts a crash as a failure and names the test that ran", function()
    local result = outcome {
      tap = "ok 1 - a\n# begin b\n", status = "139", log = "Segmentation fault\n",
    }
    assert.are.equal(1, result.passed)
    assert.are.same({{name = "the run ended without a summary (exit status 139)",
      details = {"while it ran: b", "log: Segmentation fault"}}}, result.failures)
  end)

  it("shows what a sanitizer found, not the end of its report", function()
    local log = "a\n==7==ERROR: AddressSanitizer: heap-use-after-free\n" .. ("#0\n"):rep(40)
    local details = outcome({tap = "", status = "1", log = log}).failures[1].details
    assert.are.equal("log: ==7==ERROR: AddressSanitizer: heap-use-after-free", details[1])
    assert.are.equal(25, #details)
  end)

  it("counts a run without any output as a failure", function()
    local result = outcome {tap = "", status = "0"}
    assert.are.same({"the run ended without a summary (exit status 0)"}, {result.failures[1].name})
  end)

  it("counts a run that never ended as a failure", function()
    assert.are.equal("the run ended without a summary (exit status unknown)",
      outcome({}).failures[1].name)
  end)

  it("counts a run out of time as a failure", function()
    assert.are.equal("the run ran out of time",
      outcome({tap = "ok 1 - a\n", status = "124"}).failures[1].name)
  end)

  it("counts an empty run as a failure", function()
    assert.are.equal("the run ran no test",
      outcome({tap = "1..0\n", status = "0"}).failures[1].name)
  end)

  it("counts lost results as a failure", function()
    assert.are.equal("the run reported 1 of 3 tests",
      outcome({tap = "ok 1 - a\n1..3\n", status = "0"}).failures[1].name)
  end)

  it("counts a bad exit status without a failed test as a failure", function()
    local result = outcome {tap = "ok 1 - a\n1..1\n", status = "1"}
    assert.are.equal(1, result.passed)
    assert.are.equal("the run ended with exit status 1", result.failures[1].name)
  end)

  it("does not add to the failures of a run that has reported some", function()
    assert.are.equal(1, #outcome({tap = "not ok 1 - a\n1..1\n", status = "1"}).failures)
  end)
end)
