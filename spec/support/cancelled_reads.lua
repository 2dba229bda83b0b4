--- Reads that are cancelled at any moment: nothing may be lost.
local lucio = require "lucio"

local M = {}

--- Takes all that take() gives, in pieces, each of which is cancelled a few times first.
function M.all(take)
  local got, k = {}, 0
  while true do
    local task = lucio.create_task(take)
    k = (k + 1) % 7
    for _ = 1, k do lucio.sleep(0) end
    task:cancel()
    local ok, piece = pcall(task.await, task)
    if ok then
      if piece == nil or piece == "" then break end
      got[#got + 1] = piece
    elseif not task:cancelled() then
      error(piece, 0)
    end
  end
  return table.concat(got)
end

--- Lines, and what they are together.
M.LINES = {}
for i = 1, 300 do M.LINES[i] = ("%05d\n"):format(i) end
M.TEXT = table.concat(M.LINES)

--- Writes the text in small pieces, with ticks between them.
function M.trickle(_, writer)
  for i = 1, #M.TEXT, 7 do
    writer:write(M.TEXT:sub(i, i + 6))
    if i % 3 == 0 then lucio.sleep(0) end
  end
end

--- Each takes a piece from a reader, nothing at its end.
M.TAKES = {
  read = function(reader) return reader:read(5) end,
  readline = function(reader) return reader:readline() end,
  readexactly = function(reader)
    if reader:at_eof() then return nil end
    return reader:readexactly(6)
  end,
  readuntil = function(reader)
    local ok, line = lucio.pcall(reader.readuntil, reader, "\n")
    return ok and line or nil
  end,
}

return M
