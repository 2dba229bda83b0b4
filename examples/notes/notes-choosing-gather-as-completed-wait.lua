-- One workload through gather, as_completed and wait: in which order results come, what an error
-- does, what is left when the time is up, and what happens to the tasks when the one who waits is
-- cancelled. In asyncio: gather, as_completed, wait.
local lucio = require "lucio"

local function work(name, delay, fail)
  lucio.sleep(delay)
  if fail then error(lucio.ValueError("ошибка " .. name)) end
  return name
end

local function start()
  return {
    lucio.create_task(work, "А", 3),
    lucio.create_task(work, "Б", 2, true),
    lucio.create_task(work, "В", 1),
  }
end

local function outcome(task)
  local err = task:exception()
  return err and tostring(err) or task:result()
end

-- Each way of waiting returns what it learned, as text; some take a time limit of their own.
local ways = {
  {"gather", function(tasks)
    return table.concat(lucio.gather(tasks), ", ")
  end},
  {"gather, return_exceptions", function(tasks)
    local list = {return_exceptions = true, table.unpack(tasks)}
    local texts = {}
    for i, result in ipairs(lucio.gather(list)) do texts[i] = tostring(result) end
    return table.concat(texts, ", ")
  end},
  {"as_completed", has_timeout = true, function(tasks, timeout)
    local texts = {}
    local ok, err = lucio.pcall(function()
      for task in lucio.as_completed(tasks, {timeout = timeout}) do
        table.insert(texts, outcome(task))
      end
    end)
    if not ok then table.insert(texts, err.name) end
    return table.concat(texts, ", ")
  end},
  {"wait", has_timeout = true, function(tasks, timeout)
    local done, pending = lucio.wait(tasks, {timeout = timeout})
    local texts = {}
    for _, task in ipairs(done) do table.insert(texts, outcome(task)) end
    if #pending > 0 then table.insert(texts, "не готово " .. #pending) end
    return table.concat(texts, ", ")
  end},
}

local function unfinished(tasks)
  local n = 0
  for _, task in ipairs(tasks) do
    if not task:done() then n = n + 1 end
  end
  return n
end

local function dispose(tasks)
  for _, task in ipairs(tasks) do task:cancel() end
  lucio.wait(tasks)
end

local function main()
  for _, way in ipairs(ways) do
    local name, fn = way[1], way[2]
    print(name)

    local tasks = start()
    local ok, text = lucio.pcall(fn, tasks)
    print(("  %s: %s"):format(ok and "результат" or "поднята ошибка", text))
    print("  после этого выполняются: " .. unfinished(tasks))
    dispose(tasks)

    tasks = start()
    if way.has_timeout then
      print("  срок 1.5 с: " .. fn(tasks, 1.5))
    else
      ok, text = lucio.pcall(lucio.wait_for, function() return fn(tasks) end, 1.5)
      assert(not ok)
      print("  срок 1.5 с: " .. text.name)
    end
    print("  после этого выполняются: " .. unfinished(tasks))
    dispose(tasks)

    tasks = start()
    local waiter = lucio.create_task(fn, tasks)
    lucio.sleep(0.5)
    waiter:cancel()
    lucio.wait{waiter}
    print("  после отмены ждущего выполняются: " .. unfinished(tasks))
    dispose(tasks)
  end
end

lucio.run(main)
