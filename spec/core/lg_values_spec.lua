-- LG9, LG10: what may be raised, and what finalizers do.
local case = require "spec.support.case"
local own_loop = require "spec.support.own_loop"
local lucio = require "lucio"

describe("any Lua value", function()
  local values = {
    string = "text", table = {1}, number = 42, boolean = false, ["function"] = print,
    ["nameless object"] = setmetatable({}, {__tostring = function() return "object" end}),
  }

  for kind, value in pairs(values) do
    case("LG9: may be raised: a " .. kind .. " arrives as the very same value", function()
      local task = lucio.create_task(function() error(value, 0) end)
      local ok, e = pcall(task.await, task)
      assert.is_false(ok)
      assert.is_true(rawequal(value, e))
      ok, e = pcall(task.result, task)
      assert.is_false(ok)
      assert.is_true(rawequal(value, e))
    end)

    case("LG9: a " .. kind .. " handed over as a value comes in a LuaError", function()
      local task = lucio.create_task(function() error(value, 0) end)
      local list = lucio.gather {task, return_exceptions = true}
      for _, e in ipairs {list[1], task:exception()} do
        assert.is_true(lucio.isinstance(e, lucio.LuaError))
        assert.is_true(lucio.isinstance(e, lucio.Exception))
        assert.is_true(rawequal(value, e.value))
        assert.is_string(e.traceback)
      end
    end)
  end

  case("LG9: error(nil) is stored as an error that is not nil", function()
    local task = lucio.create_task(function() error(nil) end)
    local ok, e = pcall(task.await, task)
    assert.is_false(ok)
    assert.is_not_nil(e)
    assert.is_not_nil(task:exception())
  end)
end)

describe("a finalizer", function()
  local function drop_failed_future()
    lucio.Future():set_exception(lucio.ValueError("lost"))
  end

  case("LG10: only queues its report", function(t)
    drop_failed_future()
    collectgarbage()
    collectgarbage()
    assert.are.equal(0, #t.reports)
    lucio.sleep(0)
    lucio.sleep(0)
    assert.are.equal(1, #t.reports)
    assert.are.equal("lost", tostring(t.reports[1].exception))
  end)

  own_loop("LG10: drops its report once the loop is closed", function(loop, t)
    local f = loop:create_future()
    loop:close()
    f:set_exception(lucio.ValueError("too late"))
    f = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    assert.are.equal(0, #t.reports)
  end)

  case("LG10: written in Lua may use the loop", function(t)
    local loop = lucio.get_running_loop()
    do
      local _ = setmetatable({}, {__gc = function()
        loop:call_soon(function() t.log("from __gc", lucio.current_task()) end)
      end})
    end
    collectgarbage()
    collectgarbage()
    t.same_lines {}
    lucio.sleep(0)
    t.same_lines {"from __gc nil"}
  end)
end)
