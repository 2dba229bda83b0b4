--- A named pipe that lives in this process, for specs of add_reader and add_writer.
--
--     local pipe <close> = fifo()
--     pipe.fd           the descriptor; always writable, readable while something was written
--     pipe:write("x")   puts bytes in
--     pipe:read()       takes one byte
--
-- Lua tells nobody the number of a file's descriptor: it is the lowest free one at the time of
-- the open, which /proc shows.
local ENOENT = 2

local function lowest_free()
  for fd = 0, 1023 do
    -- "r+" does not wait for the other end of a pipe, as "r" would
    local file, _, code = io.open("/proc/self/fd/" .. fd, "r+")
    if file then
      file:close()
    elseif code == ENOENT then
      return fd
    end
  end
  error("no free descriptor")
end

local Fifo = {}
Fifo.__index = Fifo

function Fifo:write(bytes)
  self.file:write(bytes)
  self.file:flush()
end

function Fifo:read()
  return self.input:read(1)
end

function Fifo:close()
  if not self.file then return end
  self.file:close()
  self.input:close()
  self.file, self.input = nil, nil
end

Fifo.__close = Fifo.close

return function()
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute("mkfifo " .. path))
  local fd = lowest_free()
  local file = assert(io.open(path, "r+"))
  local input = assert(io.open(path, "r+"))
  os.remove(path)
  input:setvbuf("no")
  return setmetatable({fd = fd, file = file, input = input}, Fifo)
end
