-- lucio.fs: files, paths, directories. What threads do takes real time under either clock.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

local fs = lucio.fs

-- Calls fn(t, path of a new directory), which is removed afterwards.
local function fs_case(name, fn)
  return case(name, function(t)
    local dir <close> = fs.tempdir()
    fn(t, dir.path)
  end)
end

-- Asserts that fn(...) raises that OSError, about that file.
local function fails(t, class, code, filename, fn, ...)
  local e = t.raises(class, fn, ...)
  assert.is_true(lucio.isinstance(e, lucio.OSError))
  assert.are.equal(code, e.code)
  assert.are.equal(filename, e.filename)
  assert.are.equal("number", math.type(e.errno) and "number")
  assert.matches("^%[Errno " .. e.errno .. "%] .+", e.message)
  return e
end

local function mkfifo(path)
  assert(os.execute("mkfifo '" .. path .. "'"))
  return path
end

-- As root every permission is there.
local is_root = lucio.run(function() return fs.stat("/proc/self").uid == 0 end)

describe("file", function()
  fs_case("reads all, a number of bytes, lines", function(_, dir)
    local path = dir .. "/a"
    fs.write_file(path, "one\ntwo\n\nlast")
    local f <close> = fs.open(path)
    assert.are.equal("one\n", f:readline())
    assert.are.equal(4, f:tell())
    assert.are.equal("tw", f:read(2))
    assert.are.equal("", f:read(0))
    assert.are.equal("o\n", f:readline())
    assert.are.equal("\n", f:readline())
    assert.are.equal("last", f:readline())
    assert.are.equal("", f:readline())
    assert.are.equal("", f:read())
    assert.are.equal("", f:read(5))
    f:seek(0)
    assert.are.equal("one\ntwo\n\nlast", f:read())
    f:seek(3)
    assert.are.equal("\ntwo\n\nlast", f:read(1000))
    f:seek(8)
    assert.are.equal("\nlast", f:read(-1))
  end)

  fs_case("iterates over lines without newlines, or with them", function(_, dir)
    fs.write_file(dir .. "/a", "one\n\ntwo")
    local lines, kept = {}, {}
    for line in fs.open(dir .. "/a"):lines() do lines[#lines + 1] = line end
    for line in fs.open(dir .. "/a"):lines("L") do kept[#kept + 1] = line end
    assert.are.same({"one", "", "two"}, lines)
    assert.are.same({"one\n", "\n", "two"}, kept)
  end)

  fs_case("reads lines that are longer than its buffer", function(_, dir)
    local long = ("x"):rep(300000)
    fs.write_file(dir .. "/a", "a\n" .. long .. "\n" .. long)
    local f <close> = fs.open(dir .. "/a")
    assert.are.equal("a\n", f:readline())
    assert.is_true(long .. "\n" == f:readline())
    assert.are.equal(#long + 3, f:tell())
    assert.is_true(long == f:readline())
    assert.are.equal("", f:readline())
  end)

  fs_case("takes one wait for many lines and many small writes", function(t, dir)
    local f = fs.open(dir .. "/a", "w+")
    t.start_ticks()
    for i = 1, 1000 do f:write(i .. "\n") end
    assert.are.equal(0, t.tick())
    f:seek(0)
    f:readline()
    t.start_ticks()
    for i = 2, 1000 do assert.are.equal(i .. "\n", f:readline()) end
    assert.are.equal(0, t.tick())
    f:close()
  end)

  fs_case("sees the growth of a file after its end", function(_, dir)
    local path = dir .. "/a"
    fs.write_file(path, "one")
    local f <close> = fs.open(path)
    assert.are.equal("one", f:readline())
    assert.are.equal("", f:readline())
    fs.append_file(path, "two\n")
    assert.are.equal("two\n", f:readline())
  end)

  fs_case("writes, and writes over what is there", function(_, dir)
    local path = dir .. "/a"
    do
      local f <close> = fs.open(path, "w")
      assert.are.equal(3, f:write("abc"))
      assert.are.equal(2, f:write(42))
      assert.are.equal(5, f:tell())
    end
    assert.are.equal("abc42", fs.read_file(path))
    do
      local f <close> = fs.open(path, "r+")
      assert.are.equal("ab", f:read(2))
      f:write("XY")
      assert.are.equal("2", f:read())
      f:seek(-1, "end")
      f:write("!!")
      f:seek(-5, "cur")
      assert.are.equal("bXY!!", f:read())
    end
    assert.are.equal("abXY!!", fs.read_file(path))
  end)

  fs_case("appends at the end, wherever others have put it", function(_, dir)
    local path = dir .. "/a"
    fs.write_file(path, "one")
    local f <close> = fs.open(path, "a+")
    assert.are.equal(3, f:tell())
    fs.append_file(path, "two")
    f:write("three")
    assert.are.equal(11, f:tell())
    f:seek(0)
    assert.are.equal("onetwothree", f:read())
  end)

  fs_case("truncates at its position or to a size", function(_, dir)
    local f <close> = fs.open(dir .. "/a", "w+")
    f:write("0123456789")
    assert.are.equal(8, f:truncate(8))
    f:seek(0)
    assert.are.equal("0123", f:read(4))
    assert.are.equal(4, f:truncate())
    assert.are.equal("", f:read())
    f:truncate(6)
    f:seek(0)
    assert.are.equal("0123\0\0", f:read())
  end)

  fs_case("is seen by others after flush, sync and close", function(_, dir)
    local path = dir .. "/a"
    local f = fs.open(path, "w")
    f:write("a")
    assert.are.equal("", fs.read_file(path))
    f:flush()
    assert.are.equal("a", fs.read_file(path))
    f:write("b")
    f:sync()
    assert.are.equal("ab", fs.read_file(path))
    f:write("c")
    f:close()
    assert.are.equal("abc", fs.read_file(path))
  end)

  fs_case("has a name, a descriptor, a text, and ends once", function(t, dir)
    local path = dir .. "/a"
    local f = fs.open(path, "x")
    assert.are.equal(path, f.name)
    assert.are.equal("<File '" .. path .. "'>", tostring(f))
    assert.is_true(f:fileno() > 2)
    assert.is_false(f.closed)
    f:close()
    f:close()
    assert.is_true(f.closed)
    assert.are.equal("<File '" .. path .. "' closed>", tostring(f))
    for _, method in ipairs {
      "read", "readline", "flush", "sync", "tell", "truncate", "fileno",
    } do
      t.raises("I/O operation on closed file", f[method], f)
    end
    t.raises(lucio.ValueError, f.write, f, "x")
    t.raises(lucio.ValueError, f.seek, f, 0)
    fails(t, lucio.FileExistsError, "EEXIST", path, fs.open, path, "x")
  end)

  fs_case("that nobody closes is written out by the collector", function(_, dir)
    fs.open(dir .. "/a", "w"):write("data")
    collectgarbage()
    collectgarbage()
    assert.are.equal("data", fs.read_file(dir .. "/a"))
  end)

  fs_case("refuses bad arguments", function(t, dir)
    local f <close> = fs.open(dir .. "/a", "w+")
    local e = t.raises(lucio.TypeError, f.write, f, {})
    assert.are.equal("bad argument #1 to 'write' (string expected, got table)", e.message)
    t.raises(lucio.TypeError, f.read, f, "x")
    t.raises(lucio.TypeError, f.read, {})
    t.raises(lucio.ValueError, f.seek, f, 0, "middle")
    t.raises(lucio.TypeError, f.seek, f)
    t.raises(lucio.ValueError, f.lines, f, "x")
    t.raises(lucio.ValueError, f.truncate, f, -1)
    fails(t, lucio.OSError, "EINVAL", f.name, f.seek, f, -1)
    f:write("x")
    fails(t, lucio.OSError, "EINVAL", f.name, f.seek, f, math.maxinteger, "end")
    t.raises(lucio.TypeError, fs.open)
    t.raises(lucio.TypeError, fs.open, "x", 5)
    t.raises(lucio.ValueError, fs.open, "x", "q")
    t.raises(lucio.ValueError, fs.open, "x\0y")
  end)

  fs_case("only does what it was opened for", function(t, dir)
    local w <close> = fs.open(dir .. "/a", "w")
    t.raises("not readable", w.read, w)
    t.raises("not readable", w.readline, w)
    local r <close> = fs.open(dir .. "/a")
    t.raises("not writable", r.write, r, "x")
    t.raises("not writable", r.truncate, r)
  end)

  fs_case("cannot seek in a pipe", function(t, dir)
    local f <close> = fs.open(mkfifo(dir .. "/p"), "r+")
    fails(t, lucio.OSError, "ESPIPE", f.name, f.seek, f, 0)
    fails(t, lucio.OSError, "ESPIPE", f.name, f.tell, f)
    f:write("x\ny\n")
    assert.are.equal("x\n", f:readline())
    assert.are.equal("y\n", f:readline())
  end)

  fs_case("needs a task where it has to wait", function(t, dir)
    local f = fs.open(dir .. "/a", "w")
    local e
    lucio.get_running_loop():call_soon(function()
      f:write("no wait")
      e = t.raises(lucio.RuntimeError, f.flush, f)
    end)
    lucio.sleep(0.01)
    assert.matches("no running task", e.message, 1, true)
    f:close()
    assert.are.equal("no wait", fs.read_file(f.name))
  end)

  case("keeps what a full disk did not take, and fails again", function(t)
    local f = fs.open("/dev/full", "w")
    f:write("x")
    fails(t, lucio.OSError, "ENOSPC", "/dev/full", f.flush, f)
    fails(t, lucio.OSError, "ENOSPC", "/dev/full", f.sync, f)
    fails(t, lucio.OSError, "ENOSPC", "/dev/full", f.write, f, ("x"):rep(100000))
    fails(t, lucio.OSError, "ENOSPC", "/dev/full", f.close, f)
    assert.is_true(f.closed)
    f:close()
    fails(t, lucio.OSError, "ENOSPC", "/dev/full", fs.write_file, "/dev/full", "x")
    fails(t, lucio.OSError, "ENOSPC", "/dev/full", fs.append_file, "/dev/full", "x")
    fails(t, lucio.OSError, "ENOSPC", "/dev/full", fs.copy, "/proc/self/status", "/dev/full")
  end)
end)

describe("operations on one file", function()
  fs_case("run one after the other, in order", function(t, dir)
    local f <close> = fs.open(dir .. "/a", "w+")
    local big = ("b"):rep(200000)
    local tasks = {}
    for i, data in ipairs {"a", big, "c", big, "d"} do
      tasks[i] = lucio.create_task(function()
        f:write(data)
        t.log(i)
      end)
    end
    tasks[6] = lucio.create_task(function() return f:tell() end)
    tasks[7] = lucio.create_task(function()
      f:seek(0)
      return f:read()
    end)
    lucio.gather(tasks)
    assert.are.equal(400003, tasks[6]:result())
    assert.is_true("a" .. big .. "c" .. big .. "d" == tasks[7]:result())
    t.same_lines {"1", "2", "3", "4", "5"}
  end)

  fs_case("lose nothing when one that is under way is cancelled", function(_, dir)
    local f <close> = fs.open(dir .. "/a", "w+")
    local big = ("b"):rep(200000)
    local write = lucio.create_task(f.write, f, big)
    lucio.sleep(0)
    write:cancel()
    f:write("c")
    assert.is_true(write:cancelled())
    f:seek(0)
    local read = lucio.create_task(f.read, f, 100000)
    lucio.sleep(0)
    read:cancel()
    assert.are.equal(0, f:tell())
    assert.is_true(read:cancelled())
    assert.is_true(big .. "c" == f:read())
    f:seek(0)
    read = lucio.create_task(f.readline, f)
    lucio.sleep(0)
    read:cancel()
    assert.is_true(big .. "c" == f:readline())
    f:seek(0)
    read = lucio.create_task(f.read, f)
    lucio.sleep(0)
    read:cancel()
    assert.is_true(big .. "c" == f:read())
  end)

  fs_case("that wait for their turn can be cancelled, all others go on", function(_, dir)
    local f <close> = fs.open(dir .. "/a", "w+")
    local big = ("b"):rep(200000)
    local tasks = {}
    for i = 1, 9 do tasks[i] = lucio.create_task(f.write, f, i % 3 == 0 and big or tostring(i)) end
    lucio.sleep(0)
    for i = 2, 8, 3 do tasks[i]:cancel() end
    tasks[9]:cancel()
    for _, task in ipairs(tasks) do lucio.wait {task} end
    f:seek(0)
    local text = f:read()
    for _, i in ipairs {1, 2, 4, 7} do assert.matches(tostring(i), text, 1, true) end
    assert.is_nil(text:find("5", 1, true))
    assert.is_nil(text:find("8", 1, true))
    assert.are.equal(5 + 2 * #big - 1, #text)
  end)

  fs_case("end at any moment of a cancellation", function(_, dir)
    local big = ("b\n"):rep(100000)
    for ticks = 0, 6 do
      local f = fs.open(dir .. "/" .. ticks, "w+")
      for _, call in ipairs {
        function() f:write(big) end, function() f:flush() end, function() f:sync() end,
        function() f:seek(0, "end") end, function() f:truncate(#big) end,
        function() f:seek(0) for _ in f:lines() do end end, function() f:read() end,
        function() f:close() end,
      } do
        local task = lucio.create_task(call)
        for _ = 1, ticks do lucio.sleep(0) end
        task:cancel()
        lucio.wait {task}
      end
      f:close()
      assert.is_true(#fs.read_file(f.name) <= 2 * #big)
    end
  end)

  fs_case("with a close that is cancelled before its turn still close", function(_, dir)
    local f = fs.open(mkfifo(dir .. "/p"), "r+")
    local other = fs.open(dir .. "/p", "r+")
    local read = lucio.create_task(f.readline, f)
    lucio.sleep(0)
    local close = lucio.create_task(f.close, f)
    lucio.sleep(0)
    close:cancel()
    lucio.sleep(0)
    assert.is_true(close:cancelled())
    other:write("x\n")
    other:flush()
    assert.are.equal("x\n", read:await())
    while not f.closed do lucio.sleep(0.001) end
    other:close()
  end)

  fs_case("of a pipe can be waited for, and given up without a loss", function(t, dir)
    local reader <close> = fs.open(mkfifo(dir .. "/p"), "r+")
    local writer <close> = fs.open(dir .. "/p", "r+")
    t.raises(lucio.TimeoutError, lucio.wait_for, function() return reader:readline() end, 0.01)
    writer:write("late\n")
    writer:flush()
    assert.are.equal("late\n", reader:readline())
    -- nothing else is held up meanwhile
    local read = lucio.create_task(reader.readline, reader)
    assert.is_true(fs.exists(dir))
    assert.is_false(read:done())
    writer:write("x\n")
    writer:flush()
    assert.are.equal("x\n", read:await())
  end)

  fs_case("report an error that nobody waits for", function(t)
    local f = fs.open("/dev/full", "w")
    f:write("x")
    local flush = lucio.create_task(f.flush, f)
    lucio.sleep(0)
    flush:cancel()
    lucio.wait {flush}
    t.raises(lucio.OSError, f.close, f)
    assert.are.equal(1, #t.reports)
    assert.are.equal("ENOSPC", t.reports[1].exception.code)
    assert.are.equal(f, t.reports[1].file)
  end)

  it("may be under way when their loop closes", function()
    local path = os.tmpname()
    os.remove(path)
    mkfifo(path)
    local f
    lucio.run(function()
      f = fs.open(path, "r+")
      lucio.create_task(f.readline, f)
      lucio.create_task(fs.read_file, path)
      lucio.sleep(0.01)
    end)
    assert.is_true(f.closed)
    local writer = assert(io.open(path, "r+"))
    writer:write("release\n")
    writer:close()
    os.remove(path)
  end)

  it("go on in another loop", function()
    local f
    lucio.run(function()
      f = fs.tempfile()
      f:write("one\ntwo\n")
    end)
    lucio.run(function()
      f:seek(0)
      assert.are.equal("one\n", f:readline())
    end)
    lucio.run(function()
      assert.are.equal("two\n", f:readline())
      f:close()
    end)
  end)
end)

describe("whole files", function()
  fs_case("are read, written and added to", function(_, dir)
    local path = dir .. "/a"
    fs.write_file(path, "one\0two")
    assert.are.equal("one\0two", fs.read_file(path))
    fs.write_file(path, "x")
    fs.append_file(path, "y")
    assert.are.equal("xy", fs.read_file(path))
    fs.append_file(dir .. "/b", "new")
    assert.are.equal("new", fs.read_file(dir .. "/b"))
    fs.write_file(path, "")
    assert.are.equal("", fs.read_file(path))
    assert.matches("Name:", fs.read_file("/proc/self/status"), 1, true)
  end)

  fs_case("are replaced at once with atomic", function(t, dir)
    local path, link = dir .. "/a", dir .. "/link"
    fs.write_file(path, "old")
    fs.chmod(path, 384)
    fs.symlink("a", link)
    local ino = fs.stat(path).ino
    local open <close> = fs.open(path)
    fs.write_file(link, "new", {atomic = true})
    assert.are.equal("new", fs.read_file(path))
    assert.are.equal("old", open:read())
    assert.are_not.equal(ino, fs.stat(path).ino)
    assert.are.equal(384, fs.stat(path).mode & 511)
    assert.are.equal("link", fs.lstat(link).type)
    fs.write_file(dir .. "/b", "first", {atomic = true})
    assert.are.equal("first", fs.read_file(dir .. "/b"))
    fails(t, lucio.IsADirectoryError, "EISDIR", dir, fs.write_file, dir, "x", {atomic = true})
    fails(t, lucio.FileNotFoundError, "ENOENT", dir .. "/no/a", fs.write_file, dir .. "/no/a", "x",
      {atomic = true})
    assert.are.same({"a", "b", "link"}, fs.listdir(dir))
  end)

  fs_case("fail with the error of the system", function(t, dir)
    local none, file = dir .. "/none", dir .. "/file"
    fs.write_file(file, "")
    for _, call in ipairs {fs.read_file, fs.open} do
      fails(t, lucio.FileNotFoundError, "ENOENT", none, call, none)
      fails(t, lucio.IsADirectoryError, "EISDIR", dir, call, dir)
      fails(t, lucio.NotADirectoryError, "ENOTDIR", file .. "/x", call, file .. "/x")
    end
    fails(t, lucio.IsADirectoryError, "EISDIR", dir, fs.write_file, dir, "x")
    fails(t, lucio.FileNotFoundError, "ENOENT", none .. "/x", fs.append_file, none .. "/x", "x")
    local e = fails(t, lucio.FileNotFoundError, "ENOENT", "it's", fs.read_file, "it's")
    assert.are.equal([=[[Errno 2] No such file or directory: "it's"]=], tostring(e))
  end)

  fs_case("that may not be touched are PermissionErrors", function(t, dir)
    if is_root then
      fails(t, lucio.OSError, "EINVAL", "/proc/self/oom_score_adj", fs.write_file,
        "/proc/self/oom_score_adj", "nonsense")
      return
    end
    fs.write_file(dir .. "/a", "")
    fs.chmod(dir .. "/a", 0)
    fails(t, lucio.PermissionError, "EACCES", dir .. "/a", fs.read_file, dir .. "/a")
  end)

  fs_case("can be cancelled, and are written nevertheless", function(_, dir)
    local path = dir .. "/a"
    local task = lucio.create_task(fs.write_file, path, "data")
    lucio.sleep(0)
    task:cancel()
    lucio.wait {task}
    assert.is_true(task:cancelled())
    while not (fs.exists(path) and fs.stat(path).size == 4) do lucio.sleep(0.001) end
  end)

  fs_case("and every other operation can be cancelled", function(_, dir)
    fs.mkdir(dir .. "/d/e", {parents = true})
    fs.write_file(dir .. "/f", "x")
    for ticks = 0, 3 do
      for _, call in ipairs {
        function() fs.open(dir .. "/f") end, function() fs.read_file(dir .. "/f") end,
        function() fs.stat(dir) end, function() fs.exists(dir) end, function() fs.listdir(dir) end,
        function() fs.mkdir(dir .. "/n" .. ticks) end,
        function() fs.copy(dir .. "/f", dir .. "/g") end,
        function() fs.rename(dir .. "/g", dir .. "/h") end,
        function() fs.rmtree(dir .. "/d") end,
        function() fs.remove(dir .. "/h") end, function() fs.realpath(dir) end,
        function() for _ in fs.walk(dir) do end end,
        function() local _ <close> = fs.tempfile {dir = dir} end,
      } do
        local task = lucio.create_task(call)
        for _ = 1, ticks do lucio.sleep(0) end
        task:cancel()
        lucio.wait {task}
        if not task:cancelled() then task:exception() end
      end
    end
    lucio.sleep(0.02)
  end)
end)

describe("paths", function()
  fs_case("are looked at by stat, lstat and exists", function(t, dir)
    local path = dir .. "/a"
    fs.write_file(path, "12345")
    fs.symlink("a", dir .. "/l")
    fs.symlink("none", dir .. "/broken")
    local s = fs.stat(dir .. "/l")
    assert.are.equal(5, s.size)
    assert.are.equal("file", s.type)
    assert.are.equal(1, s.nlink)
    assert.are.equal("float", math.type(s.mtime))
    assert.is_true(math.abs(s.mtime - os.time()) < 1000 and s.atime > 0)
    for _, key in ipairs {"ino", "mode", "uid", "gid"} do
      assert.are.equal("integer", math.type(s[key]))
    end
    assert.are.equal("link", fs.lstat(dir .. "/l").type)
    assert.are.equal("directory", fs.stat(dir).type)
    assert.are.equal("device", fs.stat("/dev/null").type)
    assert.is_true(fs.exists(path))
    assert.is_true(fs.exists(dir))
    assert.is_false(fs.exists(dir .. "/none"))
    assert.is_false(fs.exists(path .. "/none"))
    assert.is_false(fs.exists(dir .. "/broken"))
    fails(t, lucio.FileNotFoundError, "ENOENT", dir .. "/broken", fs.stat, dir .. "/broken")
    fails(t, lucio.OSError, "ENAMETOOLONG", ("x"):rep(300), fs.exists, ("x"):rep(300))
    t.raises(lucio.TypeError, fs.stat)
    t.raises(lucio.TypeError, fs.exists, {})
  end)

  fs_case("are renamed, copied, removed", function(t, dir)
    local a, b, c = dir .. "/a", dir .. "/b", dir .. "/c"
    fs.write_file(a, "data")
    fs.chmod(a, 448)
    fs.copy(a, b)
    assert.are.equal("data", fs.read_file(b))
    assert.are.equal(448, fs.stat(b).mode & 511)
    fs.rename(a, c)
    assert.is_false(fs.exists(a))
    fs.remove(b)
    assert.are.same({"c"}, fs.listdir(dir))
    local e = fails(t, lucio.FileNotFoundError, "ENOENT", a, fs.rename, a, b)
    assert.are.equal(b, e.filename2)
    assert.are.equal(("[Errno 2] No such file or directory: '%s' -> '%s'"):format(a, b), e.message)
    fails(t, lucio.FileNotFoundError, "ENOENT", a, fs.remove, a)
    fails(t, lucio.IsADirectoryError, "EISDIR", dir, fs.remove, dir)
    fails(t, lucio.FileNotFoundError, "ENOENT", a, fs.copy, a, b)
    fails(t, lucio.FileNotFoundError, "ENOENT", a .. "/x", fs.copy, c, a .. "/x")
    fails(t, lucio.IsADirectoryError, "EISDIR", dir, fs.copy, dir, b)
    fails(t, lucio.OSError, "EINVAL", c, fs.copy, c, c)
    fails(t, lucio.FileNotFoundError, "ENOENT", a, fs.chmod, a, 0)
  end)

  fs_case("are copied by chunks", function(_, dir)
    local f = fs.open(dir .. "/a", "w")
    for i = 1, 40 do f:write(("%8d"):format(i):rep(10000)) end
    f:close()
    fs.copy(dir .. "/a", dir .. "/b")
    fs.copy("/proc/self/status", dir .. "/c")
    assert.is_true(fs.read_file(dir .. "/a") == fs.read_file(dir .. "/b"))
    assert.is_true(#fs.read_file(dir .. "/c") > 100)
  end)

  fs_case("are links, and resolved", function(t, dir)
    fs.write_file(dir .. "/a", "")
    fs.symlink("a", dir .. "/l")
    assert.are.equal("a", fs.readlink(dir .. "/l"))
    assert.are.equal(fs.realpath(dir) .. "/a", fs.realpath(dir .. "/./l"))
    fails(t, lucio.OSError, "EINVAL", dir .. "/a", fs.readlink, dir .. "/a")
    fails(t, lucio.FileNotFoundError, "ENOENT", dir .. "/x", fs.realpath, dir .. "/x")
    local e = fails(t, lucio.FileExistsError, "EEXIST", "a", fs.symlink, "a", dir .. "/l")
    assert.are.equal(dir .. "/l", e.filename2)
  end)
end)

describe("directories", function()
  fs_case("are made and removed", function(t, dir)
    fs.mkdir(dir .. "/a")
    assert.are.equal("directory", fs.stat(dir .. "/a").type)
    fails(t, lucio.FileExistsError, "EEXIST", dir .. "/a", fs.mkdir, dir .. "/a")
    fs.mkdir(dir .. "/a", {exist_ok = true})
    fails(t, lucio.FileNotFoundError, "ENOENT", dir .. "/x/y", fs.mkdir, dir .. "/x/y")
    fs.mkdir(dir .. "//x///y/z/", {parents = true, mode = 448})
    assert.are.equal(448, fs.stat(dir .. "/x/y/z").mode & 511)
    fails(t, lucio.FileExistsError, "EEXIST", dir .. "/x/y", fs.mkdir, dir .. "/x/y",
      {parents = true})
    fs.write_file(dir .. "/f", "")
    fails(t, lucio.FileExistsError, "EEXIST", dir .. "/f", fs.mkdir, dir .. "/f", {exist_ok = true})
    fails(t, lucio.NotADirectoryError, "ENOTDIR", dir .. "/f/g/h", fs.mkdir, dir .. "/f/g/h",
      {parents = true})
    fails(t, lucio.OSError, "ENOTEMPTY", dir .. "/x", fs.rmdir, dir .. "/x")
    fails(t, lucio.NotADirectoryError, "ENOTDIR", dir .. "/f", fs.rmdir, dir .. "/f")
    fs.rmdir(dir .. "/a")
    assert.are.same({"f", "x"}, fs.listdir(dir))
    t.raises(lucio.TypeError, fs.mkdir, dir, {parents = 1})
    t.raises(lucio.TypeError, fs.mkdir, dir, {nonsense = true})
    t.raises(lucio.ValueError, fs.mkdir, dir, {mode = -1})
  end)

  fs_case("are removed as trees, through no link", function(t, dir)
    fs.mkdir(dir .. "/keep")
    fs.write_file(dir .. "/keep/f", "")
    fs.mkdir(dir .. "/t/a/b/c", {parents = true})
    for _, path in ipairs {"/t/f", "/t/a/f", "/t/a/b/f", "/t/a/b/c/f"} do
      fs.write_file(dir .. path, path)
    end
    fs.symlink("../keep", dir .. "/t/link")
    fs.rmtree(dir .. "/t")
    assert.are.same({"keep"}, fs.listdir(dir))
    assert.are.same({"f"}, fs.listdir(dir .. "/keep"))
    fails(t, lucio.FileNotFoundError, "ENOENT", dir .. "/t", fs.rmtree, dir .. "/t")
    fails(t, lucio.NotADirectoryError, "ENOTDIR", dir .. "/keep/f", fs.rmtree, dir .. "/keep/f")
  end)

  fs_case("are listed, scanned and walked in order", function(t, dir)
    fs.mkdir(dir .. "/b/c", {parents = true})
    fs.mkdir(dir .. "/a")
    fs.write_file(dir .. "/z", "")
    fs.write_file(dir .. "/a/f", "")
    fs.write_file(dir .. "/b/c/g", "")
    fs.symlink("a", dir .. "/link")
    assert.are.same({"a", "b", "link", "z"}, fs.listdir(dir))
    for entry in fs.scandir(dir .. "/") do
      assert.are.equal(dir .. "/" .. entry.name, entry.path)
      t.log(entry.name, entry.type)
    end
    for path, dirs, files in fs.walk(dir) do
      t.log("." .. path:sub(#dir + 1), table.concat(dirs, ","), table.concat(files, ","))
    end
    t.same_lines {
      "a directory", "b directory", "link link", "z file",
      ". a,b,link z", "./a  f", "./b c ", "./b/c  g",
    }
    local seen = {}
    for path, dirs in fs.walk(dir) do
      seen[#seen + 1] = path:sub(#dir + 1)
      if dirs[2] == "b" then table.remove(dirs, 2) end
    end
    assert.are.same({"", "/a"}, seen)
    seen = {}
    for path in fs.walk(dir, {followlinks = true}) do seen[#seen + 1] = path:sub(#dir + 1) end
    assert.are.same({"", "/a", "/b", "/b/c", "/link"}, seen)
    fails(t, lucio.FileNotFoundError, "ENOENT", dir .. "/x", fs.listdir, dir .. "/x")
    fails(t, lucio.NotADirectoryError, "ENOTDIR", dir .. "/z", fs.scandir, dir .. "/z")
  end)

  fs_case("that vanish while they are walked are left out", function(_, dir)
    fs.mkdir(dir .. "/a")
    fs.mkdir(dir .. "/b")
    local seen, errors = {}, {}
    for path in fs.walk(dir, {onerror = function(e) errors[#errors + 1] = e.code end}) do
      seen[#seen + 1] = path:sub(#dir + 1)
      if path == dir then fs.rmdir(dir .. "/a") end
    end
    assert.are.same({"", "/b"}, seen)
    assert.are.same({"ENOENT"}, errors)
  end)
end)

describe("temporary", function()
  case("files and directories go with their block", function(t)
    local path, file
    do
      local dir <close> = fs.tempdir {prefix = "spec-"}
      path = dir.path
      assert.are.equal(path, tostring(dir))
      assert.matches("/spec%-......$", path)
      fs.mkdir(path .. "/a/b", {parents = true})
      local f <close> = fs.tempfile {dir = path}
      file = f.name
      assert.are.equal(path, file:match "^(.*)/")
      f:write("x")
      f:seek(0)
      assert.are.equal("x", f:read())
      assert.are.equal(384, fs.stat(file).mode & 511)
    end
    assert.is_false(fs.exists(file))
    assert.is_false(fs.exists(path))
    for _, make in ipairs {fs.tempdir, fs.tempfile} do
      local e = t.raises(lucio.FileNotFoundError, make, {dir = "/none"})
      assert.matches("^/none/lucio%-......$", e.filename)
    end
  end)

  case("files and directories may be removed before", function()
    local dir <close> = fs.tempdir()
    local f <close> = fs.tempfile {dir = dir.path}
    fs.remove(f.name)
    dir:remove()
  end)
end)
