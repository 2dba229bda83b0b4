--- lucio.counter: what its functions (bindings/counter) do in Lua: the matches of any pattern, the
-- order of counts, and a place for hooks.
local lucio, make_module, part = ...

-- the program may give the globals other values
local error, gmatch, match, next, pcall, sort, type =
  error, string.gmatch, string.match, next, pcall, table.sort, type

local checks = part "common.options"

local parts = {}

--- Long loops in C call it now and then: hooks do not run in them.
function parts.pause() end

local function count(text, pattern)
  local counts = {}
  for word in gmatch(text, pattern) do counts[word] = (counts[word] or 0) + 1 end
  return counts
end

--- The matches of a pattern, or their first captures.
function parts.matches(text, pattern)
  local ok, counts = pcall(count, text, pattern)
  if ok then return counts end
  -- what is wrong with the pattern is found while it is matched
  local reason = type(counts) == "string" and match(counts, "^lucio/counter%.lua:%d+: (.*)")
  if reason then
    checks.raise(lucio.ValueError, "bad argument #2 to 'count' (%s)", reason)
  end
  error(counts, 0)
end

-- Keys that have an order.
local RANKS = {number = 1, string = 2}

-- The order of {key, number}: the larger number first; of two with the same one the lesser key.
local function before(a, b)
  if a[2] ~= b[2] then return a[2] > b[2] end
  local key, other = a[1], b[1]
  local rank, other_rank = RANKS[type(key)] or 3, RANKS[type(other)] or 3
  if rank ~= other_rank then return rank < other_rank end
  return rank < 3 and key < other
end

-- So many more than are wanted are collected before they are sorted.
local MORE = 100

-- Sorts the list and leaves the first n.
local function cut(list, n)
  sort(list, before)
  for i = #list, n + 1, -1 do list[i] = nil end
end

--- The n largest counts, or all, as {key, number} in their order.
function parts.most_common(counts, n)
  local list, last, size = {}, nil, 0
  for key, number in next, counts do
    local entry = {key, number}
    if not last or before(entry, last) then
      size = size + 1
      list[size] = entry
      if n and size == 2 * n + MORE then
        cut(list, n)
        size, last = n, list[n]
      end
    end
  end
  cut(list, n or size)
  return list
end

return make_module(parts)
