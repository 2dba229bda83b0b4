--- Runs the trace programs: each must print its trace byte for byte and exit with status 0.
--
--     lua5.4 spec/support/check_traces.lua [--command PATH] [--stock DIR] [FILE...]
--
-- A line of a trace is `TIME TASK EVENT VALUES`; CPython's asyncio printed the same for the same
-- program. The programs require "prelude", so they run in their own directory.
package.path = "./?.lua;" .. package.path

local compare = require "spec.support.compare"
local hosts = require "spec.support.hosts"
local process = require "spec.support.process"
local tap = require "spec.support.tap"

local function check_trace(file, host)
  local dir, name = file:match("^(.*)/([^/]+)$")
  local result = process.run(hosts.argv(host, name), {
    env = hosts.env(host, "virtual"),
    cwd = dir,
  })
  local want = process.read_file((file:gsub("%.lua$", ".trace")))
  local found = compare.differences(want, result.stdout)
  if result.status ~= 0 then
    found[#found + 1] = string.format("exit status %d", result.status)
  end
  if #found > 0 and result.stderr ~= "" then
    found[#found + 1] = "its stderr was:\n" .. result.stderr
  end
  return found
end

local function main(args)
  local list, files = hosts.parse(args)
  if #files == 0 then files = process.lines("ls spec/traces/[0-9]*.lua") end
  local writer = tap.new()
  for _, file in ipairs(files) do
    for _, host in ipairs(list) do
      writer.result(string.format("%s (%s)", file, host.name), check_trace(file, host))
    end
  end
  writer.finish()
end

main(arg)
