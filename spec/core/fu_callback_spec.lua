-- FU7 to FU14: done callbacks and awaiters of a future.
local case = require "spec.support.case"
local lucio = require "lucio"

local function soon(fn, ...)
  return lucio.get_running_loop():call_soon(fn, ...)
end

describe("a done callback", function()
  case("FU7: is never called synchronously", function(t)
    local f = lucio.Future()
    f:add_done_callback(function(...)
      t.log("added before", t.tick(), select("#", ...), (...) == f)
    end)
    f:set_result(1)
    f:add_done_callback(function(...)
      t.log("added after", t.tick(), select("#", ...), (...) == f)
    end)
    t.log("set")
    lucio.sleep(0)
    t.same_lines {"set", "added before 1 1 true", "added after 1 1 true"}
  end)

  for _, how in ipairs {"set_exception", "cancel"} do
    case("FU7: is called after " .. how, function(t)
      local f = lucio.Future()
      f:add_done_callback(function(g) t.log(g == f, g:cancelled(), lucio.current_task()) end)
      f[how](f, how == "set_exception" and lucio.ValueError("x") or nil)
      lucio.sleep(0)
      pcall(f.exception, f)
      t.same_lines {"true " .. tostring(how == "cancel") .. " nil"}
    end)
  end

  case("FU8: runs in the order of registration, each as its own entry", function(t)
    local f = lucio.Future()
    local cancelled
    for i = 1, 3 do
      f:add_done_callback(function()
        t.log(i, t.tick())
        if i == 1 then cancelled:cancel() end
      end)
    end
    soon(t.log, "before")
    f:set_result()
    cancelled = soon(t.log, "cancelled by the first")
    soon(t.log, "behind")
    lucio.sleep(0)
    t.same_lines {"before", "1 1", "2 1", "3 1", "behind"}
  end)

  case("FU8: that fails is reported, the others run", function(t)
    local f = lucio.Future()
    local e = lucio.ValueError("broken")
    f:add_done_callback(function() t.log("first") end)
    f:add_done_callback(function() error(e) end)
    f:add_done_callback(function() t.log("third") end)
    f:set_result()
    lucio.sleep(0)
    t.same_lines {"first", "third"}
    assert.are.equal(1, #t.reports)
    assert.is_true(rawequal(e, t.reports[1].exception))
  end)

  case("FU9: registered twice runs twice; removal removes all and counts", function(t)
    local f = lucio.Future()
    local function a() t.log("a") end
    local function b() t.log("b") end
    for _, callback in ipairs {a, b, a} do f:add_done_callback(callback) end
    f:set_result()
    lucio.sleep(0)
    t.same_lines {"a", "b", "a"}

    f = lucio.Future()
    for _, callback in ipairs {a, b, a} do f:add_done_callback(callback) end
    assert.are.equal(2, f:remove_done_callback(a))
    assert.are.equal(0, f:remove_done_callback(a))
    assert.are.equal(0, f:remove_done_callback(print))
    f:set_result()
    lucio.sleep(0)
    t.same_lines {"a", "b", "a", "b"}
  end)

  case("FU10: cannot be removed once the future is done", function(t)
    local f = lucio.Future()
    local function second() t.log("second") end
    f:add_done_callback(function()
      t.log("first", f:remove_done_callback(second))
    end)
    f:add_done_callback(second)
    f:set_result()
    assert.are.equal(0, f:remove_done_callback(second))
    lucio.sleep(0)
    t.same_lines {"first 0", "second"}
  end)

  case("FU11: registered by a callback runs a tick later", function(t)
    local f = lucio.Future()
    f:add_done_callback(function()
      t.log("outer", t.tick())
      f:add_done_callback(function() t.log("inner", t.tick()) end)
    end)
    f:set_result()
    lucio.sleep(0)
    lucio.sleep(0)
    t.same_lines {"outer 1", "inner 2"}
  end)

  case("FU12: runs in a copy of the context taken at registration", function(t)
    local var = lucio.ContextVar("var")
    local f = lucio.Future()
    var:set(1)
    f:add_done_callback(function()
      t.log("first", var:get())
      var:set("changed")
    end)
    var:set(2)
    f:add_done_callback(function() t.log("second", var:get()) end)
    var:set(3)
    f:set_result()
    lucio.sleep(0)
    t.log("main", var:get())
    t.same_lines {"first 1", "second 2", "main 3"}
  end)

  case("FU12: added to a done future has the context of that moment", function(t)
    local var = lucio.ContextVar("var")
    local f = lucio.Future()
    f:set_result()
    var:set(1)
    f:add_done_callback(function() t.log(var:get()) end)
    var:set(2)
    lucio.sleep(0)
    t.same_lines {"1"}
  end)

  case("FU12: runs in the given context", function(t)
    local var = lucio.ContextVar("var", "default")
    local context = lucio.copy_context()
    local f = lucio.Future()
    f:add_done_callback(function() var:set("in the context") end, {context = context})
    f:set_result()
    lucio.sleep(0)
    context:run(function() t.log(var:get()) end)
    t.log(var:get())
    t.same_lines {"in the context", "default"}
  end)
end)

describe("awaiting a future", function()
  case("FU13: that is done returns or raises without suspending", function(t)
    local f = lucio.Future()
    f:set_result("value")
    soon(t.log, "other")
    assert.are.equal("value", f:await())
    f = lucio.Future()
    local e = lucio.ValueError("x")
    f:set_exception(e)
    t.raises(e, f.await, f)
    f = lucio.Future()
    f:cancel("why")
    assert.are.equal("why", t.raises(lucio.CancelledError, f.await, f).args[1])
    assert.are.equal(0, t.tick())
    t.same_lines {}
  end)

  case("FU13: resumes after set_result has returned", function(t)
    local f = lucio.Future()
    lucio.create_task(function()
      f:await()
      t.log("awaiter", t.tick())
    end)
    lucio.sleep(0)
    f:set_result()
    t.log("set", t.tick())
    lucio.sleep(0)
    t.same_lines {"set 1", "awaiter 2"}
  end)

  case("FU14: resumes all awaiters at t+1 in the order of their awaits", function(t)
    local f = lucio.Future()
    local e = lucio.ValueError("shared")
    for i = 1, 3 do
      lucio.create_task(function()
        if i == 1 then lucio.sleep(0) end
        local _, got = pcall(f.await, f)
        t.log(i, t.tick(), rawequal(got, e))
      end)
    end
    lucio.sleep(0)
    lucio.sleep(0) -- tick 2, behind the first task's await
    f:set_exception(e)
    lucio.sleep(0)
    t.same_lines {"2 3 true", "3 3 true", "1 3 true"}
  end)

  case("FU14: mixes awaiters and callbacks in the order of registration", function(t)
    local f = lucio.Future()
    f:add_done_callback(function() t.log("callback 1", t.tick()) end)
    lucio.create_task(function()
      f:await()
      t.log("awaiter", t.tick())
    end)
    lucio.sleep(0)
    f:add_done_callback(function() t.log("callback 2", t.tick()) end)
    f:set_result()
    lucio.sleep(0)
    t.same_lines {"callback 1 2", "awaiter 2", "callback 2 2"}
  end)
end)
