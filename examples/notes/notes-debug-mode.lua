-- The ways into debug mode: Runner{debug = true}, loop:set_debug(true), LUCIO_DEBUG=1 in the
-- environment (misspelt, it has no effect), and the command's option --debug. Debug mode reports on
-- stderr a step that holds the loop for more than 100 ms and a coroutine that nobody awaited.
-- In asyncio: run(debug=True), loop.set_debug, PYTHONASYNCIODEBUG, -X dev.
local lucio = require "lucio"

local function debugging()
  return tostring(lucio.get_running_loop():get_debug())
end

local function slow()
  local deadline = os.clock() + 0.2
  repeat until os.clock() >= deadline
end

local nothing = lucio.async(function() end)

local function main()
  print("Runner{debug = true}: " .. debugging())
  lucio.create_task{slow, name = "slow"}:await()
  nothing() -- a coroutine made and dropped
  collectgarbage()
  lucio.sleep(0)
end

do
  local runner <close> = lucio.Runner{debug = true}
  runner:run(main)
end

-- The environment is read when a process starts: these programs are processes of their own.
local interpreter = 0
while arg[interpreter - 1] do interpreter = interpreter - 1 end
interpreter = arg[interpreter]

local function child(environment, options)
  local program = [[local lucio = require "lucio"
    lucio.run(function() print(lucio.get_running_loop():get_debug()) end)]]
  local pipe <close> = assert(io.popen(("env -u LUCIO_DEBUG %s '%s' %s -e '%s'"):format(
    environment, interpreter, options or "", program)))
  return pipe:read("l")
end

print("program.lua: " .. child(""))
lucio.run(function()
  lucio.get_running_loop():set_debug(true)
  print("loop:set_debug(true): " .. debugging())
end)
print("LUCIO_DEBGU=1 program.lua: " .. child("LUCIO_DEBGU=1"))
print("LUCIO_DEBUG=1 program.lua: " .. child("LUCIO_DEBUG=1"))
if interpreter:find("lucio$") then -- stock Lua has no such option
  assert(child("", "--debug") == "true")
end
