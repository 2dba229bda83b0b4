---@meta lucio.counter

---@alias lucio.counter.Counts table<any, number>

---@class lucio.counter
local counter = {}

---Counts the matches of a Lua pattern, or their first captures; runs of what is no space, if there is none.
---@param text string
---@param pattern? string
---@param into? lucio.counter.Counts
---@return lucio.counter.Counts
function counter.count(text, pattern, into) end

---@param list any[]
---@param into? lucio.counter.Counts
---@return lucio.counter.Counts
function counter.count_items(list, into) end

---Adds counts to those of the first table, which it returns.
---@param into lucio.counter.Counts
---@param counts lucio.counter.Counts
---@return lucio.counter.Counts
function counter.merge(into, counts) end

---The same with the negative counts.
---@param into lucio.counter.Counts
---@param counts lucio.counter.Counts
---@return lucio.counter.Counts
function counter.subtract(into, counts) end

---The n largest counts, or all: lists of key and number, the largest first, equal ones by their keys.
---@param counts lucio.counter.Counts
---@param n? integer
---@return any[][]
function counter.most_common(counts, n) end

---@param counts lucio.counter.Counts
---@return number
function counter.total(counts) end

return counter
