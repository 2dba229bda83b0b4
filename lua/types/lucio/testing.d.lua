---@meta lucio.testing

---@class lucio.testing.StreamEnd
---@field reader lucio.StreamReader
---@field writer lucio.StreamWriter
---@field close fun(self: lucio.testing.StreamEnd) Waits.
---@field abort fun(self: lucio.testing.StreamEnd)

---@class lucio.testing
local testing = {}

---Lets n iterations of the loop pass. Waits.
---@param n? integer
function testing.ticks(n) end

---Waits until every other task waits and no callback is queued.
function testing.wait_all_blocked() end

---From now on time jumps to the next deadline as soon as nothing can run.
function testing.virtual_clock() end

---How long this function of a case may take from now on.
---@param seconds number
function testing.set_timeout(seconds) end

---What this case leaves behind is no failure.
function testing.ignore_leaks() end

---Calls `fn(...)`, which has to raise; returns the error.
---@param what lucio.ErrorClass|string|any An error class, a text in the message, or the value.
---@param fn function
---@return any
function testing.assert_raises(what, fn, ...) end

---Two ends that are connected to each other. Waits.
---@param options? {limit?: integer}
---@return lucio.testing.StreamEnd
---@return lucio.testing.StreamEnd
function testing.stream_pair(options) end

---For a helper script of Busted.
---@param options? {timeout?: number, virtual_timeout?: number, clock?: "virtual"|"real", leaks?: boolean}
function testing.busted(options) end

return testing
