--- A `lucio --workers` for the specs of this directory: started, watched and ended, in a loop of
-- its own.
local lucio = require "lucio"
local command = require "spec.cli.command"
local limit = require "spec.support.limit"

local M = {}

-- What scripts begin with: `say` tells the worker's number, its process and more on a line.
local PRELUDE = [[
  local lucio = require "lucio"
  local pid = io.open("/proc/self/stat"):read("n")
  local index = os.getenv "LUCIO_WORKER_INDEX"
  local function say(...)
    print("worker", index, pid, ...)
    io.stdout:flush()
  end
]]

-- A script that answers each line, with its number and process in front; it says its port.
M.SERVER = PRELUDE .. [[
  local function handle(reader, writer)
    for line in reader:lines() do
      if line == "crash" then os.exit(3) end
      if line == "slow" then lucio.sleep(0.02) end
      writer:write(("%s %d %s\n"):format(index, pid, line))
    end
  end
  local server = lucio.start_server(handle, "127.0.0.1", tonumber(arg[1]) or 0)
  say(server.sockets[1]:getsockname().port)
  server:serve_forever()
]]

M.PRELUDE = PRELUDE

local Supervised = {}
Supervised.__index = Supervised

--- Waits until `what()` gives something true, and returns it.
function M.wait_until(what)
  local found
  repeat
    found = what()
    if not found then lucio.sleep(0.01) end
  until found
  return found
end

--- Waits for the nth line (from 1) of what it printed that matches; returns the captures. A pattern
-- of what lucio itself says is looked for on stderr, others on stdout.
function Supervised:line(pattern, n)
  local where = pattern:sub(1, 8) == "^lucio: " and self.err or self.out
  return table.unpack(M.wait_until(function()
    local found = 0
    for _, line in ipairs(where) do
      local captures = {line:match(pattern)}
      if #captures > 0 then found = found + 1 end
      if found == (n or 1) and #captures > 0 then return captures end
    end
    if self.process.returncode and self.ended then
      error("it ended without the line " .. pattern .. ":\n" .. table.concat(self.err, "\n"), 0)
    end
  end))
end

--- The port that the first worker says.
function Supervised:port()
  return tonumber((self:line "^worker\t1\t%d+\t(%d+)$"))
end

--- Asks a line of a server; gives the worker's number, its process and the line, or nil when nobody
-- answers.
function Supervised:ask(line)
  local reader, writer = lucio.open_connection("127.0.0.1", self:port())
  writer:write(line .. "\n")
  local answer = reader:readline()
  writer:close()
  return answer:match "^(%d+) (%d+) (.*)\n$"
end

function Supervised:signal(name)
  self.process:send_signal(name)
end

--- Waits for its end; the exit status, or -signal.
function Supervised:wait()
  local status = self.process:wait()
  M.wait_until(function() return self.ended end)
  return status
end

local function collect(reader, list)
  for line in reader:lines() do list[#list + 1] = line end
end

--- The state of a process, a letter as in ps; nil: there is none.
function M.state(pid)
  local file = io.open("/proc/" .. pid .. "/stat")
  if not file then return nil end
  local text = file:read("a") or ""
  file:close()
  return text:match "%) (%a)"
end

--- Whether a process is there and no zombie.
function M.is_alive(pid)
  local state = M.state(pid)
  return state ~= nil and state ~= "Z"
end

--- Runs `fn(supervised)` while `lucio` runs with the words of the list `options`. Its `script` is
-- the text of a file that stands for the word "SCRIPT", else is the last word.
function M.run(options, fn)
  local path = os.tmpname()
  local function write(text)
    local file <close> = assert(io.open(path, "w"))
    file:write(text)
  end
  write(options.script)
  local words, placed = {}, false
  for i, word in ipairs(options) do
    words[i], placed = word == "SCRIPT" and path or word, placed or word == "SCRIPT"
  end
  if not placed then words[#words + 1] = path end
  lucio.run(function()
    local _ <close> = lucio.timeout(limit)
    local PIPE = lucio.subprocess.PIPE
    words[#words + 1] = {stdout = PIPE, stderr = PIPE}
    local process = lucio.create_subprocess_exec(command.path, table.unpack(words))
    local self = setmetatable({process = process, out = {}, err = {}, write = write}, Supervised)
    local reading = lucio.create_task(function()
      lucio.gather(function() collect(process.stdout, self.out) end,
        function() collect(process.stderr, self.err) end)
      self.ended = true
    end)
    local ok, e = pcall(fn, self)
    while not process.returncode do
      -- the second one ends the workers at once
      pcall(process.terminate, process)
      pcall(lucio.wait_for, process.wait, 1, process)
      lucio.sleep(0.05)
    end
    reading:cancel()
    os.remove(path)
    if not ok then error(e, 0) end
  end)
end

return M
