-- Games with userdata: whatever a script calls with whatever, the process goes on or ends in order.
local assert = require "luassert"
local command = require "spec.cli.command"

local RUNS, CALLS = 6, 1500

describe("methods of userdata", function()
  local directory

  before_each(function()
    local pipe <close> = io.popen("mktemp -d")
    directory = pipe:read("l")
  end)

  after_each(function() os.execute("rm -rf " .. command.quote(directory)) end)

  for seed = 1, RUNS do
    it("take any self and any arguments, seed " .. seed, function()
      local result = command.run {"spec/support/games.lua", directory, tostring(seed),
        tostring(CALLS)}
      -- what a script does to its own standard streams and to its task is its own business
      if result.status ~= 0 and result.status ~= 1 then
        error(("status %d\n%s"):format(result.status, result.err:sub(-2000)))
      end
      for _, sign in ipairs {"Sanitizer", "runtime error:", "PANIC", "Assertion"} do
        assert.is_nil(result.err:find(sign, 1, true), result.err:sub(-3000))
      end
    end)
  end
end)
