-- The error classes of API.md section 3, and what an error object knows.
local assert = require "luassert"
local case = require "spec.support.case"
local lucio = require "lucio"

local Exception, ValueError, LookupError = lucio.Exception, lucio.ValueError, lucio.LookupError

local function is(e, class)
  assert.is_true(lucio.isinstance(e, class))
end

local function is_not(e, class)
  assert.is_false(lucio.isinstance(e, class))
end

-- class: the class above it
local PARENTS = {
  {"CancelledError", "BaseException"},
  {"KeyboardInterrupt", "BaseException"},
  {"SystemExit", "BaseException"},
  {"Exception", "BaseException"},
  {"TimeoutError", "Exception"},
  {"InvalidStateError", "Exception"},
  {"RuntimeError", "Exception"},
  {"ValueError", "Exception"},
  {"TypeError", "Exception"},
  {"LookupError", "Exception"},
  {"QueueEmpty", "Exception"},
  {"QueueFull", "Exception"},
  {"QueueShutDown", "Exception"},
  {"BrokenBarrierError", "Exception"},
  {"IncompleteReadError", "Exception"},
  {"LimitOverrunError", "Exception"},
  {"OSError", "Exception"},
  {"LuaError", "Exception"},
  {"ExceptionGroup", "Exception"},
  {"ConnectionError", "OSError"},
  {"FileNotFoundError", "OSError"},
  {"FileExistsError", "OSError"},
  {"PermissionError", "OSError"},
  {"IsADirectoryError", "OSError"},
  {"NotADirectoryError", "OSError"},
  {"ProcessLookupError", "OSError"},
  {"gaierror", "OSError"},
  {"SSLError", "OSError"},
  {"SSLCertVerificationError", "SSLError"},
  {"ConnectionResetError", "ConnectionError"},
  {"ConnectionRefusedError", "ConnectionError"},
  {"ConnectionAbortedError", "ConnectionError"},
  {"BrokenPipeError", "ConnectionError"},
}

-- an object of the class with this name
local function make(name)
  local class = lucio[name]
  assert(class ~= nil, "lucio." .. name .. " is missing")
  if name == "ExceptionGroup" then return class("text", {ValueError("member")}) end
  return class("text")
end

describe("the given error classes", function()
  for _, pair in ipairs(PARENTS) do
    local name, parent = pair[1], pair[2]

    it("API 3: " .. name .. " stands below " .. parent, function()
      local e = make(name)
      assert.are.equal(name, e.name)
      is(e, lucio[name])
      is(e, lucio[parent])
      is(e, lucio.BaseException)
      is_not(make(parent), lucio[name])
    end)
  end

  it("API 3: CancelledError, KeyboardInterrupt and SystemExit are no ordinary errors", function()
    for _, name in ipairs{"CancelledError", "KeyboardInterrupt", "SystemExit"} do
      is_not(make(name), Exception)
    end
  end)

  it("API 3: siblings are not instances of one another", function()
    is_not(ValueError("text"), lucio.TypeError)
    is_not(lucio.QueueEmpty("text"), lucio.QueueFull)
    is_not(lucio.ConnectionResetError("text"), lucio.BrokenPipeError)
  end)
end)

