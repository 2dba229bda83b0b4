--- Answers each line of a connection.
local lucio = require "lucio"

local M = {}

--- Until the peer ends, or is silent for `patience` seconds. `answer(line)` may wait.
function M.serve(reader, writer, answer, patience)
  while true do
    local ok, line = lucio.pcall(lucio.wait_for, function() return reader:readline() end, patience)
    if not ok then
      if not lucio.isinstance(line, lucio.TimeoutError) then error(line, 0) end
      writer:write("too slow\n")
      break
    end
    if line == "" then break end
    writer:write(answer((line:gsub("\n$", ""))) .. "\n")
    writer:drain()
  end
  writer:close()
  writer:wait_closed()
end

return M
