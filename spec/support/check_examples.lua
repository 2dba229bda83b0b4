--- Runs the examples and compares what they print with what stands beside them.
--
--     lua5.4 spec/support/check_examples.lua [--command PATH] [--stock DIR] [FILE...]
--
-- Without files: all of examples/ but the project with specs of its own, from the repository's
-- root. Beside `x.lua` stand
--
--   * `x.out`: its stdout,
--   * `x.err`: its stderr; without this file nothing may be printed there,
--   * `x.in`: given on stdin; `x.args`: its arguments, one a line,
--   * `x.check`: a Lua table. `mode`, `normalise`, `counts` and `order` as in compare.lua; `err`,
--     a table with the same fields for stderr, or "ignore"; `status`, the exit status; `clock`,
--     "real" or "virtual"; `env`; `options` of the lucio command; `stock = false` where the
--     script is not for stock lua5.4; `timeout` in seconds; `needs`, a module below lucio that may
--     not be in this build: the example is left out there, and the test's name says so.
package.path = "./?.lua;" .. package.path

local compare = require "spec.support.compare"
local hosts = require "spec.support.hosts"
local process = require "spec.support.process"
local tap = require "spec.support.tap"

local FIELDS = {
  mode = "string", normalise = "table", counts = "table", order = "table", err = true,
  status = "number", clock = "string", env = "table", options = "table", stock = "boolean",
  timeout = "number", needs = "string",
}

local function load_check(path)
  local text = process.read_file(path)
  if not text then return {} end
  local chunk, message = load(text, "@" .. path, "t", {})
  if not chunk then return nil, message end
  local ok, check = pcall(chunk)
  if not ok or type(check) ~= "table" then return nil, path .. " does not return a table" end
  for key, value in pairs(check) do
    local kind = FIELDS[key]
    if not kind or (kind ~= true and type(value) ~= kind) then
      return nil, string.format("%s: bad field %s", path, tostring(key))
    end
  end
  return check
end

local function read_list(path)
  local list = {}
  for line in (process.read_file(path) or ""):gmatch("[^\n]+") do list[#list + 1] = line end
  return list
end

local function check_stderr(want, got, check, found)
  if check.err == "ignore" then return end
  local rules = check.err or {}
  rules.normalise = rules.normalise or check.normalise
  for _, text in ipairs(compare.differences(want or "", got, rules)) do
    found[#found + 1] = "stderr: " .. text
  end
end

-- The problems of one example under one host.
local function check_example(base, check, host)
  local stdin = base .. ".in"
  local result = process.run(
    hosts.argv(host, base .. ".lua", check.options, read_list(base .. ".args")), {
      env = hosts.env(host, check.clock, check.env),
      stdin = process.read_file(stdin) and stdin,
      timeout = check.timeout,
    })
  local want = process.read_file(base .. ".out")
  local found = compare.differences(want, result.stdout, check)
  check_stderr(process.read_file(base .. ".err"), result.stderr, check, found)
  local status = check.status or 0
  if result.timed_out then
    found[#found + 1] = "it was still running at the end of its time"
  elseif result.status ~= status then
    found[#found + 1] = string.format("exit status %d, expected %d", result.status, status)
  end
  if #found > 0 and result.stderr ~= "" then
    found[#found + 1] = "its stderr was:\n" .. result.stderr
  end
  return found
end

-- Whether the module is in this build. Any other error of it is the example's.
local function lacks(host, module)
  local script = os.tmpname()
  local file <close> = assert(io.open(script, "w"))
  file:write(("require 'lucio.%s'\n"):format(module))
  file:close()
  local result = process.run(hosts.argv(host, script, nil, {}), {env = hosts.env(host)})
  os.remove(script)
  return result.status ~= 0 and result.stderr:find("built without", 1, true) ~= nil
end

local function all_examples()
  return process.lines("find examples -name '*.lua' -not -path '*/lib/*' " ..
    "-not -path 'examples/busted/*' | LC_ALL=C sort")
end

local function main(args)
  local list, files = hosts.parse(args)
  if #files == 0 then files = all_examples() end
  local writer = tap.new()
  for _, file in ipairs(files) do
    local base = file:gsub("%.lua$", "")
    local check, message = load_check(base .. ".check")
    for _, host in ipairs(list) do
      if not check then
        writer.result(file, message)
      elseif check.needs and lacks(host, check.needs) then
        writer.result(string.format("left out: %s (%s), which needs lucio.%s, not in this build",
          file, host.name, check.needs))
      elseif not (host.stock and (check.stock == false or check.options)) then
        writer.result(string.format("%s (%s)", file, host.name), check_example(base, check, host))
      end
    end
  end
  writer.finish()
end

main(arg)
