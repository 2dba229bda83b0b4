-- load in tasks: a reader that may wait.
local alike = require "spec.support.alike"
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

-- A reader that gives the text in pieces of `size` bytes.
local function reader(text, size, pause, log)
  local at = 1
  return function()
    pause()
    local piece = text:sub(at, at + size - 1)
    at = at + size
    if log then log("read", #piece) end
    return piece
  end
end

local LONG = "local a, b = ... --" .. ("x"):rep(2000) .. "\nreturn a + b"

describe("load", function()
  case("gives the same as outside of tasks, and reads as often", function()
    local TEXTS = {"return 1 + 1", "", " ", "x = ", "return (", "x x" .. ("y"):rep(50),
      "return [[long]]", "return [[unfinished", "-- comment", "goto nowhere", LONG:sub(1, 60)}
    alike(function(pause, log)
      for _, text in ipairs(TEXTS) do
        for _, size in ipairs {1, 2, 3, 7, 100} do
          local f, e = load(reader(text, size, pause, log), "=chunk")
          log(text, f and "compiled" or e)
          if f then log(pcall(f)) end
        end
      end
    end)
  end)

  case("takes the other arguments as they are", function()
    alike(function(pause, log)
      local function r(text) return reader(text, 3, pause) end
      local env = {x = 5}
      log(load(r "return x", "=chunk", "t", env)())
      log(pcall(load(r "return x", "=chunk", "t", nil)))
      log(load(r "return x", nil, nil, env)())
      log(load(r "return x", "=chunk", "b"))
      log(load(r(string.dump(load "return 42")), "=chunk", "b")())
      log(load(r(string.dump(load "return 42")), "=chunk", "t"))
      log(load(r(string.dump(load "return 42"):sub(1, -20)), "=chunk"))
      log(load(r "x x"), load(r "x x", "name"), load(r "x x", "@file"))
      log(pcall(load, r "return x", {}))
      log(pcall(load, r "return x", "=chunk", {}))
      log(pcall(load))
      log(pcall(load, {}))
      log(pcall(load, nil))
      log(load("return ...", "=chunk")(7))
      log(select("#", load(r "return x")))
    end)
  end)

  case("turns the reader's errors into results", function()
    alike(function(pause, log)
      local function failing(value)
        local n = 0
        return function()
          pause()
          n = n + 1
          if n == 3 then error(value) end
          return " "
        end
      end
      log(load(failing("text")))
      local object = {}
      log(select(2, load(failing(object))) == object)
      log(load(failing(nil)))
      for _, piece in ipairs {true, {}, print} do
        log(load(function()
          pause()
          return piece
        end))
      end
      log(load(function() coroutine.yield() end) == nil)
      local numbers = {"return ", 1, 2, "+", 0.5}
      local n = 0
      log(load(function()
        pause()
        n = n + 1
        return numbers[n]
      end)())
    end)
  end)

  case("ends a reader that goes on after a syntax error", function()
    local calls = 0
    local f, e = load(function()
      calls = calls + 1
      lucio.sleep(1)
      return "x x "
    end, "=chunk")
    assert.is_nil(f)
    assert.are.equal("chunk:1: syntax error near 'x'", e)
    assert.are.equal(1, calls)
  end)

  case("loads what comes in very many pieces", function()
    local lines = {}
    for i = 1, 2000 do lines[i] = "a" .. i .. " = " .. i .. "\n" end
    local text = table.concat(lines) .. "return a2000"
    local f = assert(load(reader(text, 3, function() lucio.sleep(0) end), "=chunk", "t", {}))
    assert.are.equal(2000, f())
  end)

  case("is suspended by its reader; loads of other tasks go on", function(t)
    local function slow(name, seconds)
      return lucio.create_task(function()
        local text = {"return ", "'" .. name .. "'"}
        local f = assert(load(function()
          lucio.sleep(seconds)
          t.log(name)
          return table.remove(text, 1)
        end))
        return f()
      end)
    end
    local a, b = slow("a", 2), slow("b", 3)
    assert.are.equal("a", a:await())
    assert.are.equal("b", b:await())
    t.same_lines {"a", "b", "a", "b", "a", "b"}
  end)

  case("CA2: cancellation is raised in the reader, and leaves load", function(t)
    local task = lucio.create_task(function()
      return load(function()
        local ok, e = pcall(lucio.sleep, 10)
        t.log(ok, e.name)
        error(e, 0)
      end)
    end)
    lucio.sleep(1)
    task:cancel()
    t.raises(lucio.CancelledError, task.await, task)
    t.same_lines {"false CancelledError"}
  end)

  case("works below gsub, in a generator, and within its own reader", function()
    local function chunk(text) return reader(text, 2, function() lucio.sleep(0) end) end
    local values = coroutine.wrap(function()
      local function value(e) return load(chunk("return " .. e))() end
      coroutine.yield((("1+1 2*3"):gsub("%S+", value)))
      local inner
      local f = load(function()
        if inner then return nil end
        inner = load(chunk "return 'return 7'")
        return inner()
      end)
      coroutine.yield(f())
    end)
    assert.are.equal("2 6", values())
    assert.are.equal(7, values())
  end)
end)
