---@meta lucio

-- Types for the Lua language server: the module `lucio`. The documents are in docs/api.

---@alias lucio.Awaitable<T> lucio.Future<T>|lucio.Task<T>|lucio.Coroutine<T>|fun(): T|table
---@alias lucio.SocketAddress string|lucio.Address
---@alias lucio.Family "inet"|"inet6"
---@alias lucio.Signal integer|string A number, or a name such as "SIGTERM".

-- ---- errors ----

---@class lucio.BaseException An error object: what the API raises.
---@field name string Of its class.
---@field message string
---@field args any[]
---@field traceback? string Through all tasks that it came through.
---@field cause? any
---@field context? any What was being handled when it was raised.
---@field value? any Of LuaError: what was raised.
---@field errno? integer Of OSError.
---@field code? string|integer Of OSError, such as "ENOENT"; of SystemExit the status.
---@field strerror? string Of OSError, what the number means.
---@field filename? string Of OSError.
---@field filename2? string Of OSError, of an operation on two paths.
---@field partial? string Of IncompleteReadError: what came before the end.
---@field expected? integer Of IncompleteReadError.
---@field consumed? integer Of LimitOverrunError.

---@class lucio.ExceptionGroupObject: lucio.BaseException
---@field exceptions lucio.BaseException[]
---@field split fun(self: lucio.ExceptionGroupObject, class: lucio.ErrorClass|function): lucio.ExceptionGroupObject?, lucio.ExceptionGroupObject? Those that match, and the rest.
---@field subgroup fun(self: lucio.ExceptionGroupObject, class: lucio.ErrorClass|function): lucio.ExceptionGroupObject?
---@field derive fun(self: lucio.ExceptionGroupObject, list: lucio.BaseException[]): lucio.ExceptionGroupObject

---@class lucio.ErrorClass Called to make an error.
---@field name string
---@field parent? lucio.ErrorClass
---@overload fun(message?: any, ...: any): lucio.BaseException

---@class lucio.ExceptionGroupClass: lucio.ErrorClass
---@overload fun(message: string, list: lucio.BaseException[]): lucio.ExceptionGroupObject

-- ---- futures and tasks ----

---@class lucio.Future<T>
---@field await fun(self: lucio.Future<T>): T Waits; gives all results or raises the error.
---@field done fun(self: lucio.Future<T>): boolean
---@field cancelled fun(self: lucio.Future<T>): boolean
---@field result fun(self: lucio.Future<T>): T All results, or raises; InvalidStateError while it is pending.
---@field exception fun(self: lucio.Future<T>): lucio.BaseException?
---@field set_result fun(self: lucio.Future<T>, ...: T)
---@field set_exception fun(self: lucio.Future<T>, e: any)
---@field cancel fun(self: lucio.Future<T>, message?: any): boolean
---@field add_done_callback fun(self: lucio.Future<T>, fn: fun(future: lucio.Future<T>), options?: {context: lucio.Context})
---@field remove_done_callback fun(self: lucio.Future<T>, fn: function): integer
---@field get_loop fun(self: lucio.Future<T>): lucio.Loop

---@class lucio.Task<T>: lucio.Future<T>
---@field await fun(self: lucio.Task<T>): T Waits; gives all results or raises the error.
---@field result fun(self: lucio.Task<T>): T All results, or raises; InvalidStateError while it is pending.
---@field get_name fun(self: lucio.Task<T>): string
---@field set_name fun(self: lucio.Task<T>, name: any)
---@field uncancel fun(self: lucio.Task<T>): integer
---@field cancelling fun(self: lucio.Task<T>): integer
---@field get_coro fun(self: lucio.Task<T>): any
---@field get_context fun(self: lucio.Task<T>): lucio.Context
---@field traceback fun(self: lucio.Task<T>): string Where it is suspended, or where it failed.
---@field print_stack fun(self: lucio.Task<T>, ...: any)

---@class lucio.Coroutine<T> What an async function returns: runs when it is awaited or made a task, once.
---@field await fun(self: lucio.Coroutine<T>): T
---@field close fun(self: lucio.Coroutine<T>)

---@class lucio.Generator For `for`, and called: the next values.
---@field asend fun(self: lucio.Generator, ...: any): any
---@field athrow fun(self: lucio.Generator, e: any): any
---@field aclose fun(self: lucio.Generator)
---@overload fun(...: any): any

---@class lucio.List<T> A list of tasks.
---@field [integer] T
---@field has fun(self: lucio.List<T>, task: T): boolean

---@class lucio.TaskOptions
---@field [integer] any The function and its arguments.
---@field name? any
---@field context? lucio.Context
---@field eager_start? boolean

---@class lucio.TaskNode What `task_tree` gives.
---@field kind string
---@field name? string
---@field children? lucio.TaskNode[]
---@field task? lucio.Task
---@field id? integer
---@field state? "running"|"ready"|"waiting"
---@field cancelling? boolean
---@field place? string
---@field created? string
---@field waits_for? string
---@field seconds? number
---@field shown? "above"|"circle"

