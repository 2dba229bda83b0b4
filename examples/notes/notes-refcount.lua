-- Lua counts no references: a tracing collector takes what can no longer be reached. The number of
-- the notes can still be found: three variables hold the object (a, b and the argument of the
-- function that asks), and a weak table, which holds nothing, tells that the object is gone only
-- when the third is dropped. collectgarbage("count") tells that its memory is free as well.
-- In Python: sys.getrefcount.
local a = {("x"):rep(1 << 20)}
local b = a

local function references(object)
  local weak = setmetatable({object}, {__mode = "v"})
  local drop = {
    function() object = nil end,
    function() a = nil end,
    function() b = nil end,
  }
  local count = 0
  repeat
    count = count + 1
    drop[count]()
    collectgarbage()
  until weak[1] == nil
  assert(not (object or a or b))
  return count
end

local before = collectgarbage("count")
print(references(a))
assert(before - collectgarbage("count") > 1000, "the KiB of the object are free again")
