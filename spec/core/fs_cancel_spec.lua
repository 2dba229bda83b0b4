-- Cancellation at each moment of each call of lucio.fs: nothing is left, nothing is half done.
local assert = require "luassert"
local case = require "spec.support.case"
local child = require "spec.support.child"
local eventually = require "spec.support.eventually"
local lucio = require "lucio"
local sweep = require "spec.support.sweep"

local fs = lucio.fs

-- Calls fn(path of a new directory).
local function dir_case(name, fn)
  return case(name, function()
    local dir <close> = fs.tempdir()
    fn(dir.path)
  end)
end

local function fill(dir)
  fs.mkdir(dir .. "/a/b", {parents = true, exist_ok = true})
  fs.write_file(dir .. "/a/one", "1")
  fs.write_file(dir .. "/a/b/two", "2")
end

local runs = 0

-- Sweeps over change(path), each time with a path of its own, prepared by prepare(path). In the end
-- the change was made, or not begun: `state` tells which, and raises for all else.
local function either(dir, prepare, change, state)
  local paths = {}
  runs = runs + 1
  local run = runs
  sweep.slowly(function()
    local path = ("%s/%d-%d"):format(dir, run, #paths)
    paths[#paths + 1] = path
    if prepare then lucio.shield(lucio.create_task(prepare, path)):await() end
    change(path)
  end)
  eventually(function()
    for _, path in ipairs(paths) do
      if not pcall(state, path) then return false end
    end
    return true
  end, "a change is half done")
  assert.is_true(state(paths[#paths]))
end

describe("fs, cancelled at any moment,", function()
  dir_case("looks at paths and directories and leaves nothing open", function(dir)
    fill(dir)
    fs.symlink("one", dir .. "/a/link")
    sweep.slowly(function()
      assert.are.equal("link", fs.lstat(dir .. "/a/link").type)
      assert.is_true(fs.exists(dir .. "/a/link"))
      assert.are.equal("one", fs.readlink(dir .. "/a/link"))
      assert.are.equal("one", fs.realpath(dir .. "/a/link"):match "[^/]*$")
    end)
    sweep.slowly(function()
      for entry in fs.scandir(dir .. "/a") do assert.is_string(entry.type) end
      local seen = {}
      for path, directories, files in fs.walk(dir .. "/a") do
        seen[#seen + 1] = ("%s %d %d"):format(path:sub(#dir + 1), #directories, #files)
      end
      assert.are.same({"/a 1 2", "/a/b 0 1"}, seen)
    end)
  end)

  dir_case("walks on where it was", function(dir)
    fill(dir)
    for k = 0, 12 do
      local seen, walk = {}, fs.walk(dir)
      local function step() return (walk()) end
      while true do
        local task = lucio.create_task(step)
        for _ = 1, k do lucio.sleep(0) end
        k = k + 1
        task:cancel()
        local ok, path = pcall(task.await, task)
        if ok and not path then break end
        if ok then seen[#seen + 1] = path:sub(#dir + 1) end
      end
      assert.are.same({"", "/a", "/a/b"}, seen)
    end
  end)

  dir_case("changes directories and names wholly or not at all", function(dir)
    local function is_there(path) return fs.exists(path) end
    local function is_gone(path) return not fs.exists(path) end
    either(dir, nil, function(path) fs.mkdir(path .. "/x/y", {parents = true}) end,
      function(path)
        assert.are.equal(fs.exists(path), fs.exists(path .. "/x/y"))
        return fs.exists(path)
      end)
    either(dir, nil, fs.mkdir, is_there)
    either(dir, fs.mkdir, fs.rmdir, is_gone)
    either(dir, function(path) fs.write_file(path, "x") end, fs.remove, is_gone)
    either(dir, nil, function(path) fs.symlink("x", path) end, function(path)
      return pcall(fs.readlink, path)
    end)
    either(dir, function(path) fill(path .. "-tree") end,
      function(path) fs.rmtree(path .. "-tree") end,
      function(path)
        assert.are.equal(fs.exists(path .. "-tree"), fs.exists(path .. "-tree/a/b/two"))
        return not fs.exists(path .. "-tree")
      end)
    either(dir, function(path) fs.write_file(path .. ".old", "x") end,
      function(path) fs.rename(path .. ".old", path .. ".new") end,
      function(path)
        assert.are_not.equal(fs.exists(path .. ".old"), fs.exists(path .. ".new"))
        return fs.exists(path .. ".new")
      end)
  end)

  dir_case("copies and writes to the end once it has begun", function(dir)
    local text = ("0123456789"):rep(30000)
    fs.write_file(dir .. "/source", text)
    local function is_whole(name)
      return function(path)
        path = path .. name
        if not fs.exists(path) then return false end
        assert.are.equal(text, fs.read_file(path))
        return true
      end
    end
    either(dir, nil, function(path) fs.copy(dir .. "/source", path .. "c") end, is_whole "c")
    either(dir, nil, function(path) fs.write_file(path .. "w", text) end, is_whole "w")
    either(dir, nil, function(path) fs.append_file(path .. "a", text) end, is_whole "a")
    sweep.slowly(function() assert.are.equal(#text, #fs.read_file(dir .. "/source")) end)
  end)

  dir_case("replaces a file atomically or not at all, and leaves no other", function(dir)
    local path = dir .. "/file"
    fs.write_file(path, "old")
    local new = ("new"):rep(100000)
    sweep.slowly(function()
      fs.write_file(path, new, {atomic = true})
      local now = fs.read_file(path)
      if now ~= new then assert.are.equal("old", now) end
    end)
    eventually(function() return #fs.listdir(dir) == 1 end, "a temporary file is left")
    assert.are.equal(new, fs.read_file(path))
  end)

  dir_case("opens a file and closes it at once", function(dir)
    fs.write_file(dir .. "/file", "text")
    for _, mode in ipairs {"r", "a+", "w"} do
      sweep.slowly(function(first)
        local file = fs.open(dir .. "/file", mode)
        if first then file:close() end
        return file
      end, function(file) file:close() end)
    end
  end)

  dir_case("removes the temporary file or directory that it made", function(dir)
    sweep.slowly(function(first)
      local file = fs.tempfile{dir = dir}
      if first then file:close() end
      return file
    end, function(file) file:close() end)
    eventually(function() return #fs.listdir(dir) == 0 end, "a temporary file is left")
    sweep.slowly(function(first)
      local made = fs.tempdir{dir = dir}
      if first then made:remove() end
      return made
    end, function(made) made:remove() end)
    eventually(function() return #fs.listdir(dir) == 0 end, "a temporary directory is left")
    -- and in a block, whatever is under way in it
    sweep.slowly(function()
      local made <close> = fs.tempdir{dir = dir}
      local file <close> = fs.tempfile{dir = made.path}
      file:write("x")
      file:flush()
    end)
    eventually(function() return #fs.listdir(dir) == 0 end, "a temporary directory is left")
  end)

  dir_case("leaves an open file whole: what was read, its position, its end", function(dir)
    local path, text = dir .. "/file", ("line\n"):rep(4000)
    fs.write_file(path, text)
    for name, take in pairs {
      read = function(file) return file:read(701) end,
      readline = function(file) return file:readline() end,
    } do
      local file <close> = fs.open(path)
      local pieces, k = {}, 0
      while true do
        local task = lucio.create_task(take, file)
        k = (k + 1) % 5
        for _ = 1, k do lucio.sleep(0) end
        task:cancel()
        local ok, piece = pcall(task.await, task)
        if ok and piece == "" then break end
        if ok then pieces[#pieces + 1] = piece end
      end
      assert.are.equal(text, table.concat(pieces), name)
    end
  end)

  dir_case("seeks to where it was told, or stays", function(dir)
    fs.write_file(dir .. "/file", ("x"):rep(200000))
    sweep.slowly(function()
      local file <close> = fs.open(dir .. "/file", "r+")
      file:read(10)
      local ok, e = pcall(file.seek, file, -5, "end")
      assert.are.equal(ok and 199995 or 10, file:tell())
      if not ok then error(e, 0) end
      file:write("y")
      local position = file:seek(1)
      assert.are.equal(1, position)
    end)
  end)

  dir_case("writes, flushes, cuts and closes in order", function(dir)
    local n = 0
    sweep.slowly(function()
      n = n + 1
      local file <close> = fs.open(("%s/%d"):format(dir, n), "w+")
      file:write(("x"):rep(100000))
      file:flush()
      assert.are.equal(100000, file:seek(0, "end"))
      file:truncate(50000)
      file:close()
      assert.is_true(file.closed)
    end)
    for i = 1, n do
      eventually(function()
        local name = ("%s/%d"):format(dir, i)
        local size = not fs.exists(name) and 0 or fs.stat(name).size
        return size == 0 or size == 50000 or size == 100000
      end, "a file is neither empty, nor whole, nor cut")
    end
  end)
end)

describe("fs.watch, cancelled at any moment,", function()
  dir_case("closes what it began with", function(dir)
    fill(dir)
    for _, recursive in ipairs {false, true} do
      sweep.slowly(function(first)
        local watch = fs.watch(dir, {recursive = recursive})
        if first then watch:close() end
        return watch
      end, function(watch) watch:close() end)
    end
  end)

  for _, options in ipairs {{}, {recursive = true}, {debounce = 0.001}} do
    local name = next(options) or "neither recursive nor debounce"
    dir_case("loses no event: " .. name, function(dir)
      local watch <close> = fs.watch(dir, options)
      local sender = lucio.create_task(function()
        for i = 1, 60 do
          fs.mkdir(("%s/%d"):format(dir, i))
          if i % 7 == 0 then lucio.sleep(0.002) end
        end
        fs.mkdir(dir .. "/last")
      end)
      local seen, k = {}, 0
      repeat
        local task = lucio.create_task(function() return watch() end)
        k = (k + 1) % 9
        for _ = 1, k do lucio.sleep(0) end
        if k == 0 then lucio.sleep(0.003) end
        task:cancel()
        local ok, event = pcall(task.await, task)
        if ok then seen[event.path:sub(#dir + 2)] = event.kind end
      until seen.last
      for i = 1, 60 do assert.are.equal("created", seen[tostring(i)], i) end
      sender:await()
    end)
  end

  dir_case("wakes who waits when it is closed", function(dir)
    sweep.run(function()
      local watch <close> = fs.watch(dir)
      local waiting = lucio.create_task(function() return watch() end)
      lucio.sleep(0)
      watch:close()
      assert.is_nil(waiting:await())
    end)
  end)
end)

describe("the end of a run", function()
  dir_case("waits for what a thread has begun to change", function(dir)
    local r = child.run(([[
      local lucio = require "lucio"
      lucio.run(function()
        local text = ("x"):rep(16 << 20)
        for _, atomic in ipairs {false, true} do
          lucio.create_task(lucio.fs.write_file, DIR .. "/" .. tostring(atomic), text,
            {atomic = atomic})
        end
        lucio.create_task(function()
          local file <close> = lucio.fs.open(DIR .. "/file", "w")
          file:write(text)
          file:write "the end"
        end)
        for _, make in ipairs {lucio.fs.tempdir, lucio.fs.tempfile} do
          lucio.create_task(function()
            local made <close> = make {dir = DIR}
            lucio.sleep(3600)
          end)
        end
        lucio.sleep(0)
        lucio.sleep(0)
      end)
      os.exit(3)
    ]]):gsub("DIR", ("%q"):format(dir)), {clock = "real"})
    assert.are.same({3, ""}, {r.status, r.stderr})
    local sizes, whole = {}, 16 << 20
    for _, name in ipairs(fs.listdir(dir)) do sizes[name] = fs.stat(dir .. "/" .. name).size end
    -- opened by a thread or not, and written to or not before the task was cancelled
    assert.is_truthy(({[0] = true, [whole] = true, [whole + 7] = true})[sizes.file or 0])
    sizes.file = nil
    assert.are.same({["false"] = whole, ["true"] = whole}, sizes)
  end)

  dir_case("does not wait for a read in which nothing comes", function(dir)
    local r = child.run(([[
      local lucio = require "lucio"
      os.execute("mkfifo " .. DIR .. "/fifo")
      lucio.run(function()
        lucio.create_task(lucio.fs.read_file, DIR .. "/fifo")
        lucio.create_task(lucio.fs.open, DIR .. "/fifo", "w")
        lucio.sleep(0)
      end)
      print "the end"
    ]]):gsub("DIR", ("%q"):format(dir)), {clock = "real"})
    assert.are.same({0, "the end\n"}, {r.status, r.stdout})
  end)
end)
