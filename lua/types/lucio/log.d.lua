---@meta lucio.log

---@alias lucio.log.Level integer|"DEBUG"|"INFO"|"WARNING"|"ERROR"|"CRITICAL"|string
---@alias lucio.log.FilterLike lucio.log.Filter|fun(record: lucio.log.LogRecord): any

---@class lucio.log.LogRecord
---@field name string Of the logger.
---@field levelno integer
---@field levelname string
---@field msg any
---@field args table
---@field created number
---@field pathname string
---@field filename string
---@field lineno integer
---@field funcName string
---@field message? string
---@field asctime? string
---@field taskName? string
---@field exc_info? any
---@field getMessage fun(self: lucio.log.LogRecord): string

---@class lucio.log.Formatter
---@field format fun(self: lucio.log.Formatter, record: lucio.log.LogRecord): string
---@field formatTime fun(self: lucio.log.Formatter, record: lucio.log.LogRecord, datefmt?: string): string
---@field formatException fun(self: lucio.log.Formatter, e: any): string
---@field formatStack fun(self: lucio.log.Formatter, text: string): string
---@field formatMessage fun(self: lucio.log.Formatter, record: lucio.log.LogRecord): string
---@field usesTime fun(self: lucio.log.Formatter): boolean

---@class lucio.log.Filter
---@field filter fun(self: lucio.log.Filter, record: lucio.log.LogRecord): boolean

---@class lucio.log.Filterer
---@field addFilter fun(self: lucio.log.Filterer, filter: lucio.log.FilterLike)
---@field removeFilter fun(self: lucio.log.Filterer, filter: lucio.log.FilterLike)
---@field filter fun(self: lucio.log.Filterer, record: lucio.log.LogRecord): boolean

---@class lucio.log.Handler: lucio.log.Filterer
---@field name? string
---@field level integer
---@field formatter? lucio.log.Formatter
---@field setLevel fun(self: lucio.log.Handler, level: lucio.log.Level)
---@field setFormatter fun(self: lucio.log.Handler, formatter?: lucio.log.Formatter)
---@field format fun(self: lucio.log.Handler, record: lucio.log.LogRecord): string
---@field emit fun(self: lucio.log.Handler, record: lucio.log.LogRecord) A handler of one's own defines this; it may wait.
---@field handle fun(self: lucio.log.Handler, record: lucio.log.LogRecord)
---@field handleError fun(self: lucio.log.Handler, record: lucio.log.LogRecord, e: any)
---@field flush fun(self: lucio.log.Handler)
---@field close fun(self: lucio.log.Handler)
---@field describe fun(self: lucio.log.Handler): string

---@class lucio.log.StreamHandler: lucio.log.Handler
---@field terminator string
---@field setStream fun(self: lucio.log.StreamHandler, stream?: file*|table)

---@class lucio.log.FileHandler: lucio.log.StreamHandler
---@field reopen fun(self: lucio.log.FileHandler) Goes on in a new file of that name.

---@class lucio.log.FunctionHandler: lucio.log.Handler

---@class lucio.log.NullHandler: lucio.log.Handler

---@alias lucio.log.Message string|any|{extra?: table, exc_info?: any, stack_info?: boolean, stacklevel?: integer, [integer]: any}

