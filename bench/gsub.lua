--- What does it cost that a replacement may wait? One operation: one match of string.gsub in a
-- text of 20 words: `gsub_own` with a Lua function by Lua's own gsub, `gsub` in a task where
-- nothing waits, `gsub_wait` where the function waits for one turn. `gsub_escape` escapes single
-- characters, with a function that formats; `gsub_char` does nothing with every single character:
-- the worst case. `tostring`, `format`, `xpcall` and `xpcall_error` are one call each, of an object
-- with a __tostring, with a handler in Lua. Lua's own functions are those from before lucio is
-- loaded; in the command they are what runs outside of tasks.
local own = {gsub = string.gsub, tostring = tostring, format = string.format, xpcall = xpcall}

local lucio = require "lucio"
local measure = dofile(arg[0]:match "^(.*)/" .. "/support/measure.lua")

local TIMES = 1000
local TEXT = ("the quick brown fox jumps "):rep(4)
local WORDS = 20

local object = setmetatable({}, {__tostring = function() return "object" end})

local function upper(word)
  return word:upper()
end

local function later(word)
  lucio.sleep(0)
  return word
end

local function escape(c)
  return ("%%%02X"):format(c:byte())
end

local function same(c)
  return c
end

local function replace(gsub, pattern, fn)
  for _ = 1, TIMES do gsub(TEXT, pattern, fn) end
end

-- name, operations in a call, call(functions)
local CALLS = {
  {"gsub", WORDS, function(functions) replace(functions.gsub, "%w+", upper) end},
  {"gsub_escape", WORDS, function(functions) replace(functions.gsub, "[^%w]", escape) end},
  {"gsub_char", #TEXT, function(functions) replace(functions.gsub, ".", same) end},
  {"tostring", 1, function(functions)
    local text = functions.tostring
    for _ = 1, TIMES do text(object) end
  end},
  {"format", 1, function(functions)
    local format = functions.format
    for _ = 1, TIMES do format("%d: %s", 12, object) end
  end},
  {"xpcall", 1, function(functions)
    local protected = functions.xpcall
    for _ = 1, TIMES do protected(same, same, 1) end
  end},
  {"xpcall_error", 1, function(functions)
    local protected, trace = functions.xpcall, function(e) return debug.traceback(e, 2) end
    for _ = 1, TIMES do protected(error, trace, "text") end
  end},
}

local function all(suffix, functions)
  for _, it in ipairs(CALLS) do
    measure.repeated(it[1] .. suffix, it[2] * TIMES, function() it[3](functions) end)
  end
end

lucio.run(function()
  local now = {gsub = string.gsub, tostring = tostring, format = string.format, xpcall = xpcall}
  local done = lucio.Future()
  lucio.get_running_loop():call_soon(function()
    all("_own", own)
    done:set_result(true)
  end)
  done:await()
  all("", now)
  measure.repeated("gsub_wait", WORDS * TIMES, function() replace(now.gsub, "%w+", later) end)
end)
