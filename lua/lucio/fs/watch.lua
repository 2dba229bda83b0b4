--- lucio.fs.watch: what happens in a file or a directory. A part of lucio.fs.
-- Raw events become events in three steps, each of which can be cancelled without a loss: they
-- are read into `raw`, told one by one into `told`, and handed out; new directories are scanned
-- between.
local lucio, native = ...

local Watch = {__name = "lucio.fs.Watch"}
Watch.__index = Watch

-- the program may give the globals other values
local error, ipairs, pairs, setmetatable, table = error, ipairs, pairs, setmetatable, table

-- Seconds that the second half of a move may be late.
local MOVE = 0.02

local function has(event, flag)
  return event.mask & flag ~= 0
end

local function join(directory, name)
  if directory:sub(-1) == "/" then return directory .. name end
  return directory .. "/" .. name
end

local function tell(self, kind, path, from)
  self.told[#self.told + 1] = {kind = kind, path = path, from = from}
end

-- ---- directories ----

-- Watches a path. What vanishes meanwhile is not there to be watched.
local function add(self, path)
  local ok, wd = lucio.pcall(native.watch, path, self.native)
  if ok then
    self.paths[wd] = path
  elseif wd.code ~= "ENOENT" and wd.code ~= "ENOTDIR" then
    error(wd, 0)
  end
  return ok
end

-- Watches a directory and those below it. What is in a new one is told, as it may have been there
-- before it was watched; if an event comes for it as well, that is dropped.
local function scan(self, path, is_new)
  if not add(self, path) then return end
  local ok, names, kinds = lucio.pcall(native.list, path)
  if not ok then return end
  for i, name in ipairs(names) do
    local below = join(path, name)
    if is_new and not self.seen[below] then
      self.seen[below] = true
      tell(self, "created", below)
    end
    if kinds[i] == "directory" then self.todo[#self.todo + 1] = {path = below, is_new = is_new} end
  end
end

local function scan_all(self)
  while #self.todo > 0 do
    local last = self.todo[#self.todo]
    scan(self, last.path, last.is_new)
    for i, item in ipairs(self.todo) do
      if item == last then table.remove(self.todo, i) end
    end
  end
end

-- A directory has another name: so have all that are watched below it.
local function rename(self, from, to)
  for wd, path in pairs(self.paths) do
    if path == from then
      self.paths[wd] = to
    elseif path:sub(1, #from + 1) == from .. "/" then
      self.paths[wd] = to .. path:sub(#from + 1)
    end
  end
end

-- A directory has gone elsewhere: nothing below it is watched any more.
local function forget(self, path)
  for wd, below in pairs(self.paths) do
    if below == path or below:sub(1, #path + 1) == path .. "/" then self.native:forget(wd) end
  end
end

-- What had that name, or was below it, has another one now, and the name may come again.
local function unsee(self, path)
  for seen in pairs(self.seen) do
    if seen == path or seen:sub(1, #path + 1) == path .. "/" then self.seen[seen] = nil end
  end
end

-- ---- telling ----

local function gone(self, moved)
  if moved.is_directory then forget(self, moved.path) end
  tell(self, "deleted", moved.path)
end

local function new_directory(self, event, path)
  if self.recursive and has(event, native.ISDIR) then
    self.todo[#self.todo + 1] = {path = path, is_new = true}
  end
end

-- Tells one raw event. Does not wait.
local function tell_raw(self, event)
  local base = self.paths[event.wd]
  local path = base and event.name and join(base, event.name) or base
  local moved = self.moved
  if moved then
    self.moved = nil
    if has(event, native.MOVED_TO) and event.cookie == moved.cookie then
      if moved.is_directory then rename(self, moved.path, path) end
      return tell(self, "moved", path, moved.path)
    end
    gone(self, moved)
  end
  if has(event, native.Q_OVERFLOW) then
    self.told[#self.told + 1] = {kind = "modified", path = self.path, overflow = true}
  elseif has(event, native.IGNORED) then
    self.paths[event.wd] = nil
  elseif not path then
    return
  elseif has(event, native.CREATE) or has(event, native.MOVED_TO) then
    if not self.seen[path] then
      tell(self, "created", path)
      new_directory(self, event, path)
    end
    self.seen[path] = nil
  elseif has(event, native.MODIFY) then
    tell(self, "modified", path)
  elseif has(event, native.DELETE) then
    self.seen[path] = nil
    tell(self, "deleted", path)
  elseif has(event, native.MOVED_FROM) then
    unsee(self, path)
    self.moved = {path = path, cookie = event.cookie, is_directory = has(event, native.ISDIR)}
  elseif base == self.path and (has(event, native.DELETE_SELF) or has(event, native.MOVE_SELF)) then
    tell(self, "deleted", path)
  end
end

-- ---- reading ----

-- Reads for that long at most; false: nothing came.
local function read(self, seconds)
  if not seconds then
    self.raw = self.native:read()
    return true
  end
  local ok, e = lucio.pcall(function()
    local _ <close> = lucio.timeout(seconds)
    self.raw = self.native:read()
  end)
  if not ok and not lucio.isinstance(e, lucio.TimeoutError) then error(e, 0) end
  return ok
end

-- Tells all that was read.
local function digest(self)
  scan_all(self)
  while self.raw and self.raw[1] do
    tell_raw(self, table.remove(self.raw, 1))
    scan_all(self)
  end
end

-- Waits until something is told, or it is closed.
local function fill(self)
  digest(self)
  while #self.told == 0 and not self.closed do
    if not read(self, self.moved and MOVE) and self.moved then
      local moved = self.moved
      self.moved = nil
      gone(self, moved)
    end
    digest(self)
  end
end

-- One event for each path: what has become of it.
local function merge(told)
  local merged, last = {}, {}
  for _, event in ipairs(told) do
    local before = last[event.path]
    local is_move = event.kind == "moved" or
      before and before.kind == "moved" and event.kind ~= "modified"
    if not before or is_move then
      merged[#merged + 1] = event
      last[event.path] = event
    elseif event.kind == "deleted" then
      if before.kind == "created" then before.dropped = true else before.kind = "deleted" end
      if before.dropped then last[event.path] = nil end
    elseif event.kind == "created" then
      before.kind = "modified"
    end
    if event.from then last[event.from] = nil end
  end
  local kept = {}
  for _, event in ipairs(merged) do
    if not event.dropped then kept[#kept + 1] = event end
  end
  return kept
end

-- Until nothing has happened for a while.
local function settle(self)
  fill(self)
  while not self.closed and read(self, self.debounce) do digest(self) end
  if self.moved then
    local moved = self.moved
    self.moved = nil
    gone(self, moved)
  end
  self.told = merge(self.told)
end

-- ---- the object ----

--- The next event; nil when it is closed. May wait.
function Watch:__call()
  local _ <close> = self.lock:acquire()
  while not self.ready[1] and not self.closed do
    if self.debounce then settle(self) else fill(self) end
    self.ready, self.told = self.told, {}
  end
  if self.closed then return nil end
  return table.remove(self.ready, 1)
end

--- Ends it; a loop over it ends with the next event.
function Watch:close()
  self.closed = true
  self.native:close()
end

Watch.__close = Watch.close

function Watch:__tostring()
  return ("<Watch '%s'%s>"):format(self.path, self.closed and " closed" or "")
end

local Beginning = {
  __close = function(self)
    if self.watch then self.watch:close() end
  end,
}

return function(path, options)
  local self = setmetatable({
    path = path, recursive = options.recursive, debounce = options.debounce,
    native = native.inotify(), lock = lucio.Lock(), closed = false,
    paths = {}, -- wd -> path
    raw = {}, told = {}, ready = {}, todo = {},
    seen = {}, -- paths that a scan has told before their event
  }, Watch)
  -- cancelled while it begins, it is closed at once
  local beginning <close> = setmetatable({watch = self}, Beginning)
  local wd = native.watch(path, self.native)
  self.paths[wd] = path
  if self.recursive then
    self.todo[1] = {path = path}
    scan_all(self)
  end
  beginning.watch = nil
  return self
end
