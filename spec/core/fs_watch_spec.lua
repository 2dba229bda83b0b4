-- lucio.fs.watch: what happens in directories, by inotify.
local assert = require "luassert"
local case = require "spec.support.case"
local eventually = require "spec.support.eventually"
local lucio = require "lucio"

local fs = lucio.fs

-- Calls fn(t, path of a new directory, function that describes events from a watch).
local function watch_case(name, fn)
  return case(name, function(t)
    local dir <close> = fs.tempdir()

    -- "kind path" of the next n events; of a move also where from.
    local function take(watch, n)
      local found = {}
      for i = 1, n do
        local event = lucio.wait_for(function() return watch() end, 60)
        local from = event.from and event.from:sub(#dir.path + 2) .. " -> " or ""
        found[i] = event.kind .. " " .. from .. event.path:sub(#dir.path + 2)
      end
      return found
    end

    fn(t, dir.path, take)
  end)
end

describe("watch", function()
  watch_case("tells what is created, modified, moved and deleted", function(_, dir, take)
    local watch <close> = fs.watch(dir)
    fs.write_file(dir .. "/a", "x")
    assert.are.same({"created a", "modified a"}, take(watch, 2))
    fs.rename(dir .. "/a", dir .. "/b")
    assert.are.same({"moved a -> b"}, take(watch, 1))
    fs.remove(dir .. "/b")
    assert.are.same({"deleted b"}, take(watch, 1))
    fs.mkdir(dir .. "/d")
    assert.are.same({"created d"}, take(watch, 1))
  end)

  watch_case("tells of moves in and out as of new and gone files", function(_, dir, take)
    fs.mkdir(dir .. "/in")
    fs.write_file(dir .. "/x", "")
    local watch <close> = fs.watch(dir .. "/in")
    fs.rename(dir .. "/x", dir .. "/in/x")
    assert.are.same({"created in/x"}, take(watch, 1))
    fs.rename(dir .. "/in/x", dir .. "/x")
    assert.are.same({"deleted in/x"}, take(watch, 1))
  end)

  watch_case("of a file tells until it is gone", function(_, dir, take)
    fs.write_file(dir .. "/a", "")
    local watch <close> = fs.watch(dir .. "/a")
    fs.append_file(dir .. "/a", "x")
    assert.are.same({"modified a"}, take(watch, 1))
    fs.remove(dir .. "/a")
    assert.are.same({"deleted a"}, take(watch, 1))
  end)

  watch_case("recursive follows directories that come, move and go", function(_, dir, take)
    fs.mkdir(dir .. "/d/e", {parents = true})
    local watch <close> = fs.watch(dir, {recursive = true})
    fs.write_file(dir .. "/d/e/f", "")
    assert.are.same({"created d/e/f"}, take(watch, 1))
    fs.rename(dir .. "/d", dir .. "/g")
    assert.are.same({"moved d -> g"}, take(watch, 1))
    fs.write_file(dir .. "/g/e/h", "")
    assert.are.same({"created g/e/h"}, take(watch, 1))
    fs.mkdir(dir .. "/n/m", {parents = true})
    assert.are.same({"created n", "created n/m"}, take(watch, 2))
    fs.write_file(dir .. "/n/m/o", "")
    assert.are.same({"created n/m/o"}, take(watch, 1))
    fs.rmtree(dir .. "/n")
    assert.are.same({"deleted n/m/o", "deleted n/m", "deleted n"}, take(watch, 3))
  end)

  watch_case("with debounce tells what has become of each path", function(_, dir, take)
    -- all has to be done within the time, which a machine with a lot to do may not allow
    local want, seconds = {"created new", "modified old", "deleted gone"}, 0.05
    local seen
    repeat
      for _, name in ipairs {"new", "old", "gone"} do fs.write_file(dir .. "/" .. name, "") end
      fs.remove(dir .. "/new")
      local watch <close> = fs.watch(dir, {debounce = seconds})
      for _ = 1, 5 do fs.append_file(dir .. "/new", "x") end
      for _ = 1, 5 do fs.append_file(dir .. "/old", "x") end
      fs.write_file(dir .. "/short", "x")
      fs.remove(dir .. "/short")
      fs.append_file(dir .. "/gone", "x")
      fs.remove(dir .. "/gone")
      seen, seconds = take(watch, 3), seconds * 4
    until seconds > 10 or table.concat(want, ", ") == table.concat(seen, ", ")
    assert.are.same(want, seen)
  end)

  watch_case("loses nothing when a wait is cancelled", function(t, dir, take)
    local watch <close> = fs.watch(dir)
    t.raises(lucio.TimeoutError, lucio.wait_for, function() return watch() end, 0.01)
    fs.write_file(dir .. "/a", "")
    assert.are.same({"created a"}, take(watch, 1))
  end)

  watch_case("with debounce tells of a move out that came last", function(_, dir, take)
    fs.mkdir(dir .. "/in")
    for _, name in ipairs {"x", "y"} do fs.write_file(dir .. "/in/" .. name, "") end
    local watch <close> = fs.watch(dir .. "/in", {debounce = 0.05})
    fs.append_file(dir .. "/in/y", "x")
    fs.rename(dir .. "/in/x", dir .. "/x")
    assert.are.same({"modified in/y", "deleted in/x"}, take(watch, 2))
  end)

  watch_case("recursive tells nothing of a directory that was moved out", function(_, dir, take)
    fs.mkdir(dir .. "/in/d", {parents = true})
    local watch <close> = fs.watch(dir .. "/in", {recursive = true})
    fs.rename(dir .. "/in/d", dir .. "/out")
    assert.are.same({"deleted in/d"}, take(watch, 1))
    fs.write_file(dir .. "/out/f", "")
    fs.write_file(dir .. "/in/x", "")
    assert.are.same({"created in/x"}, take(watch, 1))
  end)

  watch_case("recursive passes over a directory that was gone at once", function(_, dir, take)
    local watch <close> = fs.watch(dir, {recursive = true})
    fs.mkdir(dir .. "/d")
    fs.rmdir(dir .. "/d")
    assert.are.same({"created d", "deleted d"}, take(watch, 2))
  end)

  watch_case("recursive tells of a name that comes again", function(_, dir, take)
    local watch <close> = fs.watch(dir, {recursive = true})
    fs.mkdir(dir .. "/d")
    fs.write_file(dir .. "/d/f", "")
    -- nobody was watching d when f came
    assert.are.same({"created d", "created d/f"}, take(watch, 2))
    for _, name in ipairs {"g", "h"} do
      fs.rename(dir .. "/d/f", dir .. "/d/" .. name)
      assert.are.same({"moved d/f -> d/" .. name}, take(watch, 1))
      fs.write_file(dir .. "/d/f", "")
      assert.are.same({"created d/f"}, take(watch, 1))
    end
    fs.rename(dir .. "/d", dir .. "/e")
    assert.are.same({"moved d -> e"}, take(watch, 1))
    fs.mkdir(dir .. "/d")
    fs.write_file(dir .. "/d/f", "")
    assert.are.same({"created d", "created d/f"}, take(watch, 2))
  end)

  watch_case("tells that events were lost", function(_, dir)
    local most = tonumber(fs.read_file("/proc/sys/fs/inotify/max_queued_events"))
    local a <close> = io.open(dir .. "/a", "w")
    local b <close> = io.open(dir .. "/b", "w")
    a:setvbuf("no")
    b:setvbuf("no")
    local watch <close> = fs.watch(dir, {debounce = 0.05})
    -- two of the same in a row would be one
    for _ = 0, most // 2 do
      a:write("x")
      b:write("x")
    end
    local seen = {}
    for i = 1, 3 do
      local event = lucio.wait_for(function() return watch() end, 60)
      seen[i] = event.kind .. event.path:sub(#dir + 1) .. (event.overflow and " overflow" or "")
    end
    assert.are.same({"modified/a", "modified/b", "modified overflow"}, seen)
  end)

  watch_case("hands its events out to all that wait, in turn", function(t, dir)
    local watch <close> = fs.watch(dir)
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = lucio.create_task(function() t.log(i, watch().path:sub(#dir + 2)) end)
    end
    lucio.sleep(0)
    for _, name in ipairs {"a", "b", "c"} do fs.mkdir(dir .. "/" .. name) end
    lucio.wait_for(function() lucio.gather(tasks) end, 60)
    t.same_lines {"1 a", "2 b", "3 c"}
  end)

  watch_case("gives its descriptor back: closed, with its wait cancelled, or left", function(_, dir)
    local function watches()
      local found = 0
      for _, name in ipairs(fs.listdir("/proc/self/fd")) do
        local ok, target = lucio.pcall(fs.readlink, "/proc/self/fd/" .. name)
        if ok and target:find("inotify", 1, true) then found = found + 1 end
      end
      return found
    end
    local before = watches()
    local watch = fs.watch(dir)
    assert.are.equal(before + 1, watches())
    watch:close()
    assert.are.equal(before, watches())
    local held = fs.watch(dir)
    local task = lucio.create_task(function() return held() end)
    lucio.sleep(0)
    held:close()
    task:cancel()
    pcall(task.await, task)
    assert.are.equal(before, watches())
    assert.is_nil(held())
    fs.watch(dir)
    eventually(function()
      collectgarbage()
      return watches() == before
    end, "the collector leaves it open")
  end)

  watch_case("ends its loop when it is closed", function(t, dir)
    local watch = fs.watch(dir)
    assert.are.equal("<Watch '" .. dir .. "'>", tostring(watch))
    local task = lucio.create_task(function()
      for event in watch do t.log(event.kind) end
      t.log("end")
    end)
    lucio.sleep(0)
    watch:close()
    task:await()
    t.same_lines {"end"}
    assert.is_nil(watch())
  end)

  watch_case("fails on what is not there, and on bad arguments", function(t, dir)
    local e = t.raises(lucio.FileNotFoundError, fs.watch, dir .. "/none")
    assert.are.equal(dir .. "/none", e.filename)
    t.raises(lucio.TypeError, fs.watch)
    t.raises(lucio.TypeError, fs.watch, dir, {recursive = 1})
    t.raises(lucio.TypeError, fs.watch, dir, {debounce = "x"})
    t.raises(lucio.ValueError, fs.watch, dir, {debounce = -1})
  end)

  it("may be waited for when the loop closes", function()
    lucio.run(function()
      local dir <close> = fs.tempdir()
      local watch = fs.watch(dir.path)
      lucio.create_task(function() return watch() end)
      lucio.sleep(0)
    end)
  end)
end)