---@class lucio.Context
---@field run fun(self: lucio.Context, fn: fun(...: any): any, ...: any): any `fn` may wait.
---@field get fun(self: lucio.Context, var: lucio.ContextVar, default?: any): any
---@field copy fun(self: lucio.Context): lucio.Context

---@class lucio.ContextVar<T>
---@field get fun(self: lucio.ContextVar<T>, default?: T): T
---@field set fun(self: lucio.ContextVar<T>, value: T): lucio.Token
---@field reset fun(self: lucio.ContextVar<T>, token: lucio.Token)

---@class lucio.Token

---@class lucio.Timeout `local t <close> = lucio.timeout(2)`
---@field reschedule fun(self: lucio.Timeout, when?: number)
---@field when fun(self: lucio.Timeout): number?
---@field expired fun(self: lucio.Timeout): boolean

---@class lucio.TaskGroup `local tg <close> = lucio.TaskGroup()`
---@field create_task fun(self: lucio.TaskGroup, fn: lucio.Awaitable|lucio.TaskOptions, ...: any): lucio.Task
---@field cancel fun(self: lucio.TaskGroup, message?: any)

-- ---- synchronisation ----

---@class lucio.Lock
---@field acquire fun(self: lucio.Lock): lucio.Lock Waits; for `local _ <close> = lock:acquire()`.
---@field release fun(self: lucio.Lock)
---@field locked fun(self: lucio.Lock): boolean

---@class lucio.Semaphore
---@field acquire fun(self: lucio.Semaphore): lucio.Semaphore Waits.
---@field release fun(self: lucio.Semaphore)
---@field locked fun(self: lucio.Semaphore): boolean

---@class lucio.Event
---@field set fun(self: lucio.Event)
---@field clear fun(self: lucio.Event)
---@field is_set fun(self: lucio.Event): boolean
---@field wait fun(self: lucio.Event): true Waits.

---@class lucio.Condition
---@field acquire fun(self: lucio.Condition): lucio.Condition Waits.
---@field release fun(self: lucio.Condition)
---@field locked fun(self: lucio.Condition): boolean
---@field wait fun(self: lucio.Condition): true Waits.
---@field wait_for fun(self: lucio.Condition, predicate: fun(): any): any Waits.
---@field notify fun(self: lucio.Condition, n?: integer)
---@field notify_all fun(self: lucio.Condition)

---@class lucio.Barrier
---@field parties integer
---@field n_waiting integer
---@field broken boolean
---@field wait fun(self: lucio.Barrier): integer Waits; from 0.
---@field reset fun(self: lucio.Barrier)
---@field abort fun(self: lucio.Barrier)

---@class lucio.Queue<T>
---@field maxsize integer
---@field put fun(self: lucio.Queue<T>, item: T) Waits while it is full.
---@field get fun(self: lucio.Queue<T>): T Waits while it is empty.
---@field put_nowait fun(self: lucio.Queue<T>, item: T) QueueFull.
---@field get_nowait fun(self: lucio.Queue<T>): T QueueEmpty.
---@field qsize fun(self: lucio.Queue<T>): integer
---@field empty fun(self: lucio.Queue<T>): boolean
---@field full fun(self: lucio.Queue<T>): boolean
---@field task_done fun(self: lucio.Queue<T>)
---@field join fun(self: lucio.Queue<T>) Waits.
---@field shutdown fun(self: lucio.Queue<T>, immediate?: boolean)
---@field items fun(self: lucio.Queue<T>): fun(): integer, T For `for`, until it is shut down and empty.

-- ---- the loop ----

---@class lucio.Handle Of `call_soon`, `call_later` and `call_at`.
---@field cancel fun(self: lucio.Handle)
---@field cancelled fun(self: lucio.Handle): boolean
---@field when fun(self: lucio.Handle): number Of a timer.

---@class lucio.Runner `local runner <close> = lucio.Runner()`
---@field run fun(self: lucio.Runner, main: lucio.Awaitable, ...: any): any
---@field get_loop fun(self: lucio.Runner): lucio.Loop
---@field close fun(self: lucio.Runner)

---@class lucio.RunnerOptions
---@field debug? boolean
---@field backend? string
---@field shutdown_timeout? number

---@class lucio.AddressInfo
---@field address lucio.Address

