--- How much of something a spec tries: `small(100000, 20000)` is the second number under a tool
-- that makes everything many times slower, where more of the same proves nothing. script/test says
-- so by SPECS_SMALL=1, for its suites with the collector always at work and under valgrind.
local is_small = os.getenv "SPECS_SMALL" == "1"

return function(usual, few)
  if is_small then return few end
  return usual
end
