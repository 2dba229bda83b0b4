---@meta lucio.ssl

---@alias lucio.ssl.VerifyMode "CERT_NONE"|"CERT_OPTIONAL"|"CERT_REQUIRED"
---@alias lucio.ssl.Version "TLSv1.2"|"TLSv1.3"

---@class lucio.ssl.Trust
---@field cafile? string
---@field capath? string
---@field cadata? string

---@class lucio.ssl.StartOptions
---@field server_hostname? string
---@field server_side? boolean
---@field ssl_handshake_timeout? number
---@field ssl_shutdown_timeout? number

---@class lucio.ssl.SSLContext
---@field check_hostname boolean
---@field verify_mode lucio.ssl.VerifyMode
---@field minimum_version lucio.ssl.Version
---@field maximum_version lucio.ssl.Version
---@field load_cert_chain fun(self: lucio.ssl.SSLContext, certificates: string, key?: string, password?: string)
---@field load_verify_locations fun(self: lucio.ssl.SSLContext, trust: lucio.ssl.Trust|string)
---@field set_alpn_protocols fun(self: lucio.ssl.SSLContext, list: string[])
---@field has_certificate fun(self: lucio.ssl.SSLContext): boolean

---@class lucio.ssl
---@field CERT_NONE "CERT_NONE"
---@field CERT_OPTIONAL "CERT_OPTIONAL"
---@field CERT_REQUIRED "CERT_REQUIRED"
---@field Purpose {SERVER_AUTH: "SERVER_AUTH", CLIENT_AUTH: "CLIENT_AUTH"}
---@field TLSVersion {TLSv1_2: "TLSv1.2", TLSv1_3: "TLSv1.3"}
local ssl = {}

---@param purpose? "SERVER_AUTH"|"CLIENT_AUTH"
---@param trust? lucio.ssl.Trust
---@return lucio.ssl.SSLContext
function ssl.create_default_context(purpose, trust) end

---@param value any
---@return boolean
function ssl.is_context(value) end

---For the streams: checks what options say about TLS.
function ssl.settings(what, options, host, is_server) end

---That of the writers. Waits.
---@param writer lucio.StreamWriter
---@param context lucio.ssl.SSLContext
---@param options? lucio.ssl.StartOptions
---@param accepted? boolean
function ssl.start_tls(writer, context, options, accepted) end

---That of the loop. Waits.
---@param transport lucio.Transport
---@param protocol lucio.Protocol
---@param context lucio.ssl.SSLContext
---@param options? lucio.ssl.StartOptions
---@return lucio.Transport
function ssl.upgrade(transport, protocol, context, options) end

return ssl
