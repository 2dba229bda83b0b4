--- Child processes: what may be asked for, and how their pipes are fed and read. The processes
-- themselves are bindings/process.
local lucio, native = ...

local M = {
  PIPE = -1,    -- a new pipe, as a stream of the Process
  STDOUT = -2,  -- of stderr: where stdout goes
  DEVNULL = -3,
}

local LIMIT = 65536

-- the program may give the globals other values
local error, math_type, pairs, pcall, select, tostring, type =
  error, math.type, pairs, pcall, select, tostring, type
local gather, sort = lucio.gather, table.sort

local function raise(class, text, ...)
  error(class(text:format(...)))
end

local function type_name(value)
  return value == nil and "nil" or type(value)
end

-- ---- arguments ----

local OPTIONS = {
  stdin = true, stdout = true, stderr = true, limit = true, cwd = true, env = true,
  executable = true, start_new_session = true, process_group = true, timeout = true,
}

-- Children speak in bytes, and a shell has a function of its own (SP1).
local REFUSED = {
  universal_newlines = "universal_newlines must be False", text = "text must be False",
  bufsize = "bufsize must be 0", encoding = "encoding must be None", errors = "errors must be None",
}

local function check_option_type(name, position, key, value, expected)
  local fits
  if expected == "integer" then
    fits = math_type(value) == "integer"
  else
    fits = type(value) == expected
  end
  if value ~= nil and not fits then
    raise(lucio.TypeError, "bad argument #%d to '%s' (%s: %s expected, got %s)", position, name,
      key, expected, type_name(value))
  end
end

local function check_known(name, position, options)
  for key, value in pairs(options) do
    if REFUSED[key] then
      if value and value ~= 0 then raise(lucio.ValueError, REFUSED[key]) end
    elseif key == "shell" then
      local wanted = name == "create_subprocess_shell"
      if value ~= wanted then
        raise(lucio.ValueError, "shell must be %s", wanted and "True" or "False")
      end
    elseif math_type(key) ~= "integer" and not OPTIONS[key] then
      raise(lucio.TypeError, "bad argument #%d to '%s' (unknown option '%s')", position, name,
        tostring(key))
    end
  end
end

-- The variables as a sorted list of NAME=VALUE.
local function environment(name, position, variables)
  if variables == nil then return nil end
  check_option_type(name, position, "env", variables, "table")
  local list = {}
  for key, value in pairs(variables) do
    if type(key) ~= "string" or type(value) ~= "string" then
      raise(lucio.TypeError, "bad argument #%d to '%s' (env: names and values as strings expected, "
        .. "got %s = %s)", position, name, type_name(key), type_name(value))
    end
    if key == "" or key:find("=", 1, true) then
      raise(lucio.ValueError, "illegal environment variable name")
    end
    list[#list + 1] = key .. "=" .. value
  end
  sort(list)
  return list
end

-- What the C side takes of the options, and the limit of the streams.
local function check_options(name, position, options)
  check_known(name, position, options)
  local limit = options.limit
  check_option_type(name, position, "limit", limit, "integer")
  if limit and limit <= 0 then raise(lucio.ValueError, "Limit cannot be <= 0") end
  check_option_type(name, position, "timeout", options.timeout, "number")
  if options.timeout and (options.timeout < 0 or options.timeout ~= options.timeout) then
    raise(lucio.ValueError, "bad argument #%d to '%s' (timeout must be 0 or more)", position, name)
  end
  local group = options.process_group
  check_option_type(name, position, "process_group", group, "integer")
  if group and (group < 0 or group > 0x7fffffff) then
    raise(lucio.ValueError, "bad argument #%d to '%s' (process_group must be 0 or more)", position,
      name)
  end
  -- a time limit is one for the child and its own children
  if options.timeout and not group and not options.start_new_session then group = 0 end
  return {
    stdin = options.stdin, stdout = options.stdout, stderr = options.stderr, cwd = options.cwd,
    env = environment(name, position, options.env), executable = options.executable,
    start_new_session = options.start_new_session, process_group = group,
    timeout = options.timeout,
  }, limit or LIMIT
end

-- ---- starting ----

local function connect_pipes(process, limit)
  for i = 0, 2 do native.connect(process, i, limit) end
end

-- As in asyncio by a task of its own, which takes two ticks for each pipe.
local function connect(process, limit)
  lucio.create_task(connect_pipes, process, limit):await()
end

local function start(argv, options, limit)
  local process = native.spawn(argv, options)
  local ok, e = pcall(connect, process, limit)
  if ok then return process end
  native.close(process) -- SP2
  process:wait()
  error(e, 0)
end

--- Starts a program, without a shell: its name or path and its arguments, as strings. The last
-- argument may be a table of options; or one table holds it all.
-- @treturn Process
-- @raise OSError with the file that could not be run or the directory; ValueError, TypeError
function M.create_subprocess_exec(...)
  local name, argv, options, n = "create_subprocess_exec", {...}, nil, select("#", ...)
  local position = n
  if n == 1 and type(argv[1]) == "table" then
    options = argv[1]
    argv = {}
    n = #options
    for i = 1, n do argv[i] = options[i] end
  elseif type(argv[n]) == "table" then
    options, argv[n] = argv[n], nil
    n = n - 1
  elseif argv[n] == nil and n > 1 then
    n = n - 1 -- no options
  end
  for i = 1, n > 0 and n or 1 do
    if type(argv[i]) ~= "string" then
      raise(lucio.TypeError, "bad argument #%d to '%s' (string expected, got %s)", i, name,
        type_name(argv[i]))
    end
  end
  return start(argv, check_options(name, position, options or {}))
end

--- Starts `/bin/sh -c command`.
function M.create_subprocess_shell(command, options)
  local name = "create_subprocess_shell"
  if type(command) ~= "string" then
    raise(lucio.TypeError, "bad argument #1 to '%s' (string expected, got %s)", name,
      type_name(command))
  end
  check_option_type(name, 2, "options", options, "table")
  local given, limit = check_options(name, 2, options or {})
  local shell = given.executable or "/bin/sh"
  given.executable = shell
  return start({shell, "-c", command}, given, limit)
end

-- ---- communicate ----

local function feed(process, input)
  local stdin = process.stdin
  local ok, e = pcall(function()
    if input ~= nil then stdin:write(input) end
    stdin:drain()
  end)
  if not ok and not lucio.isinstance(e, lucio.BrokenPipeError)
    and not lucio.isinstance(e, lucio.ConnectionResetError) then error(e, 0) end
  stdin:close()
end

local function read(stream)
  return stream:read()
end

local function nothing() end

--- process:communicate(input?) -> stdout, stderr; nil for what is no pipe. May wait. (SP5)
function native.methods.communicate(process, input)
  if input ~= nil and type(input) ~= "string" then
    raise(lucio.TypeError, "bad argument #1 to 'communicate' (string or nil expected, got %s)",
      type_name(input))
  end
  local stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
  local results = gather(
    stdin and function() feed(process, input) end or nothing,
    stdout and function() return read(stdout) end or nothing,
    stderr and function() return read(stderr) end or nothing)
  native.settle(process)
  process:wait()
  return results[2], results[3]
end

return M
