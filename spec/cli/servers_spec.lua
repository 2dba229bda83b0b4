-- Servers under limits of the process, on the real clock.
local assert = require "luassert"
local command = require "spec.cli.command"

-- Few descriptors; the script uses up what it has left.
local PRELUDE = [[
  local lucio = require "lucio"
  local loop = lucio.get_running_loop()
  local reports = {}
  loop:set_exception_handler(function(_, context)
    reports[#reports + 1] = context.message .. ", " .. context.exception.code
    if context.server ~= server then print("another server") end
  end)
  server = lucio.start_server(function(reader, writer)
    writer:write("hello\n")
    reader:read()
  end, "127.0.0.1", 0)
  local port = server.sockets[1]:getsockname().port
  local function connect()
    return lucio.open_connection("127.0.0.1", port)
  end
  local function use_up()
    local files = {}
    while true do
      local file = io.open("/dev/null")
      if not file then return files end
      files[#files + 1] = file
    end
  end
  -- whether there was one, and no more than one a second: how long this takes is the machine's
  local began = loop:time()
  local function reported()
    return #reports >= 1 and #reports <= loop:time() - began + 1
  end
  -- waits for a condition, and not for ever
  local function wait_until(what)
    for _ = 1, 6000 do
      if what() then return end
      lucio.sleep(0.01)
    end
    error("it never came")
  end
]]

local function run(script)
  return command.run{prefix = "ulimit -n 40", script = PRELUDE .. script}
end

describe("a process without descriptors", function()
  it("SV2: reports it, keeps the socket, and goes on when a connection is closed", function()
    local r = run[[
      local reader, writer = connect()
      print(reader:readline())
      local files = use_up()
      table.remove(files):close()
      -- the client's is the last descriptor
      local other, other_writer = connect()
      wait_until(function() return #reports > 0 end)
      print(reported(), reports[1])
      -- two descriptors come back: the client's and the server's; one is taken
      writer:close()
      print(other:readline())
      other_writer:close()
      print(server:drain(60), server:is_serving(), #files > 0)
    ]]
    assert.are.same({"", 0}, {r.err, r.status})
    assert.are.equal("hello\n\ntrue\tsocket.accept() out of system resource, EMFILE\nhello\n\n" ..
      "true\tfalse\ttrue\n", r.out)
  end)

  it("SV2: goes on at once with what a connection gives back", function()
    local r = run[[
      local reader, writer = connect()
      print(reader:readline())
      local files = use_up()
      table.remove(files):close()
      local timers = lucio.stats().timers
      local other, other_writer = connect()
      wait_until(function() return #reports > 0 end)
      print(lucio.stats().timers - timers)
      writer:close()
      writer:wait_closed()
      -- it waits for no second that is over
      print(lucio.stats().timers - timers)
      print(other:readline())
      other_writer:close()
      other_writer:wait_closed()
      wait_until(function() return #lucio.all_tasks() == 1 end)
      -- once more, until the server closes
      for _, file in ipairs(files) do file:close() end
      files = use_up()
      table.remove(files):close()
      other, other_writer = connect()
      wait_until(function() return lucio.stats().timers > timers end)
      server:close()
      print(lucio.stats().timers - timers)
    ]]
    assert.are.same({"hello\n\n1\n0\nhello\n\n0\n", "", 0}, {r.out, r.err, r.status})
  end)

  it("SV2: tries again by itself when something else gives descriptors back", function()
    local r = run[[
      local files = use_up()
      table.remove(files):close()
      local reader, writer = connect()
      wait_until(function() return #reports > 0 end)
      for _, file in ipairs(files) do file:close() end
      print(reader:readline())
      writer:close()
      print(server:drain(60), reported())
    ]]
    assert.are.same({"hello\n\ntrue\ttrue\n", "", 0}, {r.out, r.err, r.status})
  end)

  it("SV2: neither spins nor floods the handler, and serves all in the end", function()
    local r = run[[
      local served, tasks = 0, {}
      local held = {}
      for i = 1, 25 do held[i] = io.open("/dev/null") end
      for i = 1, 20 do
        tasks[i] = lucio.create_task(function()
          while true do
            local ok, reader, writer = lucio.pcall(connect)
            if ok then
              -- all descriptors may be those of clients that wait to be accepted
              local answered, line = pcall(lucio.wait_for, function()
                return reader:readline()
              end, 0.1 * i)
              writer:close()
              writer:wait_closed()
              if answered and line == "hello\n" then break end
            end
            lucio.sleep(0.01)
          end
          served = served + 1
        end)
      end
      lucio.gather(tasks)
      print(served, reported())
      print(server:drain(60))
    ]]
    assert.are.same({"20\ttrue\ntrue\n", "", 0}, {r.out, r.err, r.status})
  end)
end)

describe("an exception handler that fails itself", function()
  it("is told on stderr, and the server goes on", function()
    local r = command.run{script = [[
      local lucio = require "lucio"
      lucio.get_running_loop():set_exception_handler(function() error("handler") end)
      local server = lucio.start_server(function() error("callback") end, "127.0.0.1", 0)
      for _ = 1, 3 do
        local reader, writer <close> = lucio.open_connection("127.0.0.1",
          server.sockets[1]:getsockname().port)
        print(reader:read())
      end
      print(server:is_serving())
    ]]}
    assert.are.same({"\n\n\ntrue\n", 0}, {r.out, r.status})
    assert.are.equal(3, select(2, r.err:gsub("Unhandled error in exception handler", "")))
  end)
end)
