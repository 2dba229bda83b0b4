---@meta lucio.pretty

---@class lucio.pretty.Options
---@field width? integer
---@field depth? integer
---@field items? integer
---@field length? integer
---@field total? integer

---@class lucio.pretty
local pretty = {}

---@param value any
---@param options? lucio.pretty.Options
---@return string
function pretty.format(value, options) end

---@param text string
---@param limit? integer
---@return string
function pretty.quote(text, limit) end

---Several values, as the prompt shows them.
---@param options? lucio.pretty.Options
---@return string
function pretty.format_all(options, ...) end

return pretty