---@class lucio.Loop
---@field backend string
---@field slow_callback_duration number
---@field shutdown_timeout number
---@field time fun(self: lucio.Loop): number
---@field call_soon fun(self: lucio.Loop, fn: function, ...: any): lucio.Handle
---@field call_soon_threadsafe fun(self: lucio.Loop, fn: function, ...: any): lucio.Handle
---@field call_later fun(self: lucio.Loop, delay: number, fn: function, ...: any): lucio.Handle
---@field call_at fun(self: lucio.Loop, when: number, fn: function, ...: any): lucio.Handle
---@field create_task fun(self: lucio.Loop, fn: lucio.Awaitable|lucio.TaskOptions, ...: any): lucio.Task
---@field create_future fun(self: lucio.Loop): lucio.Future
---@field run_until_complete fun(self: lucio.Loop, awaitable: lucio.Awaitable): any
---@field run_forever fun(self: lucio.Loop)
---@field stop fun(self: lucio.Loop)
---@field close fun(self: lucio.Loop)
---@field is_running fun(self: lucio.Loop): boolean
---@field is_closed fun(self: lucio.Loop): boolean
---@field run_in_executor fun(self: lucio.Loop, executor: lucio.ThreadPoolExecutor|lucio.ProcessPoolExecutor|nil, fn: function|string, ...: any): lucio.Future
---@field set_default_executor fun(self: lucio.Loop, executor: lucio.ThreadPoolExecutor)
---@field shutdown_default_executor fun(self: lucio.Loop, timeout?: number) Waits.
---@field add_reader fun(self: lucio.Loop, fd: integer|file*, fn: function, ...: any): lucio.Handle
---@field remove_reader fun(self: lucio.Loop, fd: integer|file*): boolean
---@field add_writer fun(self: lucio.Loop, fd: integer|file*, fn: function, ...: any): lucio.Handle
---@field remove_writer fun(self: lucio.Loop, fd: integer|file*): boolean
---@field add_signal_handler fun(self: lucio.Loop, signal: lucio.Signal, fn: function, ...: any)
---@field remove_signal_handler fun(self: lucio.Loop, signal: lucio.Signal): boolean
---@field getaddrinfo fun(self: lucio.Loop, host?: string, port?: integer|string, options?: {family?: lucio.Family, type?: "stream"|"dgram"}): lucio.AddressInfo[] Waits.
---@field create_connection fun(self: lucio.Loop, factory: fun(): lucio.Protocol, host: string, port: integer|string, options?: lucio.ConnectionOptions): lucio.Transport, lucio.Protocol Waits.
---@field create_unix_connection fun(self: lucio.Loop, factory: fun(): lucio.Protocol, path: string, options?: lucio.ConnectionOptions): lucio.Transport, lucio.Protocol Waits.
---@field create_server fun(self: lucio.Loop, factory: fun(): lucio.Protocol, hosts?: string|string[], port: integer|string, options?: lucio.ServerOptions): lucio.Server Waits.
---@field create_unix_server fun(self: lucio.Loop, factory: fun(): lucio.Protocol, path: string, options?: lucio.UnixServerOptions): lucio.Server Waits.
---@field create_datagram_endpoint fun(self: lucio.Loop, factory: fun(): lucio.DatagramProtocol, options: lucio.DatagramOptions): lucio.DatagramTransport, lucio.DatagramProtocol Waits.
---@field start_tls fun(self: lucio.Loop, transport: lucio.Transport, protocol: lucio.Protocol, context: lucio.ssl.SSLContext, options?: lucio.ssl.StartOptions): lucio.Transport Waits.
---@field connect_read_pipe fun(self: lucio.Loop, factory: fun(): lucio.Protocol, fd: integer): lucio.Transport, lucio.Protocol Waits.
---@field connect_write_pipe fun(self: lucio.Loop, factory: fun(): lucio.Protocol, fd: integer): lucio.Transport, lucio.Protocol Waits.
---@field set_debug fun(self: lucio.Loop, on: boolean)
---@field get_debug fun(self: lucio.Loop): boolean
---@field set_exception_handler fun(self: lucio.Loop, fn?: fun(loop: lucio.Loop, context: table))
---@field get_exception_handler fun(self: lucio.Loop): function?
---@field call_exception_handler fun(self: lucio.Loop, context: table)
---@field default_exception_handler fun(self: lucio.Loop, context: table)
---@field set_task_factory fun(self: lucio.Loop, factory?: fun(loop: lucio.Loop, fn: any, ...: any): lucio.Task)
---@field get_task_factory fun(self: lucio.Loop): function?

-- ---- executors ----

---@class lucio.ThreadPoolExecutor `local pool <close> = lucio.ThreadPoolExecutor()`
---@field submit fun(self: lucio.ThreadPoolExecutor, fn: function|string, ...: any): lucio.Future
---@field map fun(self: lucio.ThreadPoolExecutor, fn: function|string, list: any[], options?: {chunksize?: integer, timeout?: number}): fun(): integer, any For `for`, in the order of the list; waits.
---@field shutdown fun(self: lucio.ThreadPoolExecutor, options?: {wait?: boolean, cancel_futures?: boolean, timeout?: number}) Waits.

