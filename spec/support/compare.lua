--- Compares what a program printed with what it should print.
--
-- `differences(want, got, check)` gives a list of texts, empty when the output is acceptable.
-- `want` may be nil where the mode does not need it. The fields of `check`, all optional:
--
--   * `mode`: "exact" (default), "multiset" (the same lines in any order) or "counts",
--   * `normalise`: list of {pattern, replacement}, Lua patterns, applied in order to both texts,
--   * `counts`: for mode "counts", plain text -> how often it stands in the output,
--   * `order`: list of lists of plain texts, whose first places come in the order of the list.
local M = {}

-- Differences shown of one comparison; the rest is only counted.
local SHOWN = 12

local function lines_of(text)
  local list = {}
  if text ~= "" and text:sub(-1) ~= "\n" then text = text .. "\n" end
  for line in text:gmatch("([^\n]*)\n") do list[#list + 1] = line end
  return list
end

local function normalised(text, rules)
  for _, rule in ipairs(rules or {}) do text = text:gsub(rule[1], rule[2]) end
  return text
end

local function count_plain(text, plain)
  local n, at = 0, 1
  while true do
    local first, last = text:find(plain, at, true)
    if not first then return n end
    n, at = n + 1, last + 1
  end
end

local function compare_exact(want, got, found)
  if want == got then return end
  local a, b = lines_of(want), lines_of(got)
  for i = 1, math.max(#a, #b) do
    if a[i] ~= b[i] then
      local want_line, got_line = a[i] and "|" .. a[i], b[i] and "|" .. b[i]
      found[#found + 1] = string.format("line %d: expected %s", i, want_line or "the end")
      found[#found + 1] = string.format("line %d: got      %s", i, got_line or "the end")
    end
  end
  if #found == 0 then found[1] = "the newline at the end differs" end
end

local function multiset(lines)
  local count = {}
  for _, line in ipairs(lines) do count[line] = (count[line] or 0) + 1 end
  return count
end

-- One entry for each line that `lines` has more often than `count`.
local function surplus(lines, count, label, found)
  local left = {}
  for line, n in pairs(count) do left[line] = n end
  for _, line in ipairs(lines) do
    local n = left[line] or 0
    if n > 0 then
      left[line] = n - 1
    else
      found[#found + 1] = label .. " |" .. line
    end
  end
end

local function compare_multiset(want, got, found)
  local a, b = lines_of(want), lines_of(got)
  surplus(a, multiset(b), "missing:", found)
  surplus(b, multiset(a), "unexpected:", found)
end

local function compare_counts(counts, got, found)
  local texts = {}
  for text in pairs(counts) do texts[#texts + 1] = text end
  table.sort(texts)
  for _, text in ipairs(texts) do
    local n = count_plain(got, text)
    if n ~= counts[text] then
      found[#found + 1] = string.format("|%s: %d times, expected %d", text, n, counts[text])
    end
  end
end

local function compare_order(chain, got, found)
  local last = 0
  for _, text in ipairs(chain) do
    local at = got:find(text, 1, true)
    if not at or at < last then
      found[#found + 1] = "wrong order: " .. table.concat(chain, " < ")
        .. (at and "" or " (there is no |" .. text .. ")")
      return
    end
    last = at
  end
end

local function shortened(found)
  local more = #found - SHOWN
  if more <= 0 then return found end
  local list = table.move(found, 1, SHOWN, 1, {})
  list[SHOWN + 1] = string.format("... and %d more", more)
  return list
end

function M.differences(want, got, check)
  check = check or {}
  local mode, found = check.mode or "exact", {}
  got = normalised(got, check.normalise)
  want = want and normalised(want, check.normalise)
  if mode == "counts" then
    compare_counts(check.counts or {}, got, found)
  elseif not want then
    found[1] = "there is no expected output"
  elseif mode == "exact" then
    compare_exact(want, got, found)
  elseif mode == "multiset" then
    compare_multiset(want, got, found)
  else
    found[1] = "unknown mode " .. tostring(mode)
  end
  for _, chain in ipairs(check.order or {}) do compare_order(chain, got, found) end
  return shortened(found)
end

return M
