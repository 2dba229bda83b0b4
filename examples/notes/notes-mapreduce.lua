-- MapReduce: the text is cut into chunks at line ends, workers count the words of each, and the
-- counts are merged in pairs, in workers too. The result is that of counting in one go.
-- In Python: ProcessPoolExecutor, functools.reduce.
local lucio = require "lucio"

local function count_words(text)
  local counts = {}
  for word in text:gmatch("%a+") do counts[word] = (counts[word] or 0) + 1 end
  return counts
end

local function merge(pair)
  local counts = pair[1]
  for word, n in pairs(pair[2] or {}) do counts[word] = (counts[word] or 0) + n end
  return counts
end

local WORDS = {"loop", "task", "future", "queue", "lock", "event", "thread", "lua"}

local function make_text(lines)
  local list, seed = {}, 1
  for i = 1, lines do
    local line = {}
    for j = 1, 8 do
      seed = (seed * 1103515245 + 12345) % 2147483648
      line[j] = WORDS[seed // 65536 % #WORDS + 1]
    end
    list[i] = table.concat(line, " ")
  end
  return table.concat(list, "\n")
end

local function cut(text, size)
  local chunks, from = {}, 1
  while from <= #text do
    local to = text:find("\n", from + size, true) or #text
    chunks[#chunks + 1] = text:sub(from, to)
    from = to + 1
  end
  return chunks
end

lucio.run(function()
  local pool <close> = lucio.ProcessPoolExecutor{max_workers = 4}
  local text = make_text(10000)
  local chunks = cut(text, #text // 7)
  local counts = {}
  for i, part in pool:map(count_words, chunks) do counts[i] = part end
  print("Частей: " .. #counts)
  while #counts > 1 do
    local pairs_of = {}
    for i = 1, #counts, 2 do pairs_of[#pairs_of + 1] = {counts[i], counts[i + 1]} end
    counts = {}
    for i, part in pool:map(merge, pairs_of) do counts[i] = part end
  end

  local expected, total = count_words(text), 0
  for word, n in pairs(expected) do
    assert(counts[1][word] == n)
    total = total + n
  end
  table.sort(WORDS)
  for _, word in ipairs(WORDS) do print(word, counts[1][word]) end
  print("Слов: " .. total .. ", совпадает с подсчётом подряд")
end)