---@class lucio.ProcessPoolExecutor `local pool <close> = lucio.ProcessPoolExecutor()`
---@field submit fun(self: lucio.ProcessPoolExecutor, fn: function|string, ...: any): lucio.Future
---@field map fun(self: lucio.ProcessPoolExecutor, fn: function|string, list: any[], options?: {chunksize?: integer, timeout?: number}): fun(): integer, any For `for`, in the order of the list; waits.
---@field shutdown fun(self: lucio.ProcessPoolExecutor, options?: {wait?: boolean, cancel_futures?: boolean, timeout?: number}) Waits; kills what runs after `timeout` seconds.
---@field terminate_workers fun(self: lucio.ProcessPoolExecutor) No more jobs; SIGTERM for every process.
---@field kill_workers fun(self: lucio.ProcessPoolExecutor) No more jobs; kills every process.

---@class lucio.ExecutorOptions
---@field max_workers? integer
---@field initializer? function|string
---@field name? string
---@field job_timeout? number Seconds.
---@field cancel_timeout? number Seconds.
---@field daemon? boolean

---@class lucio.ProcessExecutorOptions: lucio.ExecutorOptions
---@field job_timeout? number Seconds after which the process of a job is killed: TimeoutError.
---@field cancel_timeout? number Seconds after which the process of a cancelled job is killed.
---@field max_tasks_per_child? integer Jobs that one process does.

---@class lucio.Worker Inside of a job.
---@field index integer
---@field name string
---@field pid? integer Of a process.
---@field cancelled fun(): boolean
---@field report fun(value: any)

---@class lucio.LoopLink A loop of another thread, in a job.
---@field call_soon_threadsafe fun(self: lucio.LoopLink, fn: function, ...: any)
---@field is_closed fun(self: lucio.LoopLink): boolean

---@class lucio.ConcurrentFuture A task in the loop of another thread.
---@field result fun(self: lucio.ConcurrentFuture, timeout?: number): any Blocks the thread; in a task it waits.
---@field cancel fun(self: lucio.ConcurrentFuture): boolean
---@field done fun(self: lucio.ConcurrentFuture): boolean
---@field cancelled fun(self: lucio.ConcurrentFuture): boolean

-- ---- streams ----

---@class lucio.Address Also `{host, port}`; of a unix socket its path stands in its place.
---@field host? string
---@field port? integer
---@field family? string

---@class lucio.StreamReader
---@field read fun(self: lucio.StreamReader, n?: integer): string Waits; "" at the end.
---@field readline fun(self: lucio.StreamReader): string Waits; with its newline.
---@field readexactly fun(self: lucio.StreamReader, n: integer): string Waits; IncompleteReadError.
---@field readuntil fun(self: lucio.StreamReader, separator?: string|string[]): string Waits.
---@field lines fun(self: lucio.StreamReader, keep?: boolean|"L"): fun(): string For `for`; waits.
---@field at_eof fun(self: lucio.StreamReader): boolean
---@field feed_data fun(self: lucio.StreamReader, data: string) Of a reader without a connection.
---@field feed_eof fun(self: lucio.StreamReader) Of a reader without a connection.

---@class lucio.Transport
---@field write fun(self: lucio.Transport, data: string)
---@field writelines fun(self: lucio.Transport, list: string[])
---@field set_write_buffer_limits fun(self: lucio.Transport, high?: integer, low?: integer)
---@field get_write_buffer_limits fun(self: lucio.Transport): integer, integer
---@field get_write_buffer_size fun(self: lucio.Transport): integer
---@field write_eof fun(self: lucio.Transport)
---@field can_write_eof fun(self: lucio.Transport): boolean
---@field close fun(self: lucio.Transport)
---@field abort fun(self: lucio.Transport)
---@field is_closing fun(self: lucio.Transport): boolean
---@field get_extra_info fun(self: lucio.Transport, name: string, default?: any): any
---@field pause_reading fun(self: lucio.Transport)
---@field resume_reading fun(self: lucio.Transport)
---@field is_reading fun(self: lucio.Transport): boolean
---@field get_write_buffer_limits fun(self: lucio.Transport): integer, integer low, high
---@field get_protocol fun(self: lucio.Transport): lucio.Protocol
---@field set_protocol fun(self: lucio.Transport, protocol: lucio.Protocol)

---@class lucio.Protocol
---@field connection_made? fun(self: lucio.Protocol, transport: lucio.Transport)
---@field data_received? fun(self: lucio.Protocol, data: string)
---@field eof_received? fun(self: lucio.Protocol): boolean?
---@field pause_writing? fun(self: lucio.Protocol)
---@field resume_writing? fun(self: lucio.Protocol)
---@field connection_lost? fun(self: lucio.Protocol, error: any)

---@class lucio.DatagramOptions
---@field local_addr? string|lucio.Address|{[1]: string, [2]: integer|string} {host, port}, or a path.
---@field remote_addr? string|lucio.Address|{[1]: string, [2]: integer|string} {host, port}, or a path.
---@field family? lucio.Family|"unix"
---@field reuse_port? boolean
---@field allow_broadcast? boolean
---@field timeout? number Seconds.

