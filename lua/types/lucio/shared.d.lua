---@meta lucio.shared

---@alias lucio.shared.Type "i64"|"f64"|"bool"|"u8"|"i"|"d"

---@class lucio.Shared A value or an array, which all threads use at once.
---@field value any Of a Value.
---@field [integer] number|boolean Of an Array.
---@field add fun(self: lucio.Shared, ...: number): number Of an Array, the index comes first.
---@field compare_exchange fun(self: lucio.Shared, ...: any): boolean Of an Array, the index comes first.
---@field get_lock fun(self: lucio.Shared): lucio.shared.Lock

---@class lucio.shared.Bytes Bytes that all threads use at once.
---@field [integer] integer
---@field sub fun(self: lucio.shared.Bytes, from?: integer, to?: integer): string
---@field write fun(self: lucio.shared.Bytes, position: integer, text: string): integer
---@field find fun(self: lucio.shared.Bytes, text: string, from?: integer): integer?, integer?
---@field fill fun(self: lucio.shared.Bytes, byte?: integer, from?: integer, to?: integer)
---@field get_lock fun(self: lucio.shared.Bytes): lucio.shared.Lock

---@class lucio.shared.Lock Of a task, or of a thread outside of tasks.
---@field acquire fun(self: lucio.shared.Lock): lucio.shared.Lock, boolean Waits. Also: whether its last holder died with it.
---@field try_acquire fun(self: lucio.shared.Lock): boolean, boolean
---@field release fun(self: lucio.shared.Lock)

---@class lucio.shared.Semaphore
---@field acquire fun(self: lucio.shared.Semaphore): lucio.shared.Semaphore Waits.
---@field try_acquire fun(self: lucio.shared.Semaphore): boolean
---@field release fun(self: lucio.shared.Semaphore, n?: integer)
---@field locked fun(self: lucio.shared.Semaphore): boolean

---@class lucio.shared.Queue
---@field maxsize integer 0: any number.
---@field put fun(self: lucio.shared.Queue, item: any) Waits.
---@field put_nowait fun(self: lucio.shared.Queue, item: any)
---@field get fun(self: lucio.shared.Queue): any Waits.
---@field get_nowait fun(self: lucio.shared.Queue): any
---@field items fun(self: lucio.shared.Queue): (fun(queue: lucio.shared.Queue, i: integer): integer?, any), lucio.shared.Queue, integer
---@field shutdown fun(self: lucio.shared.Queue, immediate?: boolean)
---@field qsize fun(self: lucio.shared.Queue): integer
---@field empty fun(self: lucio.shared.Queue): boolean
---@field full fun(self: lucio.shared.Queue): boolean

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

---@param init integer|string How many, or a text.
---@return lucio.shared.Bytes
function shared.bytes(init) end

---@param n? integer Permits, 1 by default.
---@return lucio.shared.Semaphore
function shared.Semaphore(n) end

---@param maxsize? integer
---@return lucio.shared.Queue
function shared.Queue(maxsize) end

---@return lucio.shared.Lock
function shared.Lock() end

---A lock that who has it may take again.
---@return lucio.shared.Lock
function shared.RLock() end

return shared
