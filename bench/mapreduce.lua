--- How long does it take to count the words of a text of 200 MB, in chunks of four, with two worker
-- processes, and to merge the counts? Elapsed time, without the making of the text. `one`: the
-- chunks are counted here, one after the other; `threads`: by two threads, which do in lucio what
-- needs processes elsewhere; `lines`: the chunks are lists of lines, 50 MB; `counter`: with
-- lucio.counter in the place of loops in Lua.
local counter = require "lucio.counter"
local lucio = require "lucio"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local MEGABYTES, CHUNK = 200, 4
local LINE = 10 -- words
local LINES_CHUNKS = 13

local function make_chunk()
  local list, seed = {}, 1
  local size = 0
  while size < CHUNK << 20 do
    seed = (seed * 1103515245 + 12345) % 2147483648
    local word = "word" .. seed // 65536 % 5000
    list[#list + 1] = word
    size = size + #word + 1
  end
  return table.concat(list, " ")
end

local function count(text)
  local counts = {}
  for word in text:gmatch "[^ ]+" do
    counts[word] = (counts[word] or 0) + 1
  end
  return counts
end

local function count_lines(lines)
  local counts = {}
  for _, line in ipairs(lines) do
    for word in line:gmatch "[^ ]+" do
      counts[word] = (counts[word] or 0) + 1
    end
  end
  return counts
end

-- The text as a list of lines.
local function cut(text)
  local lines, line = {}, {}
  for word in text:gmatch "[^ ]+" do
    line[#line + 1] = word
    if #line == LINE then
      lines[#lines + 1], line = table.concat(line, " "), {}
    end
  end
  lines[#lines + 1] = table.concat(line, " ")
  return lines
end

local function merge(total, counts)
  for word, n in pairs(counts) do
    total[word] = (total[word] or 0) + n
  end
end

lucio.run(function()
  local chunks, first = {}, make_chunk()
  for i = 1, MEGABYTES // CHUNK do
    chunks[i] = first .. " last" .. i
  end
  local loop = lucio.get_running_loop()

  local start = loop:time()
  local expected = {}
  for _, chunk in ipairs(chunks) do
    merge(expected, count(chunk))
  end
  measure.report("mapreduce_one", (loop:time() - start) * 1e9)

  start = loop:time()
  local counted = {}
  for _, chunk in ipairs(chunks) do
    counter.count(chunk, nil, counted)
  end
  measure.report("mapreduce_counter_one", (loop:time() - start) * 1e9)

  local function count_all(pool, metric, map, reduce)
    pool:submit(map, ""):await()
    start = loop:time()
    local total = {}
    for _, counts in pool:map(map, chunks) do
      reduce(total, counts)
    end
    measure.report(metric, (loop:time() - start) * 1e9)
    for word, n in pairs(expected) do
      assert(total[word] == n and counted[word] == n)
    end
  end
  do
    local threads <close> = lucio.ThreadPoolExecutor { max_workers = 2 }
    count_all(threads, "mapreduce_threads", count, merge)
    count_all(threads, "mapreduce_counter_threads", counter.count, counter.merge)
  end
  local pool <close> = lucio.ProcessPoolExecutor { max_workers = 2 }
  count_all(pool, "mapreduce", count, merge)
  count_all(pool, "mapreduce_counter", counter.count, counter.merge)

  local lists, lines = {}, cut(first)
  for i = 1, LINES_CHUNKS do
    lists[i] = lines
  end
  start = loop:time()
  local total = {}
  for _, counts in pool:map(count_lines, lists) do
    merge(total, counts)
  end
  measure.report("mapreduce_lines", (loop:time() - start) * 1e9)
end)
