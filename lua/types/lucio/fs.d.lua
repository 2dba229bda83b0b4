---@meta lucio.fs

-- Every function of this module waits.

---@alias lucio.fs.Type "file"|"directory"|"link"|"fifo"|"socket"|"device"|"block"|"unknown"

---@class lucio.fs.File `local file <close> = fs.open(path)`
---@field name string
---@field closed boolean
---@field read fun(self: lucio.fs.File, n?: integer): string Waits; all the rest without n.
---@field readline fun(self: lucio.fs.File): string Waits; with its newline, "" at the end.
---@field lines fun(self: lucio.fs.File, keep?: boolean|"L"): fun(): string For `for`; waits.
---@field write fun(self: lucio.fs.File, data: string): integer Waits.
---@field flush fun(self: lucio.fs.File) Waits.
---@field sync fun(self: lucio.fs.File) Waits.
---@field seek fun(self: lucio.fs.File, offset: integer, whence?: "set"|"cur"|"end"): integer Waits.
---@field tell fun(self: lucio.fs.File): integer
---@field truncate fun(self: lucio.fs.File, size?: integer): integer Waits.
---@field close fun(self: lucio.fs.File) Waits.
---@field fileno fun(self: lucio.fs.File): integer

---@class lucio.fs.Stat
---@field size integer
---@field mtime number
---@field atime number
---@field ctime number
---@field mode integer
---@field type lucio.fs.Type
---@field ino integer
---@field dev integer
---@field nlink integer
---@field uid integer
---@field gid integer

---@class lucio.fs.Entry
---@field name string
---@field path string
---@field type lucio.fs.Type

---@class lucio.fs.TemporaryDirectory
---@field path string
---@field remove fun(self: lucio.fs.TemporaryDirectory) Waits.

---@class lucio.fs.Event
---@field kind "created"|"modified"|"deleted"|"moved"
---@field path string
---@field from? string of a move: the old path
---@field overflow? boolean events were lost

---@class lucio.fs.Watch `for event in watch do`
---@field close fun(self: lucio.fs.Watch)
---@overload fun(): lucio.fs.Event? Waits.

---@class lucio.fs
local fs = {}

---@param path string
---@param mode? string
---@return lucio.fs.File
function fs.open(path, mode) end

---@param path string
---@return string
function fs.read_file(path) end

---@param path string
---@param data string
---@param options? {atomic?: boolean}
function fs.write_file(path, data, options) end

---@param path string
---@param data string
function fs.append_file(path, data) end

---@param from string
---@param to string
function fs.copy(from, to) end

---@param path string
---@return lucio.fs.Stat
function fs.stat(path) end

---@param path string
---@return lucio.fs.Stat
function fs.lstat(path) end

---@param path string
---@return boolean
function fs.exists(path) end

---@param path string
function fs.remove(path) end

---@param from string
---@param to string
function fs.rename(from, to) end

---@param path string
---@param mode integer
function fs.chmod(path, mode) end

---@param target string
---@param path string
function fs.symlink(target, path) end

---@param path string
---@return string
function fs.readlink(path) end

---@param path string
---@return string
function fs.realpath(path) end

---@param path? string
---@return string[]
function fs.listdir(path) end

---@param path? string
---@return fun(): lucio.fs.Entry
function fs.scandir(path) end

---@param path string
---@param options? {followlinks?: boolean, onerror?: fun(e: lucio.BaseException)}
---@return fun(): string, string[], string[]
function fs.walk(path, options) end

---@param path string
---@param options? {parents?: boolean, exist_ok?: boolean, mode?: integer}
function fs.mkdir(path, options) end

---@param path string
function fs.rmdir(path) end

---@param path string
function fs.rmtree(path) end

---@param options? {dir?: string, prefix?: string}
---@return lucio.fs.File
function fs.tempfile(options) end

---@param options? {dir?: string, prefix?: string}
---@return lucio.fs.TemporaryDirectory
function fs.tempdir(options) end

---@param path string
---@param options? {recursive?: boolean, debounce?: number}
---@return lucio.fs.Watch
function fs.watch(path, options) end

return fs
