-- lucio.watchdog: its arguments. What it does takes real time and is in spec/cli.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

describe("lucio.watchdog", function()
  case("takes seconds, or nil for none", function()
    lucio.watchdog(60)
    lucio.watchdog(60, {kill = true})
    lucio.watchdog(math.huge)
    lucio.watchdog(nil)
    lucio.watchdog()
  end)

  case("refuses other arguments", function(t)
    for _, bad in ipairs{0, -1, 0 / 0} do t.raises(lucio.ValueError, lucio.watchdog, bad) end
    t.raises("bad argument #1 to 'watchdog' (number expected, got string)", lucio.watchdog, "2")
    t.raises("bad argument #2 to 'watchdog' (unknown option 'kil')", lucio.watchdog, 1, {kil = 1})
    assert.is_false((pcall(lucio.watchdog, 1, true)))
  end)
end)
