--- lucio.fs: files and directories. Whatever may block is done by threads (bindings/fs); here are
-- the options, and what consists of several such operations.
local lucio, native, part = ...

local M = {}

-- the program may give the globals other values
local error, ipairs, math_type, setmetatable, table, type =
  error, ipairs, math.type, setmetatable, table, type

local O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND = native.O_WRONLY, native.O_RDWR,
  native.O_CREAT, native.O_EXCL, native.O_TRUNC, native.O_APPEND

local checks = part "common.options"
local raise, bad_argument, check_options =
  checks.raise, checks.bad_argument, checks.check_options

local function check_path(name, position, path)
  if type(path) ~= "string" then bad_argument(name, position, "path as string", path) end
  if path:find("\0", 1, true) then
    raise(lucio.ValueError, "bad argument #%d to '%s' (embedded null byte)", position, name)
  end
end

local function join(directory, name)
  if directory == "" or directory:sub(-1) == "/" then return directory .. name end
  return directory .. "/" .. name
end

-- ---- files ----

local FLAGS = {
  ["r"] = 0, ["r+"] = O_RDWR,
  ["w"] = O_WRONLY | O_CREAT | O_TRUNC, ["w+"] = O_RDWR | O_CREAT | O_TRUNC,
  ["a"] = O_WRONLY | O_CREAT | O_APPEND, ["a+"] = O_RDWR | O_CREAT | O_APPEND,
  ["x"] = O_WRONLY | O_CREAT | O_EXCL, ["x+"] = O_RDWR | O_CREAT | O_EXCL,
}

--- Opens a file. May wait.
function M.open(path, mode)
  check_path("open", 1, path)
  if mode ~= nil and type(mode) ~= "string" then bad_argument("open", 2, "mode as string", mode) end
  local flags = FLAGS[(mode or "r"):gsub("[bt]", "", 1)]
  if not flags then
    raise(lucio.ValueError, "bad argument #2 to 'open' (invalid mode '%s')", mode)
  end
  return native.open(path, flags, false)
end

M.read_file = native.read_file

--- Writes a whole file. With `atomic` nobody ever sees a part of it. May wait.
function M.write_file(path, data, options)
  options = check_options("write_file", 3, options, {atomic = "boolean"})
  return native.write_file(path, data, options.atomic and 3 or 0)
end

--- Adds to the end of a file, which is created if need be. May wait.
function M.append_file(path, data)
  check_path("append_file", 1, path)
  if type(data) ~= "string" then bad_argument("append_file", 2, "string", data) end
  return native.write_file(path, data, 1)
end

-- ---- paths ----

function M.stat(path)
  check_path("stat", 1, path)
  return native.stat(path, true)
end

function M.lstat(path)
  check_path("lstat", 1, path)
  return native.stat(path, false)
end

local ABSENT = {ENOENT = true, ENOTDIR = true, ELOOP = true}

--- Whether there is something at the path; of a link, at its target. May wait.
function M.exists(path)
  check_path("exists", 1, path)
  local ok, e = lucio.pcall(native.stat, path, true)
  if ok then return true end
  if type(e) == "table" and ABSENT[e.code] then return false end
  error(e, 0)
end

for _, name in ipairs {
  "remove", "rmdir", "rmtree", "rename", "copy", "symlink", "readlink", "chmod", "realpath",
} do
  M[name] = native[name]
end

--- Makes a directory. May wait.
function M.mkdir(path, options)
  options = check_options("mkdir", 2, options,
    {mode = "integer", parents = "boolean", exist_ok = "boolean"})
  return native.mkdir(path, options.mode or 511, options.parents, options.exist_ok)
end

-- ---- directories ----

--- The names in a directory, sorted by their bytes. May wait.
function M.listdir(path)
  if path ~= nil then check_path("listdir", 1, path) end
  local names = native.list(path or ".")
  table.sort(names)
  return names
end

-- Names and kinds, sorted by name.
local function list(path)
  local names, kinds = native.list(path)
  local kind_of = {}
  for i, name in ipairs(names) do kind_of[name] = kinds[i] end
  table.sort(names)
  return names, kind_of
