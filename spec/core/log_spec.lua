-- lucio.log: loggers, levels, records, formatters, handlers. What reaches files and pipes is in
-- spec/cli/log_spec.lua.
local assert = require "luassert"
local case = require "spec.support.case"
local child = require "spec.support.child"
local lucio = require "lucio"
local log = require "lucio.log"

-- A logger with a handler that keeps what it formats; nothing goes to the root logger.
local count = 0
local function new_logger(fmt, datefmt)
  count = count + 1
  local logger, lines = log.getLogger("spec" .. count), {}
  local handler = log.StreamHandler {write = function(_, text) lines[#lines + 1] = text end}
  if fmt then handler:setFormatter(log.Formatter(fmt, datefmt)) end
  logger:addHandler(handler)
  logger:setLevel(log.DEBUG)
  logger.propagate = false
  return logger, lines, handler
end

local function fails(class, message, fn, ...)
  local ok, e = pcall(fn, ...)
  assert.is_false(ok)
  assert.are.same({true, message}, {lucio.isinstance(e, class), tostring(e)})
end

local function stderr_of(source)
  local r = child.run(source)
  assert.are.same({"", 0}, {r.stdout, r.status})
  return r.stderr
end

describe("a logger", function()
  it("is the same one for a name", function()
    assert.are.equal(log.getLogger "same.name", log.getLogger "same.name")
    assert.are.equal(log.root, log.getLogger())
    assert.are.equal(log.root, log.getLogger "root")
  end)

  it("is below the loggers whose names its own begins with", function()
    local c = log.getLogger "tree.b.c"
    assert.are.equal(log.getLogger "tree.b", c.parent)
    assert.are.equal(log.getLogger "tree", c.parent.parent)
    assert.are.equal(log.root, c.parent.parent.parent)
    assert.are.equal(c, log.getLogger("tree"):getChild "b.c")
    assert.are.same({c}, log.getLogger("tree.b"):getChildren())
  end)

  it("has the level of the nearest logger above it that has one", function()
    local leaf, top = log.getLogger "level.a.b", log.getLogger "level"
    assert.are.equal(log.WARNING, leaf:getEffectiveLevel())
    top:setLevel "DEBUG"
    assert.are.equal(log.DEBUG, leaf:getEffectiveLevel())
    log.getLogger("level.a"):setLevel(log.ERROR)
    assert.are.same({log.ERROR, log.DEBUG}, {leaf:getEffectiveLevel(), top:getEffectiveLevel()})
    log.getLogger("level.a"):setLevel(log.NOTSET)
    assert.are.same({true, false}, {leaf:isEnabledFor(10), leaf:isEnabledFor(9)})
  end)

  it("gives its records to its own handlers, then to those above", function()
    local logger, lines = new_logger "up %(message)s"
    local below = logger:getChild "x"
    below:addHandler(function(_, text) lines[#lines + 1] = "own " .. text end)
    below:info "a"
    below.propagate = false
    below:info "b"
    assert.are.same({"own a", "up a\n", "own b"}, lines)
  end)

  it("logs by level", function()
    local logger, lines = new_logger "%(levelname)s %(levelno)d"
    for _, name in ipairs {"debug", "info", "warning", "error", "critical"} do
      logger[name](logger, "text")
    end
    logger:log(35, "text")
    logger:log("INFO", "text")
    logger:setLevel(log.ERROR)
    logger:warning "never"
    assert.are.same({"DEBUG 10\n", "INFO 20\n", "WARNING 30\n", "ERROR 40\n", "CRITICAL 50\n",
      "Level 35 35\n", "INFO 20\n"}, lines)
  end)

  it("formats the arguments only when the level is enabled", function()
    local logger, lines = new_logger()
    local shown = 0
    local value = setmetatable({}, {__tostring = function() shown = shown + 1 return "v" end})
    logger:setLevel(log.INFO)
    logger:debug("%s", value)
    assert.are.equal(0, shown)
    logger:info("%s %5.2f %q", value, 1.5, "x")
    assert.are.same({{'v  1.50 "x"\n'}, 1}, {lines, shown})
  end)

  it("takes a message without arguments as it is, whatever its type", function()
    local logger, lines = new_logger()
    logger:info "100% %d"
    logger:info(nil)
    logger:info(12)
    logger:info(lucio.ValueError("an error"))
    logger:info("%s and %s", nil, false)
    assert.are.same({"100% %d\n", "nil\n", "12\n", "an error\n", "nil and false\n"}, lines)
  end)

  it("is silent below the level of log.disable", function()
    local logger, lines = new_logger()
    log.disable(log.ERROR)
    logger:error "a"
    logger:critical "b"
    log.disable(log.NOTSET)
    logger:error "c"
    logger.disabled = true
    logger:critical "d"
    assert.are.same({{"b\n", "c\n"}, false}, {lines, logger:isEnabledFor(50)})
  end)

  it("asks its filters and those of the handler", function()
    local logger, lines, handler = new_logger "%(name)s %(message)s"
    local function no_a(record) return record.msg ~= "a" end
    logger:addFilter(no_a)
    logger:info "a"
    logger:info "b"
    logger:removeFilter(no_a)
    handler:addFilter(log.Filter(logger.name .. ".in"))
    logger:info "c"
    logger:getChild("in"):info "d"
    logger:getChild("in.side"):info "e"
    logger:getChild("inside"):info "f"
    assert.are.same({logger.name .. " b\n", logger.name .. ".in d\n",
      logger.name .. ".in.side e\n"}, lines)
  end)

  it("has texts as in Python", function()
    log.getLogger("text.a"):setLevel "INFO"
    assert.are.equal("<Logger text.a (INFO)>", tostring(log.getLogger "text.a"))
    assert.are.equal("<RootLogger root (WARNING)>", tostring(log.root))
    assert.are.equal("<StreamHandler <stderr> (NOTSET)>", tostring(log.StreamHandler()))
    assert.are.equal("<FileHandler /tmp/x (NOTSET)>",
      tostring(log.FileHandler("/tmp/x", "a", {delay = true})))
  end)
end)

describe("a record", function()
  it("has the place of the call", function()
    local logger, lines = new_logger "%(filename)s %(module)s %(lineno)d %(funcName)s %(pathname)s"
    local line
    local function here()
      line = debug.getinfo(1, "l").currentline + 1
      logger:info "x"
    end
    here()
    local path = debug.getinfo(1, "S").source:sub(2)
    assert.are.same({("log_spec.lua log_spec %d here %s\n"):format(line, path)}, lines)
  end)

  it("has the place further up with stacklevel", function()
    local logger, lines = new_logger "%(funcName)s"
    local function helper() logger:info {"x", stacklevel = 2} end
    local function outer() helper() end
    outer()
    assert.are.same({"outer\n"}, lines)
  end)

  case("has the name of the running task", function()
    local logger, lines = new_logger "%(message)s by %(taskName)s"
    local task = lucio.create_task {logger.info, logger, "a", name = "worker"}
    lucio.get_running_loop():call_soon(logger.info, logger, "b")
    task:await()
    logger:info "c"
    local name = lucio.current_task():get_name()
    assert.are.same({"a by worker\n", "b by nil\n", ("c by %s\n"):format(name)}, lines)
  end)

  it("has the time, by os.date and with milliseconds without a format of its own", function()
    local record = log.makeLogRecord {created = 86400.1239, msg = "x"}
    assert.are.equal("1970-01-02 00:00:00 x",
      log.Formatter("%(asctime)s %(message)s", "!%Y-%m-%d %H:%M:%S"):format(record))
    assert.are.equal(os.date("%Y-%m-%d %H:%M:%S,123", 86400),
      log.Formatter("%(asctime)s"):format(record))
    assert.are.equal("123", log.Formatter("%(msecs)03d"):format(record))
  end)

  it("has fields of the call's own", function()
    local logger, lines = new_logger "%(user)-6s|%(message)s"
    logger:info {"hello %s", "you", extra = {user = "anna"}}
    assert.are.same({"anna  |hello you\n"}, lines)
  end)

  it("has the process and the times as numbers", function()
    local logger, lines = new_logger "%(process)d %(created)f %(relativeCreated)d %(threadName)s"
    logger:info "x"
    assert.matches("^%d+ %d+%.%d+ %d+ MainThread\n$", lines[1])
  end)

  it("can carry a stack", function()
    local logger, lines = new_logger()
    logger:info {"x", stack_info = true}
    assert.matches("^x\nstack traceback:\n\t[^\n]*log_spec.lua:%d+: in ", lines[1])
  end)
end)

describe("exception", function()
  it("shows the error after those arguments that the format uses", function()
    local logger, lines = new_logger "%(levelname)s %(message)s"
    logger:exception("100%% %s:", "sure", lucio.ValueError("no"))
    logger:exception(lucio.ValueError("alone"))
    logger:exception("a bare error: %s", "x", "value")
    logger:exception("no error")
    logger:exception {"as an option", exc_info = lucio.ValueError("yes")}
    assert.are.same({"ERROR 100% sure:\nValueError: no\n", "ERROR alone\nValueError: alone\n",
      "ERROR a bare error: x\nvalue\n", "ERROR no error\n",
      "ERROR as an option\nValueError: yes\n"}, lines)
  end)

  case("shows the traceback of where the error was raised", function()
    local logger, lines = new_logger()
    local function culprit() error(lucio.ValueError("no")) end
    local task = lucio.create_task(culprit)
    local ok, e = pcall(task.await, task)
    assert.is_false(ok)
    logger:exception("failed", e)
    assert.matches("^failed\nValueError: no\nstack traceback:\n", lines[1])
    assert.matches("log_spec.lua:%d+: in ", lines[1])
  end)

  it("shows the members of a group", function()
    local logger, lines = new_logger()
    logger:exception("several",
      lucio.ExceptionGroup("two", {lucio.ValueError("a"), lucio.TypeError("b")}))
    assert.matches("ValueError: a", lines[1], 1, true)
    assert.matches("TypeError: b", lines[1], 1, true)
  end)
end)

describe("a formatter", function()
  it("takes Python's forms", function()
    local record = log.makeLogRecord {levelno = 20, msg = "x", name = "n", lineno = 7}
    assert.are.equal("INFO    |%|007| x",
      log.Formatter("%(levelname)-8s|%%|%(lineno)03d|%(message)2s"):format(record))
  end)

  it("can give fields that are missing a value", function()
    local record = log.makeLogRecord {msg = "x"}
    local formatter = log.Formatter("%(who)s %(message)s", nil, {defaults = {who = "nobody"}})
    assert.are.equal("nobody x", formatter:format(record))
  end)

  it("can be any object with a method format", function()
    local logger, lines, handler = new_logger()
    handler:setFormatter {format = function(_, record) return "<" .. record:getMessage() .. ">" end}
    logger:info("%d", 1)
    assert.are.same({"<1>\n"}, lines)
  end)
end)

describe("a handler", function()
  it("has a level of its own", function()
    local logger, lines, handler = new_logger()
    handler:setLevel "ERROR"
    logger:info "a"
    logger:error "b"
    assert.are.same({"b\n"}, lines)
  end)

  it("can be a function, which gets the record and the text", function()
    local logger = new_logger()
    local seen = {}
    local function keep(record, text) seen[#seen + 1] = {record, text} end
    local handler = logger:addHandler(keep)
    handler:setFormatter(log.Formatter "%(levelname)s:%(message)s")
    logger:info("%d", 1)
    logger:removeHandler(keep)
    logger:info("%d", 2)
    assert.are.equal(1, #seen)
    assert.are.same({"INFO:1", "%d", 20}, {seen[1][2], seen[1][1].msg, seen[1][1].levelno})
  end)

  it("can be made of Handler with an emit of its own", function()
    local logger, seen = new_logger(), {}
    local handler = log.Handler(log.INFO)
    function handler:emit(record) seen[#seen + 1] = self:format(record) end
    logger:addHandler(handler)
    logger:debug "a"
    logger:info "b"
    assert.are.same({"b"}, seen)
  end)

  it("is added once", function()
    local logger, lines, handler = new_logger()
    logger:addHandler(handler)
    logger:info "a"
    logger:removeHandler(handler)
    logger:addHandler(log.NullHandler())
    logger:info "b"
    assert.are.same({"a\n"}, lines)
  end)

  case("lets a cancellation of its emit pass", function(t)
    local logger = new_logger()
    logger:addHandler(function() lucio.sleep(60) end)
    local task = lucio.create_task(logger.info, logger, "x")
    lucio.sleep(0)
    task:cancel()
    t.raises(lucio.CancelledError, task.await, task)
  end)
end)

describe("an error while a record is handled", function()
  it("is shown on stderr with the place of the call, and does not reach the caller", function()
    local text = stderr_of [[
      local log = require "lucio.log"
      log.basicConfig()
      log.warning("%d", "x")
      log.warning("fine")]]
    assert.matches("^%-%-%- Logging error %-%-%-\n[^\n]*number expected, got string", text)
    assert.matches('\nCalled at [^\n]*:3 in <main>\nMessage: "%%d"\nArguments: %("x"%)\n', text)
    assert.matches("WARNING:root:fine\n$", text)
  end)

  it("may come from a value's own text, from a handler, from a field that is missing", function()
    local text = stderr_of [[
      local log = require "lucio.log"
      local logger = log.getLogger("x")
      log.basicConfig()
      local bad = setmetatable({}, {__tostring = function() error("no text") end})
      logger:warning("%s", bad)
      logger:addHandler(function() error("no handler") end)
      logger:warning("a")
      log.root.handlers[1]:setFormatter(log.Formatter("%(field)s"))
      log.warning("b")]]
    assert.matches("no text", text, 1, true)
    assert.matches("no handler", text, 1, true)
    assert.matches("WARNING:x:a\n", text, 1, true)
    assert.matches("ValueError: Formatting field not found in record: 'field'", text, 1, true)
    assert.are.equal(3, select(2, text:gsub("%-%-%- Logging error", "")))
  end)

  it("may come from a filter, which then keeps the record", function()
    local text = stderr_of [[
      local log = require "lucio.log"
      log.basicConfig()
      local function bad() error("no filter") end
      log.root:addFilter(bad)
      log.warning("a")
      log.root:removeFilter(bad)
      log.root.handlers[1]:addFilter(bad)
      log.warning("b")
      log.root.handlers[1]:removeFilter(bad)
      log.warning("c")]]
    assert.are.equal(2, select(2, text:gsub("no filter", "")))
    assert.matches("\nWARNING:root:c\n$", text)
  end)

  it("may come from an error object without a text", function()
    local text = stderr_of [[
      local log = require "lucio.log"
      log.basicConfig()
      log.exception(setmetatable({}, {__tostring = function() error("no text") end}))]]
    assert.matches("^%-%-%- Logging error", text)
  end)

  it("is not shown when raiseExceptions is false", function()
    assert.are.equal("", stderr_of [[
      local log = require "lucio.log"
      log.basicConfig()
      log.raiseExceptions = false
      log.warning("%d", "x")]])
  end)
end)

describe("the module", function()
  it("prints bare messages from WARNING on where nothing is configured", function()
    assert.are.equal("careful 1\n", stderr_of [[
      local log = require "lucio.log"
      log.getLogger("x"):info("no")
      log.getLogger("x"):warning("careful %d", 1)]])
  end)

  it("configures itself at the first call of its own", function()
    assert.are.equal("WARNING:root:a\nERROR:x:b\n", stderr_of [[
      local log = require "lucio.log"
      log.info("no")
      log.warning("a")
      log.getLogger("x"):error("b")]])
  end)

  it("is configured by basicConfig, the second time only by force", function()
    assert.are.equal("INFO a\nINFO b\nc\n", stderr_of [[
      local log = require "lucio.log"
      log.basicConfig{level = "INFO", format = "%(levelname)s %(message)s"}
      log.info("a")
      log.basicConfig{format = "other %(message)s"}
      log.info("b")
      log.basicConfig{format = "%(message)s", force = true}
      log.info("c")]])
  end)

  it("takes handlers and dates in basicConfig", function()
    assert.are.equal("1\ta\n1\t" .. os.date "%Y" .. "\n", child.run([[
      local log = require "lucio.log"
      local function show(_, text) print(1, text) end
      log.basicConfig{handlers = {show}, format = "%(message)s"}
      log.error("a")
      log.basicConfig{handlers = {show}, format = "%(asctime)s", datefmt = "%Y", force = true}
      log.error("a")]]).stdout)
  end)

  it("knows names of levels", function()
    assert.are.same({"INFO", 20, "Level 21"},
      {log.getLevelName(20), log.getLevelName "INFO", log.getLevelName(21)})
    log.addLevelName(25, "NOTICE")
    local logger, lines = new_logger "%(levelname)s"
    logger:log(25, "x")
    logger:log("NOTICE", "x")
    assert.are.same({"NOTICE\n", "NOTICE\n"}, lines)
    assert.are.equal(25, log.getLevelNamesMapping().NOTICE)
  end)
end)

describe("bad arguments", function()
  local logger = log.getLogger "bad"
  for _, row in ipairs {
    {"ValueError", "bad argument #1 to 'setLevel' (unknown level 'LOUD')", logger.setLevel, logger,
      "LOUD"},
    {"TypeError", "bad argument #1 to 'setLevel' (level expected, got nil)", logger.setLevel,
      logger},
    {"TypeError", "bad argument #1 to 'setLevel' (level expected, got number)", logger.setLevel,
      logger, 1.5},
    {"TypeError", "bad argument #1 to 'log' (level expected, got table)", logger.log, logger, {}},
    {"TypeError", "bad argument #1 to 'getLogger' (string expected, got number)", log.getLogger, 1},
    {"TypeError", "bad argument #1 to 'addHandler' (Handler expected, got nil)", logger.addHandler,
      logger},
    {"TypeError", "bad argument #1 to 'addFilter' (function or Filter expected, got string)",
      logger.addFilter, logger, "x"},
    {"TypeError", "bad argument #1 to 'setFormatter' (Formatter expected, got string)",
      log.NullHandler().setFormatter, log.NullHandler(), "x"},
    {"TypeError", "bad argument #1 to 'basicConfig' (unknown option 'colour')", log.basicConfig,
      {colour = true}},
    {"ValueError", "bad argument #1 to 'basicConfig' ('stream' and 'filename' together)",
      log.basicConfig, {stream = io.stderr, filename = "x"}},
    {"ValueError", "bad argument #1 to 'Formatter' (invalid format '%(name)')", log.Formatter,
      "%(name)"},
    {"ValueError", "bad argument #1 to 'Formatter' (invalid format 'no field')", log.Formatter,
      "no field"},
    {"ValueError", "bad argument #2 to 'Formatter' (invalid date format '%Ez')", log.Formatter,
      "%(asctime)s", "%Ez"},
    {"TypeError", "bad argument #1 to 'StreamHandler' (stream expected, got number)",
      log.StreamHandler, 1},
    {"TypeError", "bad argument #1 to 'FileHandler' (string expected, got nil)", log.FileHandler},
    {"ValueError", "bad argument #1 to 'FileHandler' (not a path)", log.FileHandler, "a\0b"},
    {"ValueError", "bad argument #2 to 'FileHandler' ('a' or 'w' expected)", log.FileHandler, "x",
      "r"},
    {"TypeError", "calling 'error' on bad self (Logger expected); is it called with ':'?",
      logger.error, "x"},
    {"TypeError", "bad argument #1 to 'error' (unknown option 'user')", logger.error, logger,
      {"x", user = 1}},
    {"ValueError", "bad argument #1 to 'error' (extra: attempt to overwrite 'message')",
      logger.error, logger, {"x", extra = {message = 1}}},
    {"ValueError", "bad argument #1 to 'error' (n: integer in 1..1000 expected)", logger.error,
      logger, {"x", n = 1 << 53}},
    {"TypeError", "calling 'warning' on bad self (Logger expected); is it called with ':'?",
      logger.warning, 5},
  } do
    it("raise: " .. row[2], function()
      fails(lucio[row[1]], row[2], row[3], table.unpack(row, 4))
    end)
  end

  it("raise OSError where a file cannot be opened", function()
    local ok, e = pcall(log.FileHandler, "/no/such/directory/log")
    assert.are.same({false, true, "/no/such/directory/log"},
      {ok, lucio.isinstance(e, lucio.FileNotFoundError), e.filename})
  end)
end)