---@class lucio.DatagramEndpoint
---@field sendto fun(self: lucio.DatagramEndpoint, data: string, address?: lucio.SocketAddress|{[1]: string, [2]: integer})
---@field recvfrom fun(self: lucio.DatagramEndpoint, limit?: integer): string, lucio.SocketAddress?, integer? Waits; data, address, the size of one that was cut off.
---@field datagrams fun(self: lucio.DatagramEndpoint): fun(): string?, lucio.SocketAddress?, integer? For a loop; waits.
---@field drain fun(self: lucio.DatagramEndpoint) Waits.
---@field close fun(self: lucio.DatagramEndpoint)
---@field abort fun(self: lucio.DatagramEndpoint)
---@field is_closing fun(self: lucio.DatagramEndpoint): boolean
---@field wait_closed fun(self: lucio.DatagramEndpoint) Waits.
---@field getsockname fun(self: lucio.DatagramEndpoint): lucio.SocketAddress
---@field getpeername fun(self: lucio.DatagramEndpoint): lucio.SocketAddress?
---@field fileno fun(self: lucio.DatagramEndpoint): integer -1 once it is closed.
---@field get_extra_info fun(self: lucio.DatagramEndpoint, name: string, default?: any): any
---@field set_write_buffer_limits fun(self: lucio.DatagramEndpoint, high?: integer, low?: integer)
---@field get_write_buffer_limits fun(self: lucio.DatagramEndpoint): integer, integer
---@field get_write_buffer_size fun(self: lucio.DatagramEndpoint): integer

---@class lucio.DatagramTransport
---@field sendto fun(self: lucio.DatagramTransport, data: string, address?: lucio.SocketAddress|{[1]: string, [2]: integer})
---@field close fun(self: lucio.DatagramTransport)
---@field abort fun(self: lucio.DatagramTransport)
---@field is_closing fun(self: lucio.DatagramTransport): boolean
---@field getsockname fun(self: lucio.DatagramTransport): lucio.SocketAddress
---@field getpeername fun(self: lucio.DatagramTransport): lucio.SocketAddress?
---@field fileno fun(self: lucio.DatagramTransport): integer -1 once it is closed.
---@field get_extra_info fun(self: lucio.DatagramTransport, name: string, default?: any): any
---@field set_write_buffer_limits fun(self: lucio.DatagramTransport, high?: integer, low?: integer)
---@field get_write_buffer_limits fun(self: lucio.DatagramTransport): integer, integer
---@field get_write_buffer_size fun(self: lucio.DatagramTransport): integer
---@field get_protocol fun(self: lucio.DatagramTransport): lucio.DatagramProtocol
---@field set_protocol fun(self: lucio.DatagramTransport, protocol: lucio.DatagramProtocol)

---@class lucio.DatagramProtocol
---@field connection_made? fun(self: lucio.DatagramProtocol, transport: lucio.DatagramTransport)
---@field datagram_received? fun(self: lucio.DatagramProtocol, data: string, address?: lucio.SocketAddress)
---@field error_received? fun(self: lucio.DatagramProtocol, error: lucio.BaseException)
---@field pause_writing? fun(self: lucio.DatagramProtocol)
---@field resume_writing? fun(self: lucio.DatagramProtocol)
---@field connection_lost? fun(self: lucio.DatagramProtocol, error: nil)

---@class lucio.StreamWriter
---@field write fun(self: lucio.StreamWriter, data: string)
---@field writelines fun(self: lucio.StreamWriter, list: string[])
---@field drain fun(self: lucio.StreamWriter) Waits.
---@field set_write_buffer_limits fun(self: lucio.StreamWriter, high?: integer, low?: integer)
---@field get_write_buffer_limits fun(self: lucio.StreamWriter): integer, integer
---@field get_write_buffer_size fun(self: lucio.StreamWriter): integer
---@field write_eof fun(self: lucio.StreamWriter)
---@field can_write_eof fun(self: lucio.StreamWriter): boolean
---@field start_tls fun(self: lucio.StreamWriter, context: lucio.ssl.SSLContext, options?: lucio.ssl.StartOptions) Waits.
---@field close fun(self: lucio.StreamWriter)
---@field abort fun(self: lucio.StreamWriter)
---@field is_closing fun(self: lucio.StreamWriter): boolean
---@field wait_closed fun(self: lucio.StreamWriter) Waits.
---@field get_extra_info fun(self: lucio.StreamWriter, name: string, default?: any): any

---@class lucio.Server `local server <close> = lucio.start_server(...)`
---@field sockets lucio.Listener[]
---@field serve_forever fun(self: lucio.Server) Waits.
---@field start_serving fun(self: lucio.Server) Waits.
---@field is_serving fun(self: lucio.Server): boolean
---@field close fun(self: lucio.Server)
---@field wait_closed fun(self: lucio.Server) Waits.
---@field drain fun(self: lucio.Server, seconds?: number): boolean Waits; false: some were aborted.
---@field close_clients fun(self: lucio.Server)
---@field abort_clients fun(self: lucio.Server)

