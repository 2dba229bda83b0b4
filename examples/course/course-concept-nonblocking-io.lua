-- Non-blocking input and output at its lowest level. A descriptor that has nothing says so at
-- once (EAGAIN) instead of waiting; the loop says when it is worth asking again. Everything that
-- waits in lucio rests on these two: first try, then be told.
-- In asyncio: loop.add_reader, socket.setblocking(False), BlockingIOError.
local lucio = require "lucio"

-- What a stream has received so far, without waiting for more: an attempt that does not find
-- anything is over in the same step of the task.
local function try_line(reader)
  local attempt = lucio.create_task {reader.readline, reader, eager_start = true}
  if attempt:done() then return attempt:result() end
  attempt:cancel() -- loses nothing
  lucio.wait {attempt}
  return nil, "would wait"
end

local function main()
  local loop = lucio.get_running_loop()
  local other
  local server <close> = lucio.start_server(function(reader, writer)
    other = writer
    reader:read()
  end, "127.0.0.1", 0)
  local reader, writer <close> = lucio.open_connection("127.0.0.1",
    server.sockets[1]:getsockname().port)
  while not other do lucio.sleep(0) end

  print("1:", try_line(reader)) -- nothing there: no wait, an answer

  local fd = other:get_extra_info("socket"):fileno()
  local writable = lucio.Event()
  loop:add_writer(fd, writable.set, writable)
  writable:wait()
  loop:remove_writer(fd)
  print("2:", "the kernel would take bytes")

  other:write("first\nsec")
  lucio.sleep(0.01)
  print("3:", (try_line(reader):gsub("\n", "")))
  print("4:", try_line(reader)) -- half of a line is no line

  other:write("ond\n")
  print("5:", (reader:readline():gsub("\n", ""))) -- the other way: wait to be told

  -- A writer meets EAGAIN when nobody reads: the kernel takes what it has room for, the stream
  -- keeps the rest, and only who asks for it (drain) waits.
  local data = ("x"):rep(16 << 20)
  other:write(data)
  print("6:", "kept", other:get_write_buffer_size() > 0)
  local drained = lucio.create_task(other.drain, other)
  print("7:", #reader:readexactly(#data) == #data, "read")
  drained:await()
  print("8:", "drained")
  writer:write_eof()
end

lucio.run(main)
