-- The type definitions in lua/types have every public name of lucio, of the modules below it, and
-- of its types, and no other.
local assert = require "luassert"
local lucio = require "lucio"
local tls = require "spec.support.tls"

local FILES = "lua/types"
-- modules that programs do not use
local INTERNAL_MODULES = {repl = true}
if tls.missing then INTERNAL_MODULES.ssl = true end
-- types that programs do not get hold of
local INTERNAL_TYPES = {["lucio.log.output"] = true, ["lucio.fs.inotify"] = true}

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

local function files()
  local list = {}
  local listing <close> = assert(io.popen("find " .. FILES .. " -name '*.d.lua' | LC_ALL=C sort"))
  for path in listing:lines() do list[#list + 1] = path end
  return list
end

-- The classes that a file declares: name -> {parent =, names = {name = true or "optional"}, at =}.
local function classes_of(path, found)
  local class, variables, number = nil, {}, 0
  for line in read(path):gmatch("([^\n]*)\n") do
    number = number + 1
    local name, rest = line:match("^%-%-%-@class ([%w_.]+)(.*)$")
    if name then
      class = {parent = rest:match("^<?%w*>?: ([%w_.]+)"), names = {}, at = path .. ":" .. number}
      assert(not found[name], class.at .. ": a second class " .. name)
      found[name] = class
    end
    local field, optional = line:match("^%-%-%-@field ([%w_]+)(%??) ")
    if field then class.names[field] = optional == "?" and "optional" or true end
    local variable = line:match("^local ([%w_]+) = {}$")
    if variable then variables[variable] = class end
    local owner, fn = line:match("^function ([%w_]+)[.:]([%w_]+)%(")
    if owner then assert(variables[owner], path .. ":" .. number).names[fn] = true end
  end
end

local function all_classes()
  local found = {}
  for _, path in ipairs(files()) do classes_of(path, found) end
  return found
end

-- What a class has with its parents.
local function declared(classes, class)
  local names = {}
  while class do
    for name, kind in pairs(class.names) do names[name] = names[name] or kind end
    class = class.parent and assert(classes[class.parent], "no class " .. class.parent)
  end
  return names
end

local function sorted(names)
  local list = {}
  for name in pairs(names) do list[#list + 1] = name end
  table.sort(list)
  return list
end

-- Adds what is wrong with a class: names that really are and that it lacks, and the reverse.
local function compare(problems, title, class, names, real, has)
  for _, name in ipairs(sorted(real)) do
    if not names[name] then
      problems[#problems + 1] = ("%s: %s lacks %s"):format(class.at, title, name)
    end
  end
  for _, name in ipairs(sorted(names)) do
    if not real[name] and names[name] ~= "optional" and not (has and has(name)) then
      problems[#problems + 1] = ("%s: %s has no %s"):format(class.at, title, name)
    end
  end
end

local function finish(problems)
  if #problems == 0 then return end
  table.insert(problems, 1, "the type definitions and the module differ; a public name needs a "
    .. "'---@field' or a function in its class there:")
  error(table.concat(problems, "\n  "), 0)
end

local function submodules()
  local found = {}
  for name in pairs(package.preload) do
    local short = name:match("^lucio%.([%w_]+)$")
    if short and not INTERNAL_MODULES[short] then found[short] = require(name) end
  end
  return found
end

local function keys(t)
  local found = {}
  for key in pairs(t) do
    if type(key) == "string" then found[key] = true end
  end
  return found
end

-- The methods of a type in C; nil without any.
local function methods(metatable)
  local index = rawget(metatable, "__index")
  local i = 1
  while type(index) == "function" do
    local name, value = debug.getupvalue(index, i)
    if name == nil then return nil end
    if type(value) == "table" then index = value end
    i = i + 1
  end
  if type(index) ~= "table" or next(index) == nil then return nil end
  return keys(index)
end

describe("lua/types", function()
  tls.left_out()

  it("is plain Lua, one module a file", function()
    for _, path in ipairs(files()) do
      local text = read(path)
      assert(load(text, "@" .. path))
      local name = path:match("types/(.*)%.d%.lua$"):gsub("/", ".")
      assert.are.equal("---@meta " .. name, text:match("^[^\n]+"), path)
    end
  end)

  it("has the public names of lucio and of the modules below it", function()
    local classes, problems = all_classes(), {}
    local real = keys(lucio)
    real.ssl = true
    for short, module in pairs(submodules()) do
      real[short] = true
      local class = classes["lucio." .. short]
      if class then
        compare(problems, "lucio." .. short, class, declared(classes, class), keys(module))
      else
        problems[#problems + 1] = ("no class lucio.%s: %s/lucio/%s.d.lua is missing"):format(short,
          FILES, short)
      end
    end
    compare(problems, "lucio", classes.lucio, declared(classes, classes.lucio), real)
    finish(problems)
  end)

  it("has the methods of every type", function()
    local classes, problems, by_name = all_classes(), {}, {}
    submodules() -- opens them, and with them their types
    for name in pairs(classes) do -- not those of modules, which are in small letters
      if name:find("%.%u%w*$") then by_name[name:lower()] = name end
    end
    local seen, types = 0, {} -- several types in C may be one to Lua
    for _, metatable in pairs(debug.getregistry()) do
      local name = type(metatable) == "table" and rawget(metatable, "__name")
      local real = type(name) == "string" and name:find("^lucio%.") and methods(metatable)
      if real and not INTERNAL_TYPES[name] then
        seen = seen + 1
        types[name] = types[name] or {methods = {}}
        for method in pairs(real) do types[name].methods[method] = true end
        -- other fields are computed by __index
        if type(metatable.__index) == "function" then types[name].computed = true end
      end
    end
    for name, found in pairs(types) do
      local class = classes[by_name[name:lower()]]
      if class then
        compare(problems, name, class, declared(classes, class), found.methods, function(field)
          return found.computed and class.names[field]
        end)
      else
        problems[#problems + 1] = ("no class for the type %s, with %s"):format(name,
          table.concat(sorted(found.methods), ", "))
      end
    end
    assert.is_true(seen > 20)
    finish(problems)
  end)

  it("has the methods of the classes of lucio.log", function()
    local classes, problems = all_classes(), {}
    for name, value in pairs(lucio.log) do
      if type(value) == "table" and rawget(value, "class_name") then
        local class = classes["lucio.log." .. name]
        local names, real = declared(classes, class), {}
        for key in pairs(value) do
          if key:find("^%a") and key ~= "init" and key ~= "class_name" then real[key] = true end
        end
        compare(problems, "lucio.log." .. name, class, names, real, function(field)
          -- methods of a parent, and what each object has for itself
          return value[field] ~= nil or class.names[field]
            or classes["lucio.log.Handler"].names[field]
        end)
      end
    end
    finish(problems)
  end)

  it("has fields that objects have", function()
    local classes, problems = all_classes(), {}
    local function check(name, object)
      local names = declared(classes, assert(classes[name], name))
      for _, field in ipairs(sorted(names)) do
        if names[field] ~= "optional" and object[field] == nil then
          problems[#problems + 1] = ("%s: %s has no %s"):format(classes[name].at, name, field)
        end
      end
    end
    local function main()
      check("lucio.Task", lucio.current_task())
      check("lucio.Future", lucio.Future())
      check("lucio.Loop", lucio.get_running_loop())
      check("lucio.Barrier", lucio.Barrier(2))
      check("lucio.Queue", lucio.Queue())
      check("lucio.Context", lucio.copy_context())
      check("lucio.TaskNode", lucio.task_tree()[1])
      check("lucio.log.Logger", lucio.log.root)
      check("lucio.log.Handler", lucio.log.NullHandler())
      check("lucio.log.FunctionHandler", lucio.log.FunctionHandler(print))
      check("lucio.log.StreamHandler", lucio.log.StreamHandler())
      check("lucio.log.Formatter", lucio.log.Formatter("%(message)s"))
      check("lucio.BaseException", lucio.ValueError("text"))
      check("lucio.ErrorClass", lucio.ValueError)
      check("lucio.ExceptionGroupObject", lucio.ExceptionGroup("text", {lucio.ValueError("text")}))
      check("lucio.Shared", lucio.shared.Value("i64", 0))
      local here, there = lucio.testing.stream_pair()
      check("lucio.testing.StreamEnd", here)
      check("lucio.StreamReader", here.reader)
      check("lucio.StreamWriter", here.writer)
      check("lucio.Socket", here.writer:get_extra_info("socket"))
      here:close()
      there:close()
      local server <close> = lucio.start_server(function() end, "127.0.0.1", 0)
      check("lucio.Server", server)
      check("lucio.Listener", server.sockets[1])
      check("lucio.Address", server.sockets[1]:getsockname())
      local process = lucio.create_subprocess_exec("true")
      check("lucio.Process", process)
      process:wait()
      local file <close> = lucio.fs.open("README.md")
      check("lucio.fs.File", file)
      check("lucio.fs.Stat", lucio.fs.stat("README.md"))
      check("lucio.fs.Entry", lucio.fs.scandir("spec")())
      local dir <close> = lucio.fs.tempdir()
      check("lucio.fs.TemporaryDirectory", dir)
    end
    lucio.run(main)
    finish(problems)
  end)
end)
