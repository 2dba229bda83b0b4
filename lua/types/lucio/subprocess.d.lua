---@meta lucio.subprocess

---@class lucio.subprocess
---@field PIPE integer
---@field DEVNULL integer
---@field STDOUT integer
local subprocess = {}

---Waits.
---@param program string|table
---@param ... string|lucio.ProcessOptions
---@return lucio.Process
function subprocess.create_subprocess_exec(program, ...) end

---Waits.
---@param command string
---@param options? lucio.ProcessOptions
---@return lucio.Process
function subprocess.create_subprocess_shell(command, options) end

return subprocess
