-- FU1 to FU6, FU15, FU16, FU18: the states of a future, its outcome, its report, its text.
-- Specified in C: FU17 (chaining to a thread's future) and FU19 (one thread owns all objects).
local case = require "spec.support.case"
local lucio = require "lucio"

local function has(text, part)
  assert.is_truthy(text:find(part, 1, true), string.format("%q lacks %q", text, part))
end

local function states(f)
  return {f:done(), f:cancelled()}
end

describe("a future", function()
  case("FU1: is pending, then finished", function(t)
    local f = lucio.Future()
    assert.are.same({false, false}, states(f))
    f:set_result(1)
    assert.are.same({true, false}, states(f))
    t.raises(lucio.InvalidStateError, f.set_result, f, 2)
    t.raises(lucio.InvalidStateError, f.set_exception, f, lucio.ValueError("x"))
    assert.are.equal(1, f:result())
  end)

  case("FU1: is pending, then failed", function(t)
    local f = lucio.Future()
    local e = lucio.ValueError("x")
    f:set_exception(e)
    assert.are.same({true, false}, states(f))
    t.raises(lucio.InvalidStateError, f.set_result, f, 2)
    t.raises(lucio.InvalidStateError, f.set_exception, f, lucio.ValueError("y"))
    assert.are.equal(e, f:exception())
  end)

  case("FU1: is pending, then cancelled", function(t)
    local f = lucio.Future()
    f:cancel()
    assert.are.same({true, true}, states(f))
    t.raises(lucio.InvalidStateError, f.set_result, f, 2)
    t.raises(lucio.InvalidStateError, f.set_exception, f, lucio.ValueError("x"))
    assert.is_true(f:cancelled())
  end)

  case("FU1: knows its loop", function()
    local loop = lucio.get_running_loop()
    assert.are.equal(loop, lucio.Future():get_loop())
    assert.are.equal(loop, loop:create_future():get_loop())
  end)
end)

describe("cancel of a future", function()
  case("FU2: that is pending acts at once", function()
    local f = lucio.Future()
    assert.is_true(f:cancel())
    assert.is_true(f:cancelled())
    assert.is_false(f:cancel())
  end)

  case("FU2: that is done changes nothing", function()
    local f = lucio.Future()
    f:set_result("kept")
    assert.is_false(f:cancel())
    assert.is_false(f:cancelled())
    assert.are.equal("kept", f:result())
  end)

  case("FU2: that has failed silences the report", function(t)
    local function drop()
      local f = lucio.Future()
      f:set_exception(lucio.ValueError("lost"))
      assert.is_false(f:cancel())
    end
    drop()
    collectgarbage()
    collectgarbage()
    lucio.sleep(0)
    assert.are.equal(0, #t.reports)
  end)
end)

describe("result", function()
  case("FU3: of a pending future raises InvalidStateError", function(t)
    local f = lucio.Future()
    t.raises(lucio.InvalidStateError, f.result, f)
  end)

  case("FU3: of a cancelled future raises CancelledError with the message, each time", function(t)
    local message = {}
    local f = lucio.Future()
    f:cancel(message)
    for _ = 1, 3 do
      assert.are.equal(message, t.raises(lucio.CancelledError, f.result, f).args[1])
    end
    f = lucio.Future()
    f:cancel("text")
    assert.are.equal("text", tostring(t.raises(lucio.CancelledError, f.result, f)))
    f = lucio.Future()
    f:cancel()
    assert.are.equal("", tostring(t.raises(lucio.CancelledError, f.result, f)))
  end)

  case("FU3: of a failed future raises the stored object itself, each time", function(t)
    local f, e = lucio.Future(), lucio.ValueError("x")
    f:set_exception(e)
    for _ = 1, 3 do t.raises(e, f.result, f) end
  end)

  case("FU3: of a finished future gives all values, each time", function()
    local f = lucio.Future()
    f:set_result(nil, 2, nil)
    for _ = 1, 3 do
      assert.are.same(table.pack(nil, 2, nil), table.pack(f:result()))
    end
    f = lucio.Future()
    f:set_result()
    assert.is_nil((f:result()))
  end)
end)

describe("exception", function()
  case("FU4: gives the error, or nil after a result", function()
    local f, e = lucio.Future(), lucio.ValueError("x")
    f:set_exception(e)
    assert.is_true(rawequal(e, f:exception()))
    f = lucio.Future()
    f:set_result(1)
    assert.is_nil(f:exception())
  end)

  case("FU4: of a pending future raises InvalidStateError", function(t)
    local f = lucio.Future()
    t.raises(lucio.InvalidStateError, f.exception, f)
  end)

  case("FU4: of a cancelled future raises CancelledError", function(t)
    local f = lucio.Future()
    f:cancel("why")
    for _ = 1, 2 do
      assert.are.equal("why", t.raises(lucio.CancelledError, f.exception, f).args[1])
    end
  end)
end)

describe("set_exception", function()
  case("FU5: of a CancelledError object is a failure", function(t)
    local f, e = lucio.Future(), lucio.CancelledError("as an error")
    f:set_exception(e)
    assert.is_true(f:done())
    assert.is_false(f:cancelled())
    assert.is_true(rawequal(e, f:exception()))
    t.raises(e, f.result, f)
    t.raises(e, f.await, f)
  end)

  case("FU6: makes an object of an error class", function()
    local f = lucio.Future()
    f:set_exception(lucio.TimeoutError)
    local e = f:exception()
    assert.are_not.equal(lucio.TimeoutError, e)
    assert.is_true(lucio.isinstance(e, lucio.TimeoutError))
  end)

  case("FU6: takes classes and objects of the program's own", function(t)
    local AppError = lucio.exception("AppError")
    local f = lucio.Future()
    f:set_exception(AppError)
    t.raises(AppError, f.result, f)
    f = lucio.Future()
    f:set_exception(AppError("text"))
    assert.are.equal("text", tostring(f:exception()))
  end)

  case("FU6: rejects what is no error", function(t)
    local f = lucio.Future()
    t.raises(lucio.TypeError, f.set_exception, f)
    t.raises(lucio.TypeError, f.set_exception, f, nil)
    t.raises(lucio.TypeError, f.set_exception, f, 42)
    t.raises(lucio.TypeError, f.set_exception, f, true)
    assert.is_false(f:done())
  end)
end)

describe("the never-retrieved report", function()
  -- Makes a failed future, has `look` look at it, drops and collects it, gives the reports.
  local function reports_after(t, look)
    local function drop()
      local f = lucio.Future()
      f:set_exception(lucio.ValueError("lost"))
      look(f)
    end
    drop()
    collectgarbage()
    collectgarbage()
    lucio.sleep(0)
    return t.reports
  end

  case("FU15: is made for a failed future that nobody looked at", function(t)
    local reports = reports_after(t, function() end)
    assert.are.equal(1, #reports)
    has(reports[1].message, "exception was never retrieved")
    assert.are.equal("lost", tostring(reports[1].exception))
    assert.is_true(lucio.isfuture(reports[1].future))
    assert.are.equal("lost", tostring(reports[1].future:exception()))
  end)

  case("FU15: is made once, though the handler keeps the future and drops it", function(t)
    local reports = reports_after(t, function() end)
    assert.are.equal(1, #reports)
    reports[1] = nil
    collectgarbage()
    collectgarbage()
    lucio.sleep(0)
    assert.are.equal(0, #reports)
  end)

  local looks = {
    ["result()"] = function(f) pcall(f.result, f) end,
    ["exception()"] = function(f) f:exception() end,
    ["an await"] = function(f) pcall(f.await, f) end,
    ["lucio.await"] = function(f) pcall(lucio.await, f) end,
  }

  for name, look in pairs(looks) do
    case("FU15: is not made after " .. name, function(t)
      assert.are.equal(0, #reports_after(t, look))
    end)
  end

  case("FU15: is made though the state was looked at", function(t)
    local reports = reports_after(t, function(f)
      f:done()
      f:cancelled()
      f:get_loop()
      tostring(f)
    end)
    assert.are.equal(1, #reports)
  end)

  case("FU15: is not made for a pending or a cancelled future", function(t)
    local function drop()
      lucio.Future()
      lucio.Future():cancel()
    end
    drop()
    collectgarbage()
    collectgarbage()
    lucio.sleep(0)
    assert.are.equal(0, #t.reports)
  end)
end)

describe("a future of another loop", function()
  case("FU16: cannot be awaited", function(t)
    local other = lucio.new_event_loop()
    local f = other:create_future()
    t.raises(lucio.RuntimeError, f.await, f)
    t.raises(lucio.RuntimeError, lucio.await, f)
    lucio.sleep(0)
    f:set_result("value")
    other:close()
  end)
end)

describe("the text of a future", function()
  case("FU18: shows the state", function()
    local f = lucio.Future()
    assert.are.equal("<Future pending>", tostring(f))
    f:set_result(42)
    assert.are.equal("<Future finished result=42>", tostring(f))
    f = lucio.Future()
    f:cancel()
    assert.are.equal("<Future cancelled>", tostring(f))
    f = lucio.Future()
    f:set_exception(lucio.ValueError("bad value"))
    has(tostring(f), "<Future finished exception=ValueError")
    has(tostring(f), "bad value")
    f:exception()
  end)

  case("FU18: shows the callbacks, of many the first and the last and a count", function()
    local f = lucio.Future()
    local function callback() end
    f:add_done_callback(callback)
    has(tostring(f), "<Future pending cb=[")
    for _ = 1, 4 do f:add_done_callback(callback) end
    has(tostring(f), "<3 more>")
    f:remove_done_callback(callback)
    assert.are.equal("<Future pending>", tostring(f))
  end)

  case("FU18: is limited in length", function()
    local f = lucio.Future()
    f:set_result(("x"):rep(1000000))
    assert.is_true(#tostring(f) < 1000)
    f = lucio.Future()
    f:set_exception(lucio.ValueError(("x"):rep(1000000)))
    assert.is_true(#tostring(f) < 10000)
    f:exception()
  end)

  case("FU18: survives a result that contains the future", function()
    local f = lucio.Future()
    local holder = setmetatable({}, {__tostring = function() return "of " .. tostring(f) end})
    f:set_result(f)
    assert.is_string(tostring(f))
    f = lucio.Future()
    f:set_result(holder)
    assert.is_string(tostring(f))
  end)

  case("FU18: survives a result whose __tostring fails or gives no string", function()
    for _, mt in ipairs {
      {__tostring = function() error("no text") end},
      {__tostring = function() return 42 end},
      {__tostring = function() lucio.sleep(0) end},
    } do
      local f = lucio.Future()
      f:set_result(setmetatable({}, mt))
      local ok, text = pcall(tostring, f)
      assert.is_true(not ok or type(text) == "string")
      lucio.sleep(0)
    end
  end)
end)