---@class lucio.log.Logger: lucio.log.Filterer
---@field name string
---@field level integer
---@field parent? lucio.log.Logger
---@field handlers lucio.log.Handler[]
---@field propagate boolean
---@field disabled boolean
---@field debug fun(self: lucio.log.Logger, message: lucio.log.Message, ...: any)
---@field info fun(self: lucio.log.Logger, message: lucio.log.Message, ...: any)
---@field warning fun(self: lucio.log.Logger, message: lucio.log.Message, ...: any)
---@field warn fun(self: lucio.log.Logger, message: lucio.log.Message, ...: any)
---@field error fun(self: lucio.log.Logger, message: lucio.log.Message, ...: any)
---@field critical fun(self: lucio.log.Logger, message: lucio.log.Message, ...: any)
---@field fatal fun(self: lucio.log.Logger, message: lucio.log.Message, ...: any)
---@field log fun(self: lucio.log.Logger, level: lucio.log.Level, message: lucio.log.Message, ...: any)
---@field exception fun(self: lucio.log.Logger, message: lucio.log.Message, ...: any) The error is the last argument.
---@field setLevel fun(self: lucio.log.Logger, level: lucio.log.Level)
---@field getEffectiveLevel fun(self: lucio.log.Logger): integer
---@field isEnabledFor fun(self: lucio.log.Logger, level: lucio.log.Level): boolean
---@field getChild fun(self: lucio.log.Logger, suffix: string): lucio.log.Logger
---@field getChildren fun(self: lucio.log.Logger): lucio.log.Logger[]
---@field addHandler fun(self: lucio.log.Logger, handler: lucio.log.Handler|fun(record: lucio.log.LogRecord, text: string)): lucio.log.Handler
---@field removeHandler fun(self: lucio.log.Logger, handler: lucio.log.Handler|function)
---@field hasHandlers fun(self: lucio.log.Logger): boolean
---@field callHandlers fun(self: lucio.log.Logger, record: lucio.log.LogRecord)
---@field handle fun(self: lucio.log.Logger, record: lucio.log.LogRecord)

---@class lucio.log.ConfigOptions
---@field level? lucio.log.Level
---@field format? string
---@field datefmt? string
---@field filename? string
---@field filemode? string
---@field stream? file*|table
---@field handlers? lucio.log.Handler[]
---@field force? boolean

---@class lucio.log
---@field NOTSET integer
---@field DEBUG integer
---@field INFO integer
---@field WARNING integer
---@field WARN integer
---@field ERROR integer
---@field CRITICAL integer
---@field FATAL integer
---@field BASIC_FORMAT string
---@field raiseExceptions boolean
---@field root lucio.log.Logger
---@field lastResort? lucio.log.Handler
---@field Logger table The class.
---@field LogRecord table The class.
---@field Formatter table|fun(format?: string, datefmt?: string, options?: {defaults?: table}): lucio.log.Formatter
---@field Filter table|fun(name?: string): lucio.log.Filter
---@field Handler table|fun(level?: lucio.log.Level): lucio.log.Handler
---@field StreamHandler table|fun(stream?: file*|table): lucio.log.StreamHandler
---@field FileHandler table|fun(filename: string, mode?: string, options?: {delay?: boolean}): lucio.log.FileHandler
---@field FunctionHandler table|fun(fn: fun(record: lucio.log.LogRecord, text: string), level?: lucio.log.Level): lucio.log.FunctionHandler
---@field NullHandler table|fun(): lucio.log.NullHandler
local log = {}

---@param name? string
---@return lucio.log.Logger
function log.getLogger(name) end

---@param options? lucio.log.ConfigOptions
function log.basicConfig(options) end

---@param message lucio.log.Message
function log.debug(message, ...) end

---@param message lucio.log.Message
function log.info(message, ...) end

---@param message lucio.log.Message
function log.warning(message, ...) end

---@param message lucio.log.Message
function log.warn(message, ...) end

---@param message lucio.log.Message
function log.error(message, ...) end

---@param message lucio.log.Message
function log.critical(message, ...) end

---@param message lucio.log.Message
function log.fatal(message, ...) end

---@param level lucio.log.Level
---@param message lucio.log.Message
function log.log(level, message, ...) end

---The error is the last argument.
---@param message lucio.log.Message
function log.exception(message, ...) end

---@param level? lucio.log.Level
function log.disable(level) end

---@param level lucio.log.Level
---@return string|integer
function log.getLevelName(level) end

---@param level integer
---@param name string
function log.addLevelName(level, name) end

---@return table<string, integer>
function log.getLevelNamesMapping() end

---@param fields table
---@return lucio.log.LogRecord
function log.makeLogRecord(fields) end

---Flushes and closes all handlers.
function log.shutdown() end

return log
