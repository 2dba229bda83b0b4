local lines = require "lines"
local lucio = require "lucio"
local testing = require "lucio.testing"

describe("lines.serve", function()
  local client, task

  -- A server at the other end of a connection without a network.
  before_each(function()
    testing.virtual_clock()
    local server
    client, server = testing.stream_pair()
    task = lucio.create_task {lines.serve, server.reader, server.writer, string.upper, 60,
      name = "server"}
  end)

  after_each(function()
    client:close()
    task:await()
  end)

  it("answers each line", function()
    client.writer:write("one\ntwo\n")
    assert.are.equal("ONE\n", client.reader:readline())
    assert.are.equal("TWO\n", client.reader:readline())
  end)

  it("ends when the peer does", function()
    client.writer:write_eof()
    assert.are.equal("", client.reader:read())
    testing.wait_all_blocked()
    assert.is_true(task:done())
  end)

  it("waits for the rest of a line", function()
    client.writer:write("on")
    testing.wait_all_blocked()
    client.writer:write("e\n")
    assert.are.equal("ONE\n", client.reader:readline())
  end)

  it("gives up after a minute", function()
    local loop = lucio.get_running_loop()
    local start = loop:time()
    assert.are.equal("too slow\n", client.reader:read())
    assert.are.equal(60, loop:time() - start)
  end)
end)

describe("lines.serve on a real server", function()
  it("answers over the network", function()
    local server <close> = lucio.start_server(function(reader, writer)
      lines.serve(reader, writer, string.reverse, 5)
    end, "127.0.0.1", 0)
    finally(function() server:wait_closed() end)
    local reader, writer = lucio.open_connection("127.0.0.1",
      server.sockets[1]:getsockname().port)
    writer:write("abc\n")
    assert.are.equal("cba\n", reader:readline())
    writer:close()
    writer:wait_closed()
  end)
end)
