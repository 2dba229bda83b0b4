---@meta lucio.streams

---@class lucio.streams
local streams = {}

---Waits.
---@param host string
---@param port integer|string
---@param options? lucio.ConnectionOptions
---@return lucio.StreamReader reader
---@return lucio.StreamWriter writer
function streams.open_connection(host, port, options) end

---Waits.
---@param path string
---@param options? lucio.ConnectionOptions
---@return lucio.StreamReader reader
---@return lucio.StreamWriter writer
function streams.open_unix_connection(path, options) end

---Waits.
---@param callback fun(reader: lucio.StreamReader, writer: lucio.StreamWriter)
---@param hosts? string|string[]
---@param port integer|string
---@param options? lucio.ServerOptions
---@return lucio.Server
function streams.start_server(callback, hosts, port, options) end

---Waits.
---@param callback fun(reader: lucio.StreamReader, writer: lucio.StreamWriter)
---@param path string
---@param options? lucio.UnixServerOptions
---@return lucio.Server
function streams.start_unix_server(callback, path, options) end

---Waits.
---@param options? {limit?: integer}
---@return lucio.StreamReader
function streams.connect_stdin(options) end

---Waits.
---@return lucio.StreamWriter
function streams.connect_stdout() end

---Waits.
---@return lucio.StreamWriter
function streams.connect_stderr() end

---Waits.
---@param factory fun(): lucio.Protocol
---@param host string
---@param port integer|string
---@param options? lucio.ConnectionOptions
---@return lucio.Transport transport
---@return lucio.Protocol protocol
function streams.create_connection(factory, host, port, options) end

---Waits.
---@param factory fun(): lucio.Protocol
---@param path string
---@param options? lucio.ConnectionOptions
---@return lucio.Transport transport
---@return lucio.Protocol protocol
function streams.create_unix_connection(factory, path, options) end

---Waits.
---@param factory fun(): lucio.Protocol
---@param hosts? string|string[]
---@param port integer|string
---@param options? lucio.ServerOptions
---@return lucio.Server
function streams.create_server(factory, hosts, port, options) end

---Waits.
---@param factory fun(): lucio.Protocol
---@param path string
---@param options? lucio.UnixServerOptions
---@return lucio.Server
function streams.create_unix_server(factory, path, options) end

---Waits.
---@param transport lucio.Transport
---@param protocol lucio.Protocol
---@param context lucio.ssl.SSLContext
---@param options? lucio.ssl.StartOptions
---@return lucio.Transport
function streams.start_tls(transport, protocol, context, options) end

---Waits.
---@param factory fun(): lucio.Protocol
---@param fd integer
---@return lucio.Transport transport
---@return lucio.Protocol protocol
function streams.connect_read_pipe(factory, fd) end

---Waits.
---@param factory fun(): lucio.Protocol
---@param fd integer
---@return lucio.Transport transport
---@return lucio.Protocol protocol
function streams.connect_write_pipe(factory, fd) end

---Waits.
---@param options lucio.DatagramOptions
---@return lucio.DatagramEndpoint
function streams.open_datagram(options) end

---Waits.
---@param factory fun(): lucio.DatagramProtocol
---@param options lucio.DatagramOptions
---@return lucio.DatagramTransport transport
---@return lucio.DatagramProtocol protocol
function streams.create_datagram_endpoint(factory, options) end

return streams
