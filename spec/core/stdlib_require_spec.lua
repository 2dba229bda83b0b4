-- require and dofile in tasks: modules whose top level waits.
local alike = require "spec.support.alike"
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

-- Runs fn with loaders in package.preload, and leaves no trace of them.
local function with_modules(loaders, fn)
  for name, loader in pairs(loaders) do package.preload[name] = loader end
  local r = table.pack(pcall(fn))
  for name in pairs(loaders) do package.preload[name], package.loaded[name] = nil, nil end
  if not r[1] then error(r[2], 0) end
  return table.unpack(r, 2, r.n)
end

describe("require", function()
  case("gives the same as outside of tasks", function()
    alike(function(pause, log)
      with_modules({
        ["m.table"] = function(...)
          log("loads", ...)
          pause()
          return {"value"}
        end,
        ["m.none"] = function() pause() end,
        ["m.false"] = function()
          pause()
          return false
        end,
        ["m.sets"] = function(name)
          pause()
          package.loaded[name] = "set"
        end,
        ["m.both"] = function(name)
          pause()
          package.loaded[name] = "set"
          return "returned"
        end,
        ["m.error"] = function()
          pause()
          error("no luck")
        end,
        ["m.nested"] = function()
          pause()
          return (require "m.none")
        end,
      }, function()
        for _, name in ipairs {"m.none", "m.false", "m.sets", "m.both", "m.error", "m.nested"} do
          log(name, pcall(require, name))
          log(name, pcall(require, name))
          log(name, package.loaded[name])
        end
        local value, where = require "m.table"
        log(value[1], where, value == require "m.table", select("#", require "m.table"))
      end)
      log(pcall(require, "there.is no.such"))
      log(pcall(require))
      log(pcall(require, {}))
      log(pcall(function() require "there.is.none" end))
      local searchers = package.searchers
      package.searchers = nil
      log(pcall(require, "there.is.none"))
      package.searchers = {}
      log(pcall(require, "there.is.none"))
      package.searchers = {function(name)
        pause()
        log("searches", name)
        return "\n\tnot here"
      end, function() end, function(name)
        pause()
        if name == "m.found" then
          return function(...)
            pause()
            log("loads", ...)
          end, "extra"
        end
        return 12
      end}
      log(pcall(require, "there.is.none"))
      log(pcall(require, "m.found"))
      package.loaded["m.found"] = nil
      package.searchers = searchers
    end)
  end)

  case("a module that is being loaded is loaded once; whoever needs it waits", function(t)
    with_modules({m = function()
      t.log "loads"
      lucio.sleep(1)
      return {}
    end}, function()
      local function load()
        local value, where = require "m"
        t.log(where)
        return value
      end
      local r = lucio.gather(load, load, load)
      assert.are.equal(r[1], r[2])
      assert.are.equal(r[1], r[3])
    end)
    t.same_lines {"loads", ":preload:", "nil", "nil"}
  end)

  case("when the load fails, the next task tries again", function(t)
    local tries = 0
    with_modules({m = function()
      lucio.sleep(1)
      tries = tries + 1
      if tries < 3 then error("failure " .. tries, 0) end
      return "loaded"
    end}, function()
      local function load() t.log(pcall(require, "m")) end
      lucio.gather(load, load, load, load)
    end)
    t.same_lines {"false failure 1", "false failure 2", "true loaded :preload:", "true loaded"}
  end)

  case("CA2: cancelling who loads raises in the module; another task loads it then", function(t)
    local loads = 0
    with_modules({m = function()
      loads = loads + 1
      local ok, e = pcall(lucio.sleep, 1)
      t.log("slept", ok, not ok and e.name or nil)
      if not ok then error(e, 0) end
      return loads
    end}, function()
      local first = lucio.create_task(require, "m")
      local second = lucio.create_task(require, "m")
      lucio.sleep(0.5)
      first:cancel()
      assert.are.equal(2, second:await())
      assert.is_true(first:cancelled())
    end)
    t.same_lines {"slept false CancelledError", "slept true nil"}
  end)

  case("CA2: cancelling who waits for a load leaves the load alone", function(t)
    with_modules({m = function()
      lucio.sleep(1)
      return "loaded"
    end}, function()
      local first = lucio.create_task(require, "m")
      local second = lucio.create_task(require, "m")
      lucio.sleep(0.5)
      second:cancel()
      t.raises(lucio.CancelledError, second.await, second)
      assert.are.equal("loaded", first:await())
    end)
  end)

  case("a load that is dropped with its coroutine makes way", function()
    with_modules({m = function()
      if coroutine.isyieldable() and not package.loaded.dropped then
        package.loaded.dropped = true
        coroutine.yield()
      end
      return "loaded"
    end}, function()
      local task = lucio.create_task(function()
        local co = coroutine.create(function() return require "m" end)
        coroutine.resume(co)
        lucio.sleep(1)
        coroutine.close(co)
        lucio.sleep(1)
      end)
      lucio.sleep(0)
      assert.are.equal("loaded", (require "m"))
      package.loaded.dropped = nil
      task:await()
    end)
  end)

  case("a circle of modules in one task ends as in Lua", function()
    with_modules({a = function() return require "b" end, b = function() return require "a" end},
      function()
        local ok, e = pcall(require, "a")
        assert.is_false(ok)
        assert.matches("stack overflow", e)
      end)
  end)

  case("a module that is in package.loaded early may be part of a circle", function()
    with_modules({
      a = function(name)
        package.loaded[name] = "early"
        lucio.sleep(0)
        return require "b"
      end,
      b = function()
        lucio.sleep(0)
        return "b sees " .. require "a"
      end,
    }, function() assert.are.equal("b sees early", (require "a")) end)
  end)

  case("tasks that load modules in a circle get an error, no deadlock", function(t)
    with_modules({
      a = function()
        lucio.sleep(0)
        return require "b"
      end,
      b = function()
        lucio.sleep(0)
        local ok, e = pcall(require, "a")
        t.log(ok, e.name, e)
        return "b"
      end,
    }, function()
      local r = lucio.gather({function() return (require "a") end,
        function() return (require "b") end})
      assert.are.same({"b", "b", n = 2}, r)
    end)
    t.same_lines {"false RuntimeError require: the task that loads module 'a' waits for this one"}
  end)

  case("a module whose top level awaits a task that needs it gets an error", function(t)
    with_modules({m = function()
      return lucio.create_task(function() return require "m" end):await()
    end}, function()
      t.raises("require: the task that loads module 'm' waits for this one", require, "m")
    end)
  end)

  case("is replaced under its own name", function()
    local info = debug.getinfo(require, "S")
    assert.are.equal("C", info.what)
    local trace
    with_modules({m = function() trace = debug.traceback() end}, function() require "m" end)
    assert.matches("%[C%]: in function 'require'", trace)
  end)
end)

describe("dofile", function()
  case("runs a file that waits at its top level", function(t)
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write("local lucio = require 'lucio'\nlucio.sleep(1)\nreturn lucio.sleep(1, 'slept'), ...")
    file:close()
    local begun = lucio.get_running_loop():time()
    local r = table.pack(pcall(dofile, path))
    os.remove(path)
    assert.are.same({true, "slept", n = 2}, r)
    assert.are.equal(2, lucio.get_running_loop():time() - begun)
    t.raises("cannot open /no/such/file: No such file or directory", dofile, "/no/such/file")
  end)
end)
