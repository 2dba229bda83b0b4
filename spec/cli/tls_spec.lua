-- A machine without OpenSSL, or with another one, when TLS is first used.
local assert = require "luassert"
local command = require "spec.cli.command"
local process = require "spec.support.process"
local tls = require "spec.support.tls"

if tls.left_out() then return end

local SCRIPT = [[
local lucio = require "lucio"
lucio.run(function()
  local server <close> = lucio.start_server(function(_, writer) writer:write("plain\n") end,
    "127.0.0.1", 0)
  local port = server.sockets[1]:getsockname().port
  for _ = 1, 2 do
    local ok, e = pcall(lucio.open_connection, "127.0.0.1", port, {ssl = true})
    print(ok, e.name, e)
  end
  local reader, writer <close> = lucio.open_connection("127.0.0.1", port)
  print(reader:readline())
end)
]]

-- Runs the script where libssl.so.3 is what that shell command makes of the file's name.
local function run_with(make)
  local directory = process.lines("mktemp -d /tmp/lucio-tls-XXXXXX")[1]
  assert(os.execute(make:format(directory .. "/libssl.so.3")))
  local r = command.run {script = SCRIPT, env = {LD_LIBRARY_PATH = directory}}
  os.execute("rm -r " .. directory)
  assert.are.same({"", 0}, {r.err, r.status})
  return r.out
end

describe("TLS on a machine", function()
  it("whose libssl cannot be loaded is a RuntimeError each time; all else works", function()
    local out = run_with(": >%s")
    local line = "false\tRuntimeError\tTLS needs OpenSSL 3: [^\n]*libssl%.so%.3[^\n]*\n"
    assert.matches("^" .. line .. line .. "plain\n\n$", out)
  end)

  it("with another library under that name is a RuntimeError that says what is missing", function()
    local libev = ("$(ldd %s | sed -n 's/.*libev.* => \\([^ ]*\\) .*/\\1/p')"):format(command.path)
    local out = run_with("cp " .. libev .. " %s")
    assert.matches("false\tRuntimeError\tTLS needs OpenSSL 3: libssl%.so%.3 lacks %w+", out)
  end)
end)