---@class lucio.Listener A socket that accepts.
---@field getsockname fun(self: lucio.Listener): lucio.SocketAddress
---@field fileno fun(self: lucio.Listener): integer
---@field close fun(self: lucio.Listener)

---@class lucio.Socket What `writer:get_extra_info("socket")` gives.
---@field getsockname fun(self: lucio.Socket): lucio.SocketAddress?
---@field getpeername fun(self: lucio.Socket): lucio.SocketAddress?
---@field fileno fun(self: lucio.Socket): integer

---@class lucio.ConnectionOptions
---@field limit? integer Bytes.
---@field local_addr? {[1]: string, [2]: integer}
---@field timeout? number
---@field family? lucio.Family
---@field happy_eyeballs_delay? number
---@field all_errors? boolean
---@field ssl? lucio.ssl.SSLContext|true
---@field server_hostname? string
---@field session? lucio.ssl.SSLSession
---@field ssl_handshake_timeout? number
---@field ssl_shutdown_timeout? number

---@class lucio.ServerOptions
---@field backlog? integer
---@field reuse_address? boolean
---@field reuse_port? boolean
---@field limit? integer
---@field start_serving? boolean
---@field family? lucio.Family
---@field max_connections? integer
---@field drain_timeout? number Seconds.
---@field ssl? lucio.ssl.SSLContext
---@field ssl_handshake_timeout? number
---@field ssl_shutdown_timeout? number

---@class lucio.UnixServerOptions
---@field backlog? integer
---@field limit? integer
---@field start_serving? boolean
---@field cleanup_socket? boolean
---@field max_connections? integer
---@field drain_timeout? number Seconds.
---@field ssl? lucio.ssl.SSLContext
---@field ssl_handshake_timeout? number
---@field ssl_shutdown_timeout? number

-- ---- processes ----

---@class lucio.Process
---@field pid integer
---@field returncode? integer
---@field stdin? lucio.StreamWriter
---@field stdout? lucio.StreamReader
---@field stderr? lucio.StreamReader
---@field timed_out boolean
---@field wait fun(self: lucio.Process): integer Waits.
---@field communicate fun(self: lucio.Process, input?: string): string?, string? Waits.
---@field send_signal fun(self: lucio.Process, signal: lucio.Signal)
---@field terminate fun(self: lucio.Process)
---@field kill fun(self: lucio.Process)
---@field killpg fun(self: lucio.Process, signal?: lucio.Signal)

---@class lucio.ProcessOptions
---@field stdin? integer|file*
---@field stdout? integer|file*
---@field stderr? integer|file*
---@field limit? integer
---@field cwd? string
---@field env? table<string, string>
---@field timeout? number
---@field process_group? integer
---@field start_new_session? boolean
---@field executable? string

-- ---- the module ----

---@class lucio
---@field _VERSION string
---@field FIRST_COMPLETED string
---@field FIRST_EXCEPTION string
---@field ALL_COMPLETED string
---@field signal table<string, integer> Numbers by name: `lucio.signal.SIGTERM`.
---@field worker? lucio.Worker Inside of a job of an executor.
---@field eager_task_factory fun(loop: lucio.Loop, fn: any, ...: any): lucio.Task
---@field fs lucio.fs
---@field log lucio.log
---@field counter lucio.counter
---@field pretty lucio.pretty
---@field shared lucio.shared
---@field ssl lucio.ssl
---@field streams lucio.streams
---@field subprocess lucio.subprocess
---@field testing lucio.testing
---@field BaseException lucio.ErrorClass
---@field BaseExceptionGroup lucio.ExceptionGroupClass
---@field BrokenBarrierError lucio.ErrorClass
---@field BrokenPipeError lucio.ErrorClass
---@field BrokenProcessPool lucio.ErrorClass `.pid`, `.exitcode`
---@field BudgetError lucio.ErrorClass
---@field CancelledError lucio.ErrorClass
---@field ConnectionAbortedError lucio.ErrorClass
---@field ConnectionError lucio.ErrorClass
---@field ConnectionRefusedError lucio.ErrorClass
---@field ConnectionResetError lucio.ErrorClass
---@field Exception lucio.ErrorClass
---@field ExceptionGroup lucio.ExceptionGroupClass
---@field FileExistsError lucio.ErrorClass
---@field FileNotFoundError lucio.ErrorClass
---@field GeneratorExit lucio.ErrorClass
---@field IncompleteReadError lucio.ErrorClass
---@field InvalidStateError lucio.ErrorClass
---@field IsADirectoryError lucio.ErrorClass
---@field KeyboardInterrupt lucio.ErrorClass
---@field LimitOverrunError lucio.ErrorClass
---@field LookupError lucio.ErrorClass
---@field LuaError lucio.ErrorClass
---@field NotADirectoryError lucio.ErrorClass
---@field OSError lucio.ErrorClass
---@field PermissionError lucio.ErrorClass
---@field ProcessLookupError lucio.ErrorClass
---@field QueueEmpty lucio.ErrorClass
---@field QueueFull lucio.ErrorClass
---@field QueueShutDown lucio.ErrorClass
---@field RuntimeError lucio.ErrorClass
---@field SystemExit lucio.ErrorClass
---@field TimeoutError lucio.ErrorClass
---@field TypeError lucio.ErrorClass
---@field ValueError lucio.ErrorClass
---@field gaierror lucio.ErrorClass
---@field SSLError lucio.ErrorClass
---@field SSLCertVerificationError lucio.ErrorClass
local lucio = {}

