--- What table.insert and the like do with a list whose metamethods are functions. Lua code may be
-- suspended in a metamethod, C code not; so the functions in C check their arguments and leave the
-- accesses, in the order of Lua's own functions, to these. They are loaded without their lines and
-- names, so that `error` takes them for functions in C. No operation here may fail by itself, since
-- the message would have another form. `random` is a function in C that gives a number for a pivot.
local random = ...

local M = {}

-- For sorting: in ranges of more items the pivot may be a random one.
local RANDOM_MIN = 100

function M.insert(t, pos, value, i)
  for n = i, pos + 1, -1 do t[n] = t[n - 1] end
  t[pos] = value
end

function M.remove(t, pos, length)
  local value = t[pos]
  for n = pos, length - 1 do t[n] = t[n + 1] end
  t[length] = nil
  return value
end

-- Item i goes to i + distance, the last one first if step is -1.
function M.move(source, first, last, step, distance, t)
  for i = first, last, step do t[i + distance] = source[i] end
end

function M.set(t, i, value)
  t[i] = value
end

-- The first eight items, and any eight: a loop that put them into a list would take longer.
function M.unpack_first(t)
  return t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8]
end

function M.unpack(t, i)
  return t[i], t[i + 1], t[i + 2], t[i + 3], t[i + 4], t[i + 5], t[i + 6], t[i + 7]
end

-- The middle, or for large ranges, once one was split badly, a random item of the middle half.
local function choose_pivot(lo, up, chance)
  if up - lo < RANDOM_MIN or chance == 0 then return (lo + up) // 2 end
  local quarter = (up - lo) // 4
  return chance % (quarter * 2) + lo + quarter
end

-- Sorts a range by a comparator, as ltablib.c does. True: that is no valid order. For items with
-- __lt the same text is loaded with `a < b` in the place of each `less(a, b)`. `sort` is the
-- function itself.
function M.sort(t, lo, up, chance, less, sort)
  while lo < up do
    local low, high = t[lo], t[up]
    if less(high, low) then
      t[lo] = high
      t[up] = low
    end
    if up - lo == 1 then return end
    local p = choose_pivot(lo, up, chance)
    local pivot = t[p]
    low = t[lo]
    if less(pivot, low) then
      t[p] = low
      t[lo] = pivot
    else
      high = t[up]
      if less(high, pivot) then
        t[p] = high
        t[up] = pivot
      end
    end
    if up - lo == 2 then return end
    pivot = t[p]
    t[p] = t[up - 1]
    t[up - 1] = pivot
    local i, j = lo, up - 1
    while true do
      i = i + 1
      low = t[i]
      while less(low, pivot) do
        if i == up - 1 then return true end
        i = i + 1
        low = t[i]
      end
      j = j - 1
      high = t[j]
      while less(pivot, high) do
        if j < i then return true end
        j = j - 1
        high = t[j]
      end
      if j < i then break end
      t[i] = high
      t[j] = low
    end
    t[up - 1] = low
    t[i] = pivot
    local sorted
    if i - lo < up - i then
      if sort(t, lo, i - 1, chance, less, sort) then return true end
      sorted, lo = i - lo, i + 1
    else
      if sort(t, i + 1, up, chance, less, sort) then return true end
      sorted, up = up - i, i - 1
    end
    if (up - lo) // 128 > sorted then chance = random() end
  end
end

return M