describe("an OSError", function()
  it("API 3: of a number and a text is of the number's class, and its text has all", function()
    local e = lucio.OSError(2, "gone", "a file")
    assert.are.same({"FileNotFoundError", "[Errno 2] gone: 'a file'"}, {e.name, tostring(e)})
    assert.are.same({2, "ENOENT", "gone", "a file"}, {e.errno, e.code, e.strerror, e.filename})
    is(e, lucio.OSError)
    e = lucio.OSError(104, "closed")
    assert.are.same({"ConnectionResetError", "[Errno 104] closed"}, {e.name, e.message})
    assert.is_nil(e.filename)
    e = lucio.OSError(110, "late")
    assert.are.same({"OSError", "[Errno 110] late"}, {e.name, e.message})
    e = lucio.BrokenPipeError(5, "other", "it's")
    assert.are.same({"BrokenPipeError", [=[[Errno 5] other: "it's"]=]}, {e.name, e.message})
  end)

  it("API 3: of a text alone is that text", function()
    local e = lucio.OSError("text")
    assert.are.same({"OSError", "text"}, {e.name, e.message})
    assert.is_nil(e.errno)
  end)

  case("API 3: from the system has the text that Python gives it", function(t)
    local raises, E = t.raises, lucio
    local e = raises(E.FileNotFoundError, lucio.open_unix_connection, "/no/such/socket")
    assert.are.equal("[Errno 2] No such file or directory", tostring(e))
    e = raises(E.FileNotFoundError, lucio.start_unix_server, print, "/no/such/socket")
    assert.are.equal("[Errno 2] No such file or directory", tostring(e))
    e = raises(E.FileNotFoundError, lucio.create_subprocess_exec, "no-such-program")
    assert.are.equal("[Errno 2] No such file or directory: 'no-such-program'", tostring(e))
    assert.are.equal("no-such-program", e.filename)
    assert.are.equal("No such file or directory", e.strerror)
    local server <close> = lucio.start_server(print, "127.0.0.1", 0)
    local port = server.sockets[1]:getsockname().port
    e = raises(E.OSError, lucio.start_server, print, "127.0.0.1", port)
    assert.are.equal(("[Errno 98] error while attempting to bind on address ('127.0.0.1', %d): "
      .. "[errno 98] address already in use"):format(port), tostring(e))
  end)
end)

describe("an error object", function()
  it("API 3: its text is the message", function()
    local e = ValueError("text")
    assert.are.equal("text", tostring(e))
    assert.are.equal("text", e.message)
    assert.are.equal("ValueError", e.name)
    assert.are.equal("text", e.args[1])
    assert.is_nil(e.cause)
    assert.are.equal("", tostring(ValueError()))
  end)

  it("API 3: keeps all its arguments", function()
    local e = ValueError("text", 2, "three")
    assert.are.equal("text", tostring(e))
    assert.are.equal(2, e.args[2])
    assert.are.equal("three", e.args[3])
  end)

  it("API 3: a message that is no string is shown as text", function()
    assert.are.equal("42", tostring(ValueError(42)))
    assert.are.equal(42, ValueError(42).args[1])
  end)

  it("API 3: is raised and caught as it is", function()
    local e = ValueError("text")
    local ok, caught = pcall(error, e)
    assert.is_false(ok)
    assert.is_true(rawequal(e, caught))
    local _, again = pcall(error, caught, 0)
    assert.is_true(rawequal(e, again))
  end)

  it("API 3: two of the same text are two objects", function()
    assert.is_false(rawequal(ValueError("text"), ValueError("text")))
  end)

  it("API 3: may have a cause and fields of its own", function()
    local e, cause = ValueError("text"), LookupError("why")
    e.cause = cause
    e.detail = {1}
    assert.is_true(rawequal(cause, e.cause))
    assert.are.same({1}, e.detail)
  end)

  case("API 3: has the traceback of where it was raised in a task", function(t)
    local function deep() error(ValueError("text")) end
    local task = lucio.create_task(function()
      deep()
      return 1
    end)
    local e = t.raises(ValueError, task.await, task)
    assert.are.equal("string", type(e.traceback))
    assert.matches("errors_spec.lua:%d+: in .*deep", e.traceback)
  end)

  case("API 3: raised again, it keeps the traceback of the first place", function(t)
    local function deep() error(ValueError("text")) end
    local inner = lucio.create_task(function()
      deep()
      return 1
    end)
    local outer = lucio.create_task(function()
      local ok, e = pcall(inner.await, inner)
      assert(not ok)
      error(e, 0)
    end)
    local e = t.raises(ValueError, outer.await, outer)
    assert.matches("deep", e.traceback, 1, true)
  end)
end)