-- running

---Runs `main(...)` as a task of a fresh loop until it ends; cancels and awaits what it left running.
---@generic T
---@param main lucio.Awaitable<T>|fun(...: any): T
---@return T ...
function lucio.run(main, ...) end

---Several runs on one loop and in one context.
---@param options? lucio.RunnerOptions
---@return lucio.Runner
function lucio.Runner(options) end

---RuntimeError outside of a task or callback.
---@return lucio.Loop
function lucio.get_running_loop() end

---@param options? {backend?: string}
---@return lucio.Loop
function lucio.new_event_loop(options) end

---Waits; `sleep(0)` lets one iteration of the loop pass.
---@generic T
---@param delay number Seconds.
---@param ... T
---@return T ...
function lucio.sleep(delay, ...) end

---Starts `fn(...)` as a task; its first step comes in the next iteration.
---@generic T
---@param fn (fun(...: any): T)|lucio.Awaitable<T>|lucio.TaskOptions
---@return lucio.Task<T>
function lucio.create_task(fn, ...) end

---The future or task itself, of all else a task.
---@generic T
---@param awaitable lucio.Awaitable<T>
---@return lucio.Future<T>
function lucio.ensure_future(awaitable) end

---An async function: calling it makes a Coroutine.
---@generic T
---@param fn fun(...: any): T
---@return fun(...: any): lucio.Coroutine<T>
function lucio.async(fn) end

---Waits.
---@generic T
---@param awaitable lucio.Awaitable<T>
---@return T ...
function lucio.await(awaitable) end

---@param x any
---@return boolean
function lucio.iscoroutine(x) end

---@param x any
---@return boolean
function lucio.iscoroutinefunction(x) end

---@param x any
---@return boolean
function lucio.isfuture(x) end

---@param x any
---@return boolean
function lucio.isawaitable(x) end

---@return lucio.Task?
function lucio.current_task() end

---@return lucio.Task[] # In order of creation.
function lucio.all_tasks() end

---Lua's `pcall`, through which CancelledError, KeyboardInterrupt and SystemExit go on.
---@param f function
---@return boolean ok
---@return any ...
function lucio.pcall(f, ...) end

---@param f function
---@param handler function
---@return boolean ok
---@return any ...
function lucio.xpcall(f, handler, ...) end

---Calls `fn(resource, ...)`, then the resource's `__exit` or `__close`; `__exit` may absorb an error.
---@generic R, T
---@param resource R
---@param fn fun(resource: R, ...: any): T
---@return T ...
function lucio.with(resource, fn, ...) end

---Raises SystemExit.
---@param code? integer|boolean|string
function lucio.exit(code) end

---An async generator: a function whose calls give a Generator; `coroutine.yield` gives a value.
---@param fn function
---@return lucio.Generator
function lucio.generator(fn) end

-- futures, and several at once

---@return lucio.Future
function lucio.Future() end

---Waits; the first result of each, in order, with `n`.
---@param ... lucio.Awaitable|{return_exceptions: boolean, [integer]: lucio.Awaitable}
---@return {n: integer, [integer]: any}
function lucio.gather(...) end

---Waits.
---@generic T
---@param list T[]
---@param options? {timeout?: number, return_when?: string}
---@return lucio.List<T> done
---@return lucio.List<T> pending
function lucio.wait(list, options) end

---Waits; cancels the awaitable and raises TimeoutError where it takes longer.
---@generic T
---@param awaitable lucio.Awaitable<T>
---@param timeout? number
---@return T ...
function lucio.wait_for(awaitable, timeout) end

---For `for`: each when it is done, in that order.
---@generic T
---@param list T[]
---@param options? {timeout?: number}
---@return fun(): T
function lucio.as_completed(list, options) end

---A future that keeps cancellation from what is inside.
---@generic T
---@param awaitable lucio.Awaitable<T>
---@return lucio.Future<T>
function lucio.shield(awaitable) end

---@param delay? number
---@return lucio.Timeout
function lucio.timeout(delay) end

---@param when? number
---@return lucio.Timeout
function lucio.timeout_at(when) end

---@return lucio.TaskGroup
function lucio.TaskGroup() end