end

--- Iterates over what is in a directory: tables with name, path, type. May wait.
function M.scandir(path)
  if path ~= nil then check_path("scandir", 1, path) end
  path = path or "."
  local names, kind_of = list(path)
  local i = 0
  return function()
    i = i + 1
    local name = names[i]
    return name and {name = name, path = join(path, name), type = kind_of[name]}
  end
end

local function visit(path, options, stack)
  local names, kind_of = list(path)
  local directories, files = {}, {}
  for _, name in ipairs(names) do
    local kind = kind_of[name]
    if kind == "link" and M.exists(join(path, name)) then
      kind = M.stat(join(path, name)).type
      if kind == "directory" and not options.followlinks then kind = "linked directory" end
    end
    local to = (kind == "directory" or kind == "linked directory") and directories or files
    to[#to + 1] = name
  end
  stack[#stack + 1] = {path = path, directories = directories, files = files, kind_of = kind_of}
  return path, directories, files
end

--- Iterates over a directory and all below it: path, names of directories, names of other files.
-- The caller may take names out of the first list. May wait.
function M.walk(path, options)
  check_path("walk", 1, path)
  options = check_options("walk", 2, options, {followlinks = "boolean", onerror = "function"})
  local stack, pending = {}, {path}
  local last
  return function()
    if last then
      -- what is left of its list, the first one on top
      for i = #last.directories, 1, -1 do
        local name = last.directories[i]
        if options.followlinks or last.kind_of[name] ~= "link" then
          pending[#pending + 1] = join(last.path, name)
        end
      end
      last = nil
    end
    while #pending > 0 do
      -- a wait that is cancelled leaves it to the next call
      local ok, found, directories, files =
        lucio.pcall(visit, pending[#pending], options, stack)
      table.remove(pending)
      if ok then
        last = table.remove(stack)
        return found, directories, files
      elseif not lucio.isinstance(found, lucio.OSError) then
        error(found, 0)
      elseif options.onerror then
        options.onerror(found)
      end
    end
  end
end

-- ---- temporary files ----

local TEMPORARY = {dir = "string", prefix = "string"}

local function template(options)
  local directory = options.dir
  if not directory then
    -- the variable may be one that the script may not see
    local ok, value = lucio.pcall(os and os.getenv or error, "TMPDIR")
    directory = ok and value or "/tmp"
  end
  return join(directory, (options.prefix or "lucio-") .. "XXXXXX")
end

--- A new file that is removed when it is closed; `.name` is its path. May wait.
function M.tempfile(options)
  options = check_options("tempfile", 1, options, TEMPORARY)
  return native.open(template(options), O_RDWR, true)
end

local TempDir = {__name = "lucio.fs.TempDir"}
TempDir.__index = TempDir

--- Removes it with all in it. May wait.
function TempDir:remove()
  if self.removed then return end
  self.removed = true
  local ok, e = lucio.pcall(native.rmtree, self.path)
  if ok or e.code == "ENOENT" then return end
  self.removed = false
  error(e, 0)
end

TempDir.__close = TempDir.remove

function TempDir:__tostring()
  return self.path
end

--- A new directory that is removed with all in it when it is closed; `.path`. May wait.
function M.tempdir(options)
  options = check_options("tempdir", 1, options, TEMPORARY)
  return setmetatable({path = native.tempdir(template(options)), removed = false}, TempDir)
end

-- ---- watching ----

local watch

--- Watches a file or a directory: `for event in watch`. May wait.
function M.watch(path, options)
  check_path("watch", 1, path)
  if type(options) == "table" and options.debounce ~= nil then
    local seconds = options.debounce
    if math_type(seconds) == nil then
      bad_argument("watch", 2, "debounce as number", seconds)
    end
    if seconds < 0 or seconds ~= seconds then
      raise(lucio.ValueError, "bad argument #2 to 'watch' (debounce must be 0 or more)")
    end
  end
  options = check_options("watch", 2, options, {recursive = "boolean", debounce = "number"})
  watch = watch or part("fs.watch", native)
  return watch(path, options)
end

return M