describe("lucio.isinstance", function()
  it("API 3: is false for what is no error object", function()
    for _, value in ipairs{"text", 42, true, {}, print, setmetatable({}, {})} do
      is_not(value, Exception)
    end
    is_not(nil, Exception)
    is_not(lucio.Future, Exception)
  end)

  it("API 3: a class is not an instance of itself", function()
    is_not(ValueError, ValueError)
    is_not(ValueError, Exception)
  end)

  it("API 3: what is no class is a TypeError", function()
    local ok, e = pcall(lucio.isinstance, ValueError("text"), "ValueError")
    assert.is_false(ok)
    is(e, lucio.TypeError)
    ok, e = pcall(lucio.isinstance, ValueError("text"))
    assert.is_false(ok)
    is(e, lucio.TypeError)
  end)
end)

describe("lucio.exception", function()
  it("API 3: makes a class below Exception", function()
    local Own = lucio.exception("Own")
    local e = Own("text")
    assert.are.equal("Own", e.name)
    assert.are.equal("text", tostring(e))
    is(e, Own)
    is(e, Exception)
    is_not(e, ValueError)
    is_not(Exception("text"), Own)
  end)

  it("API 3: or below a given one", function()
    local Own = lucio.exception("Own", ValueError)
    local Deep = lucio.exception("Deep", Own)
    local e = Deep("text")
    assert.are.equal("Deep", e.name)
    for _, class in ipairs{Deep, Own, ValueError, Exception, lucio.BaseException} do
      is(e, class)
    end
    is_not(Own("text"), Deep)
    is_not(lucio.exception("Odd", lucio.BaseException)("text"), Exception)
  end)

  it("API 3: two classes of one name are two classes", function()
    local a, b = lucio.exception("Same"), lucio.exception("Same")
    is_not(a("text"), b)
  end)

  it("API 3: methods given to a class belong to its objects and those of its children", function()
    local Own = lucio.exception("Own")
    function Own:shout() return self.message:upper() end
    local Child = lucio.exception("Child", Own)
    assert.are.equal("TEXT", Own("text"):shout())
    assert.are.equal("TEXT", Child("text"):shout())
  end)

  it("API 3: bad arguments raise TypeError", function()
    for _, args in ipairs{{}, {42}, {"Own", "ValueError"}, {"Own", {}}, {"Own", ValueError("e")}} do
      local ok, e = pcall(lucio.exception, table.unpack(args))
      assert.is_false(ok)
      is(e, lucio.TypeError)
    end
  end)
end)

describe("CancelledError", function()
  case("API 3: keeps the value given to cancel, every time it is retrieved", function(t)
    local value = {}
    local fut = lucio.Future()
    fut:cancel(value)
    for _ = 1, 2 do
      assert.is_true(rawequal(value, t.raises(lucio.CancelledError, fut.result, fut).args[1]))
      assert.is_true(rawequal(value, t.raises(lucio.CancelledError, fut.exception, fut).args[1]))
      assert.is_true(rawequal(value, t.raises(lucio.CancelledError, fut.await, fut).args[1]))
    end
  end)

  case("API 3: so does that of a task", function(t)
    local task = lucio.create_task(lucio.sleep, 9)
    lucio.sleep(0)
    task:cancel("why")
    for _ = 1, 2 do
      local e = t.raises(lucio.CancelledError, task.await, task)
      assert.are.equal("why", e.args[1])
      assert.are.equal("why", tostring(e))
    end
  end)

  case("API 3: without a value its text is empty", function(t)
    local fut = lucio.Future()
    fut:cancel()
    local e = t.raises(lucio.CancelledError, fut.result, fut)
    assert.is_nil(e.args[1])
    assert.are.equal("", tostring(e))
    assert.are.equal("", tostring(lucio.CancelledError()))
  end)
end)

