---@meta lucio.shared

---@alias lucio.shared.Type "i64"|"f64"|"bool"|"u8"|"i"|"d"

---@class lucio.Shared A value or an array, which all threads use at once.
---@field value any Of a Value.
---@field [integer] number|boolean Of an Array.
---@field add fun(self: lucio.Shared, ...: number): number
---@field compare_exchange fun(self: lucio.Shared, ...: any): boolean
---@field get_lock fun(self: lucio.Shared): lucio.shared.Lock

---@class lucio.shared.Lock Holds up the whole thread; for short sections without a wait.
---@field acquire fun(self: lucio.shared.Lock): lucio.shared.Lock
---@field try_acquire fun(self: lucio.shared.Lock): boolean
---@field release fun(self: lucio.shared.Lock)

---@class lucio.shared
local shared = {}

---@param type lucio.shared.Type
---@param init? number|boolean
---@return lucio.Shared
function shared.Value(type, init) end

---@param type lucio.shared.Type
---@param init integer|(number|boolean)[] How many, or a list.
---@return lucio.Shared
function shared.Array(type, init) end

---@return lucio.shared.Lock
function shared.Lock() end

---A lock that the thread which has it may take again.
---@return lucio.shared.Lock
function shared.RLock() end

return shared
