-- xpcall in tasks: message handlers that wait.
local alike = require "spec.support.alike"
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

local function closing(fn)
  return setmetatable({}, {__close = fn})
end

local XPCALLS = {xpcall = xpcall, ["lucio.xpcall"] = lucio.xpcall}

for name, xpcall in pairs(XPCALLS) do -- luacheck: ignore 431
  describe(name, function()
    case("gives the same as outside of tasks", function()
      alike(function(pause, log)
        local function handler(...)
          log("handles", ...)
          pause()
          return "handled", 2
        end
        log(xpcall(function(...) return ... end, handler, 1, nil, 3))
        log(xpcall(function() end, handler))
        log(xpcall(error, handler, "text"))
        log(xpcall(error, handler))
        log(xpcall(function() error("at a line") end, handler))
        log(xpcall(function() local _ = {} + 1 end, handler))
        log(xpcall(error, function() pause() end, "x"))
        log(xpcall(nil, handler))
        log(xpcall(setmetatable({}, {__call = function(_, a) return a end}), handler, "called"))
        log(xpcall(table.sort, handler, {3, 2, 1}, function() error("comparing", 0) end))
        log(xpcall(function()
          log("inner", xpcall(error, handler, "inner"))
          error("outer", 0)
        end, handler))
        log(xpcall(error, function(e)
          return (select(2, xpcall(error, handler, "in a handler: " .. e)))
        end, "error"))
      end)
    end)

    case("gives the same where the handler fails without a wait", function()
      alike(function(_, log)
        local n = 0
        log(xpcall(error, function(e)
          n = n + 1
          if n < 4 then error(e .. n, 0) end
          return e
        end, "x"))
        log(xpcall(error, function(e) error(e) end, "x"))
      end)
    end)

    case("is suspended by its handler, after the stack has unwound", function(t)
      local other = lucio.create_task(function()
        lucio.sleep(0.5)
        t.log "other"
      end)
      t.log(xpcall(function()
        local _ <close> = closing(function(_, e) t.log("closes", e) end)
        error("text", 0)
      end, function(e)
        t.log "handles"
        lucio.sleep(1)
        t.log "has waited"
        return e .. "!"
      end))
      other:await()
      t.same_lines {"handles", "closes text", "other", "has waited", "false text!"}
    end)

    case("<close> variables may wait while the handler does", function(t)
      t.log(xpcall(function()
        local _ <close> = closing(function()
          lucio.sleep(1)
          t.log "closed"
        end)
        error("text", 0)
      end, function(e)
        lucio.sleep(0.5)
        t.log "handled"
        return e
      end))
      t.same_lines {"handled", "closed", "false text"}
    end)

    case("the handler of an error raised in a __close says what is returned", function(t)
      t.log(xpcall(function()
        local _ <close> = closing(function() error("second", 0) end)
        error("first", 0)
      end, function(e)
        lucio.sleep(1)
        t.log("handles", e)
        return "handled " .. e
      end))
      t.same_lines {"handles first", "handles second", "false handled second"}
    end)

    case("an error after the handler's wait is the result", function()
      local ok, e = xpcall(error, function()
        lucio.sleep(1)
        error("of the handler", 0)
      end, "x")
      assert.are.same({false, "of the handler"}, {ok, e})
    end)

    case("CA2: cancellation is raised in the handler, and by xpcall", function(t)
      local task = lucio.create_task(function()
        xpcall(error, function()
          local ok, e = pcall(lucio.sleep, 10)
          t.log(ok, e.name)
          error(e, 0)
        end, "x")
        t.log "not reached"
      end)
      lucio.sleep(1)
      task:cancel()
      t.raises(lucio.CancelledError, task.await, task)
      t.same_lines {"false CancelledError"}
    end)

    case("CA2: a handler that ends in spite of a cancellation gives its result", function()
      local task = lucio.create_task(function()
        return xpcall(error, function()
          pcall(lucio.sleep, 10)
          return "done"
        end, "x")
      end)
      lucio.sleep(1)
      task:cancel()
      assert.are.same({false, "done"}, {task:await()})
    end)

    case("the handler sees the task, its context, and sets variables in it", function()
      local var = lucio.ContextVar("var")
      var:set(1)
      local task = lucio.current_task()
      local ok, e = xpcall(error, function()
        assert.are.equal(task, lucio.current_task())
        lucio.sleep(1)
        assert.are.equal(task, lucio.current_task())
        assert.are.equal(1, var:get())
        var:set(2)
        return "done"
      end, "x")
      assert.are.same({false, "done"}, {ok, e})
      assert.are.equal(2, var:get())
    end)

    case("a coroutine that is closed while the handler waits ends the handler", function(t)
      local co = coroutine.create(function()
        xpcall(error, function()
          local ok, e = pcall(lucio.sleep, 10)
          t.log(ok, e.name)
        end, "x")
      end)
      local task = lucio.create_task(function() t.log(coroutine.resume(co)) end)
      lucio.sleep(1)
      assert.is_true(coroutine.close(co))
      task:await()
      lucio.sleep(1)
      t.same_lines {"false CancelledError", "false cannot resume dead coroutine"}
    end)

    case("works in several tasks, below gsub and in generators", function()
      local function handled(text)
        return (text:gsub("%w", function(c)
          return (select(2, xpcall(error, function(e)
            lucio.sleep(1)
            return e .. e
          end, c)))
        end))
      end
      local r = lucio.gather {lucio.async(handled)("ab"), lucio.async(handled)("c"),
        coroutine.wrap(function() return handled("d") end)}
      assert.are.same({"aabb", "cc", "dd", n = 3}, r)
    end)

    case("calls with the same handler may be nested, and follow each other", function()
      local log = {}
      local function handler(e)
        lucio.sleep(0)
        log[#log + 1] = e
        return "handled " .. e
      end
      local function fail(depth)
        if depth == 0 then return "well" end
        local results = {}
        for i = 1, 2 do
          local ok, e = xpcall(fail, handler, depth - 1)
          results[i] = tostring(ok) .. " " .. e
        end
        error(table.concat(results, ", "), 0)
      end
      for _ = 1, 2 do
        log = {}
        local task = lucio.create_task(xpcall, fail, handler, 2)
        assert.are.same({false, "handled false handled true well, true well, "
          .. "false handled true well, true well"}, {xpcall(fail, handler, 2)})
        assert.is_false(task:await())
        assert.are.equal(6, #log)
        assert.are.same({true, "well"}, {xpcall(fail, handler, 0)})
        assert.are.same({true, "well"}, {xpcall(fail, function() end, 0)})
      end
    end)

    case("C functions and callable objects are handlers as in Lua", function()
      assert.matches("^x\nstack traceback:", select(2, xpcall(error, debug.traceback, "x")))
    end)

    case("the handler of a stack overflow runs in place and cannot wait", function()
      local function overflow() return 1 + overflow() end
      local waited, e
      local ok = xpcall(overflow, function() waited, e = pcall(lucio.sleep, 0) end)
      assert.is_false(ok)
      assert.is_false(waited)
      assert.is_true(lucio.isinstance(e, lucio.RuntimeError))
    end)
  end)
end

describe("xpcall", function()
  case("shows the handler the stack of the error", function()
    alike(function(_, log)
      local function fail() local _ = nil .. "x" end
      local function trace(level)
        return function(e) return debug.traceback(e, level) end
      end
      for level = 0, 4 do
        local _, text = xpcall(fail, trace(level))
        -- the line of the handler itself may say less about who called it
        text = text:gsub("in metamethod 'concat'", "in function <handler>", 1)
        log((text:gsub("in function <%S+>", "in a function", 1):gsub("\n[^\n]*'pcall'.*", "")))
      end
      log(select(2, xpcall(fail, function() return debug.getinfo(2, "f").func == fail end)))
      log(select(2, xpcall(fail, function() return debug.getinfo(2, "l").currentline end)))
      log(select(2, xpcall(error, function() return debug.getinfo(2, "n").name end, "x")))
      log(select(2, xpcall(fail, function() return debug.getinfo(1000) end)))
      log(pcall(xpcall, fail, function() return debug.getinfo(1, "?") end))
      log(debug.traceback({}) ~= nil, debug.traceback(nil, 1):match("^[^\n]*"))
    end)
  end)
end)

describe("lucio.xpcall", function()
  case("LG6: lets cancellation pass the handler", function(t)
    local e = lucio.CancelledError("why")
    t.raises(e, lucio.xpcall, error, function() t.log "handles" end, e)
    t.same_lines {}
  end)
end)
