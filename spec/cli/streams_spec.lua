-- Streams over descriptors that the command was started with. [IO2]
local command = require "spec.cli.command"

local function run(argv)
  local r = command.run(argv)
  assert.are.equal("", r.err)
  return r
end

describe("connect_stdin", function()
  it("reads a pipe, also after collections, while tasks go on", function()
    local r = run{
      input = "echo one; sleep 0.2; echo two; printf rest",
      script = [[
        local lucio = require "lucio"
        local ticks = 0
        local ticker = lucio.create_task(function()
          while true do
            lucio.sleep(0.01)
            ticks = ticks + 1
          end
        end)
        local reader = lucio.connect_stdin()
        for line in reader:lines() do
          print(line)
          collectgarbage()
        end
        print(ticks > 3, reader:at_eof())
        ticker:cancel()
      ]]}
    assert.are.equal("one\ntwo\nrest\ntrue\ttrue\n", r.out)
  end)

  it("leaves what other processes share as it was", function()
    local r = run{
      input = "echo x",
      script = [[
        local lucio = require "lucio"
        local reader <close> = lucio.connect_stdin()
        assert(reader:readline() == "x\n")
        -- the flags of descriptor 0, whose last digits but three say O_NONBLOCK (04000)
        for line in io.lines("/proc/self/fdinfo/0") do
          local flags = line:match("^flags:%s*(%d+)")
          if flags then print(tonumber(flags, 8) & 2048) end
        end
      ]]}
    assert.are.equal("0\n", r.out)
  end)

  it("reads a regular file from where it stands", function()
    local text = ("line\n"):rep(100000)
    local r = run{stdin = "first" .. text, script = [[
      io.stdin:setvbuf("no")
      io.read(5)
      local reader = require("lucio").connect_stdin()
      local count = 0
      for line in reader:lines() do
        assert(line == "line")
        count = count + 1
      end
      print(count)
    ]]}
    assert.are.equal("100000\n", r.out)
  end)
end)

describe("connect_write_pipe", function()
  -- Writes to standard output until the connection is lost; says on stderr how it ended.
  local script = [[
    local lucio = require "lucio"
    local over, written = lucio.Future(), 0
    local transport = lucio.get_running_loop():connect_write_pipe(function()
      return {connection_lost = function(_, e) over:set_result(e and e.name or "clean") end}
    end, 1)
    while not over:done() do
      transport:write(("line\n"):rep(tonumber(arg[1])))
      lucio.sleep(0.002)
    end
    io.stderr:write(over:result())
  ]]

  it("IO2: a reader that goes away is an error or an end, and no signal", function()
    for _, size in ipairs {"1", "100000"} do
      local r = command.run{script = script, "SCRIPT", size, output = "head -1"}
      assert.are.equal(0, r.status)
      assert.are.equal("line\n", r.out)
      assert.is_true(r.err == "BrokenPipeError" or size == "1" and r.err == "clean", r.err)
    end
  end)
end)
