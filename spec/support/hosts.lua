--- The interpreters that a program is checked under, from the arguments of a runner:
-- `--command PATH` (the lucio command), `--valgrind PATH` (the same under valgrind, whose findings
-- become the exit status), `--stock DIR` (lua5.4 with the module in DIR).
local M = {}

local VALGRIND = {
  "valgrind", "-q", "--error-exitcode=97", "--leak-check=full", "--errors-for-leak-kinds=definite",
}

local function absolute(path)
  if path:sub(1, 1) == "/" then return path end
  return os.getenv("PWD") .. "/" .. path
end

--- Returns the list of hosts and the list of the other arguments.
-- A host has `name`, `argv` (what stands before the script), `env`, `stock`.
function M.parse(args)
  local hosts, rest = {}, {}
  local i = 1
  while i <= #args do
    if args[i] == "--command" then
      hosts[#hosts + 1] = {name = "lucio", argv = {absolute(args[i + 1])}, env = {}}
      i = i + 2
    elseif args[i] == "--valgrind" then
      local argv = table.move(VALGRIND, 1, #VALGRIND, 1, {})
      argv[#argv + 1] = absolute(args[i + 1])
      hosts[#hosts + 1] = {name = "valgrind", argv = argv, env = {}}
      i = i + 2
    elseif args[i] == "--stock" then
      hosts[#hosts + 1] = {
        name = "lua5.4", argv = {"lua5.4"}, stock = true,
        env = {LUA_CPATH = absolute(args[i + 1]) .. "/?.so;;"},
      }
      i = i + 2
    else
      rest[#rest + 1] = args[i]
      i = i + 1
    end
  end
  if #hosts == 0 then error("one of --command PATH, --valgrind PATH, --stock DIR is needed", 0) end
  return hosts, rest
end

--- `argv` of a script under a host; `options` go before the script, `args` after it.
function M.argv(host, script, options, args)
  local argv = table.move(host.argv, 1, #host.argv, 1, {})
  for _, word in ipairs(options or {}) do argv[#argv + 1] = word end
  argv[#argv + 1] = script
  for _, word in ipairs(args or {}) do argv[#argv + 1] = word end
  return argv
end

--- The environment of a program under a host: fixed locale and clock, then `more`.
function M.env(host, clock, more)
  local env = {LC_ALL = "C.UTF-8", LUCIO_CLOCK = clock == "real" and "" or "virtual"}
  for name, value in pairs(host.env) do env[name] = value end
  for name, value in pairs(more or {}) do env[name] = value end
  return env
end

return M
