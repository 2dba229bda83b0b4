-- The example of every page in docs/api runs as it stands there and prints what the page says.
local assert = require "luassert"
local child = require "spec.support.child"
local lucio = require "lucio"
local tls = require "spec.support.tls"

local PAGES = {"combining", "command", "context", "counter", "debugging", "errors", "executors",
  "fs", "futures", "generators", "groups", "log", "loop", "processes", "queues", "repl", "running",
  "stdlib", "synchronisation", "tasks", "testing", "timeouts", "tls"}

-- The text of the first block of that language.
local function block(page, language)
  return assert(page:match("\n```" .. language .. "\n(.-)```\n"), "no block of " .. language)
end

describe("docs/api", function()
  tls.left_out()
  for _, name in ipairs(PAGES) do
    -- The page about the command waits at the top level, which stock Lua does not offer.
    local offered = name ~= "command" or pcall(lucio.get_running_loop)
    if offered and not (name == "tls" and tls.missing) then
      it(name .. ".md shows an example that prints what it says", function()
        local file <close> = assert(io.open("docs/api/" .. name .. ".md"))
        local page = file:read("a")
        local r = child.run(block(page, "lua"))
        assert.are.same({block(page, "text"), "", 0}, {r.stdout, r.stderr, r.status})
      end)
    end
  end
end)