---Calls `fn(...)` in a thread of the default executor. Waits.
---@generic T
---@param fn (fun(...: any): T)|string
---@return T ...
function lucio.to_thread(fn, ...) end

---Runs a coroutine as a task of the loop of another thread, from a job.
---@param coro lucio.Coroutine|function
---@param loop lucio.Loop|lucio.LoopLink
---@return lucio.ConcurrentFuture|lucio.Task
function lucio.run_coroutine_threadsafe(coro, loop) end

---For a `for` loop: what the job behind the future reports. Waits.
---@param future lucio.Future
---@return fun(queue: any, i: integer): integer?, any
---@return any
---@return integer
function lucio.reports(future) end

-- synchronisation

---@return lucio.Lock
function lucio.Lock() end

---@param n? integer
---@return lucio.Semaphore
function lucio.Semaphore(n) end

---@param n? integer
---@return lucio.Semaphore
function lucio.BoundedSemaphore(n) end

---@return lucio.Event
function lucio.Event() end

---@param lock? lucio.Lock
---@return lucio.Condition
function lucio.Condition(lock) end

---@param n integer
---@return lucio.Barrier
function lucio.Barrier(n) end

---@param maxsize? integer
---@return lucio.Queue
function lucio.Queue(maxsize) end

---@param maxsize? integer
---@return lucio.Queue
function lucio.LifoQueue(maxsize) end

---@param maxsize? integer
---@param less? fun(a: any, b: any): boolean
---@return lucio.Queue
function lucio.PriorityQueue(maxsize, less) end

-- context variables

---@generic T
---@param name string
---@param default? T
---@return lucio.ContextVar<T>
function lucio.ContextVar(name, default) end

---@return lucio.Context
function lucio.copy_context() end

-- executors

---@param options? lucio.ExecutorOptions
---@return lucio.ThreadPoolExecutor
function lucio.ThreadPoolExecutor(options) end

---@param options? lucio.ProcessExecutorOptions
---@return lucio.ProcessPoolExecutor
function lucio.ProcessPoolExecutor(options) end

---@return integer
function lucio.cpu_count() end

---A table that each thread has for itself.
---@return table
function lucio.thread_local() end

-- streams and processes

---Waits.
---@param host string
---@param port integer|string
---@param options? lucio.ConnectionOptions
---@return lucio.StreamReader reader
---@return lucio.StreamWriter writer
function lucio.open_connection(host, port, options) end

---Waits.
---@param path string
---@param options? {limit?: integer, timeout?: number}
---@return lucio.StreamReader reader
---@return lucio.StreamWriter writer
function lucio.open_unix_connection(path, options) end

---Waits. The function is called for each connection, as a task.
---@param callback fun(reader: lucio.StreamReader, writer: lucio.StreamWriter)
---@param hosts? string|string[]
---@param port integer|string
---@param options? lucio.ServerOptions
---@return lucio.Server
function lucio.start_server(callback, hosts, port, options) end

---Waits.
---@param callback fun(reader: lucio.StreamReader, writer: lucio.StreamWriter)
---@param path string
---@param options? lucio.UnixServerOptions
---@return lucio.Server
function lucio.start_unix_server(callback, path, options) end

---Waits.
---@param options? {limit?: integer}
---@return lucio.StreamReader
function lucio.connect_stdin(options) end

---Waits.
---@return lucio.StreamWriter
function lucio.connect_stdout() end

---Waits.
---@return lucio.StreamWriter
function lucio.connect_stderr() end

---Waits. With an address to receive at, to send to, or a family.
---@param options lucio.DatagramOptions
---@return lucio.DatagramEndpoint
function lucio.open_datagram(options) end

---@param options? {limit?: integer}
---@return lucio.StreamReader
function lucio.StreamReader(options) end

---Waits.
---@param program string|table
---@param ... string|lucio.ProcessOptions
---@return lucio.Process
function lucio.create_subprocess_exec(program, ...) end

---Waits.
---@param command string
---@param options? lucio.ProcessOptions
---@return lucio.Process
function lucio.create_subprocess_shell(command, options) end

-- errors

---A new class of errors.
---@param name string
---@param parent? lucio.ErrorClass
---@return lucio.ErrorClass
function lucio.exception(name, parent) end

---@param x any
---@param class lucio.ErrorClass|lucio.ErrorClass[]
---@return boolean
function lucio.isinstance(x, class) end

---Calls `fn()`; of the errors that it raises each handler gets a group of its class.
---@param fn function
---@param ... lucio.ErrorClass|fun(group: lucio.ExceptionGroupObject)
---@return any ...
function lucio.except_star(fn, ...) end

-- looking into a program

---@param out? file*|fun(text: string)|table
function lucio.print_tasks(out) end

---@return lucio.TaskNode[]
function lucio.task_tree() end

---@return table<string, integer>
function lucio.stats() end

---@param seconds? number
---@param options? {kill?: boolean}
function lucio.watchdog(seconds, options) end

return lucio
