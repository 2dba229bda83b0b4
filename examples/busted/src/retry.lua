--- Calls a function again while it fails, with longer and longer pauses.
local lucio = require "lucio"

local M = {}

--- Returns what fn() returns. Raises its last error after `attempts` of them, and any error at once
-- that is no OSError. The first pause takes `delay` seconds, each further one twice as long.
function M.call(fn, attempts, delay)
  for attempt = 1, attempts do
    local result = table.pack(lucio.pcall(fn))
    if result[1] then return table.unpack(result, 2, result.n) end
    if attempt == attempts or not lucio.isinstance(result[2], lucio.OSError) then
      error(result[2], 0)
    end
    lucio.sleep(delay)
    delay = delay * 2
  end
end

return M