describe("LuaError", function()
  case("API 1.6: wraps a bare value where an error is handed over", function(t)
    local value = {}
    local text = lucio.create_task(function() error("text", 0) end)
    local tab = lucio.create_task(function() error(value) end)
    t.raises("text", text.await, text)
    t.raises(value, tab.await, tab)
    local e = text:exception()
    is(e, lucio.LuaError)
    assert.are.equal("text", e.value)
    assert.are.equal("text", tostring(e))
    assert.matches("errors_spec.lua", e.traceback, 1, true)
    assert.is_true(rawequal(value, tab:exception().value))
    assert.is_true(rawequal(e, text:exception()))
  end)

  case("API 1.6: a LuaError that is raised is not wrapped again", function()
    local e = lucio.LuaError("text")
    local task = lucio.create_task(function() error(e) end)
    lucio.wait{task}
    assert.is_true(rawequal(e, task:exception()))
  end)

  case("LG9: error(nil) is stored as an error that is not nil", function()
    local task = lucio.create_task(function() error(nil) end)
    lucio.wait{task}
    assert.is_false(task:cancelled())
    local e = task:exception()
    is(e, Exception)
    local ok, raised = pcall(task.await, task)
    assert.is_false(ok)
    assert.is_not_nil(raised)
  end)
end)

describe("errors with fields of their own", function()
  it("API 3: SystemExit has its code", function()
    assert.are.equal(3, lucio.SystemExit(3).code)
    local ok, e = pcall(lucio.exit, 4)
    assert.is_false(ok)
    is(e, lucio.SystemExit)
    assert.are.equal(4, e.code)
  end)

  it("API 3: IncompleteReadError has partial and expected", function()
    local e = lucio.IncompleteReadError("abc", 10)
    assert.are.equal("abc", e.partial)
    assert.are.equal(10, e.expected)
    assert.are.equal("3 bytes read on a total of 10 expected bytes", tostring(e))
    assert.is_nil(lucio.IncompleteReadError("", nil).expected)
  end)

  it("API 3: LimitOverrunError has consumed", function()
    local e = lucio.LimitOverrunError("too long", 7)
    assert.are.equal(7, e.consumed)
    assert.are.equal("too long", tostring(e))
  end)

  it("API 3: ExceptionGroup has exceptions, split and subgroup", function()
    local a, b = ValueError("a"), LookupError("b")
    local e = lucio.ExceptionGroup("some", {a, b})
    assert.are.equal("some", e.message)
    assert.are.equal(2, #e.exceptions)
    local match, rest = e:split(LookupError)
    assert.is_true(rawequal(b, match.exceptions[1]))
    assert.is_true(rawequal(a, rest.exceptions[1]))
    assert.is_true(rawequal(a, e:subgroup(ValueError).exceptions[1]))
    assert.is_nil(e:subgroup(lucio.OSError))
  end)
end)

describe("lucio.pcall and lucio.xpcall", function()
  case("API 2: catch ordinary errors and bare values", function()
    local boom = ValueError("boom")
    assert.are.same({true, 1, nil, 3, n = 4},
      table.pack(lucio.pcall(function(...) return ... end, 1, nil, 3)))
    local ok, e = lucio.pcall(error, boom)
    assert.is_false(ok)
    assert.is_true(rawequal(boom, e))
    ok, e = lucio.pcall(error, "text", 0)
    assert.is_false(ok)
    assert.are.equal("text", e)
    ok, e = lucio.xpcall(error, function(x) return "handled " .. tostring(x) end, boom)
    assert.is_false(ok)
    assert.are.equal("handled boom", e)
  end)

  case("API 2: let CancelledError, KeyboardInterrupt and SystemExit through", function()
    for _, name in ipairs{"CancelledError", "KeyboardInterrupt", "SystemExit"} do
      local e = lucio[name]()
      for _, call in ipairs{
        function() return lucio.pcall(error, e) end,
        function() return lucio.xpcall(error, function() return "handled" end, e) end,
      } do
        local ok, caught = pcall(call)
        assert.is_false(ok)
        assert.is_true(rawequal(e, caught))
      end
    end
  end)

  case("API 2: may suspend inside", function(t)
    local ok, v = lucio.pcall(lucio.sleep, 0, "v")
    assert.is_true(ok)
    assert.are.equal("v", v)
    assert.are.equal(1, t.tick())
  end)
end)
