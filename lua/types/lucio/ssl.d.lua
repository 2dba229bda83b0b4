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
---@field session? lucio.ssl.SSLSession
---@field ssl_handshake_timeout? number
---@field ssl_shutdown_timeout? number

---@class lucio.ssl.SSLContext
---@field check_hostname boolean
---@field verify_mode lucio.ssl.VerifyMode
---@field minimum_version lucio.ssl.Version
---@field maximum_version lucio.ssl.Version
---@field protocol "PROTOCOL_TLS_CLIENT"|"PROTOCOL_TLS_SERVER"
---@field options integer
---@field verify_flags integer
---@field num_tickets integer
---@field keylog_filename? string
---@field sni_callback? lucio.ssl.ServerNameCallback
---@field set_servername_callback fun(self: lucio.ssl.SSLContext, fn?: lucio.ssl.ServerNameCallback)
---@field set_ciphers fun(self: lucio.ssl.SSLContext, text: string)
---@field get_ciphers fun(self: lucio.ssl.SSLContext): {name: string, protocol: string, strength_bits: integer}[]
---@field load_default_certs fun(self: lucio.ssl.SSLContext, purpose?: string)
---@field set_default_verify_paths fun(self: lucio.ssl.SSLContext)
---@field cert_store_stats fun(self: lucio.ssl.SSLContext): {x509: integer, x509_ca: integer, crl: integer}
---@field get_ca_certs fun(self: lucio.ssl.SSLContext, binary?: boolean): (lucio.ssl.Certificate|string)[]
---@field session_stats fun(self: lucio.ssl.SSLContext): table<string, integer>
---@field load_cert_chain fun(self: lucio.ssl.SSLContext, certificates: string, key?: string, password?: string|fun(): string)
---@field load_verify_locations fun(self: lucio.ssl.SSLContext, trust: lucio.ssl.Trust|string)
---@field set_alpn_protocols fun(self: lucio.ssl.SSLContext, list: string[])
---@field has_certificate fun(self: lucio.ssl.SSLContext): boolean

---@class lucio.ssl.Certificate
---@field subject table<string, string>
---@field issuer table<string, string>
---@field subjectAltName string[]
---@field notBefore string
---@field notAfter string
---@field serialNumber string
---@field version integer

---@alias lucio.ssl.ServerNameCallback fun(object: lucio.ssl.SSLObject, name: string?, context: lucio.ssl.SSLContext): integer?

---@class lucio.ssl.SSLObject Of get_extra_info("ssl_object").
---@field context lucio.ssl.SSLContext
---@field server_side boolean
---@field server_hostname? string
---@field session? lucio.ssl.SSLSession
---@field session_reused boolean
---@field truncated boolean
---@field version fun(self: lucio.ssl.SSLObject): string?
---@field cipher fun(self: lucio.ssl.SSLObject): any[]? name, protocol, bits
---@field compression fun(self: lucio.ssl.SSLObject): nil
---@field selected_alpn_protocol fun(self: lucio.ssl.SSLObject): string?
---@field getpeercert fun(self: lucio.ssl.SSLObject, binary?: boolean): lucio.ssl.Certificate|string|nil

---@class lucio.ssl.SSLSession
---@field id string
---@field time integer
---@field timeout integer
---@field ticket_lifetime_hint integer
---@field has_ticket boolean

---@class lucio.ssl
---@field CERT_NONE "CERT_NONE"
---@field CERT_OPTIONAL "CERT_OPTIONAL"
---@field CERT_REQUIRED "CERT_REQUIRED"
---@field Purpose {SERVER_AUTH: "SERVER_AUTH", CLIENT_AUTH: "CLIENT_AUTH"}
---@field TLSVersion {TLSv1_2: "TLSv1.2", TLSv1_3: "TLSv1.3"}
---@field PROTOCOL_TLS_CLIENT "PROTOCOL_TLS_CLIENT"
---@field PROTOCOL_TLS_SERVER "PROTOCOL_TLS_SERVER"
---@field OPENSSL_VERSION string
---@field SSLError lucio.ErrorClass
---@field SSLCertVerificationError lucio.ErrorClass
---@field CertificateError lucio.ErrorClass
---@field OP_NO_TICKET integer
---@field OP_NO_COMPRESSION integer
---@field OP_CIPHER_SERVER_PREFERENCE integer
---@field OP_NO_TLSv1_2 integer
---@field OP_NO_TLSv1_3 integer
---@field OP_NO_RENEGOTIATION integer
---@field VERIFY_DEFAULT integer
---@field VERIFY_CRL_CHECK_LEAF integer
---@field VERIFY_CRL_CHECK_CHAIN integer
---@field VERIFY_X509_STRICT integer
---@field VERIFY_X509_TRUSTED_FIRST integer
---@field VERIFY_X509_PARTIAL_CHAIN integer
---@field ALERT_DESCRIPTION_HANDSHAKE_FAILURE integer
---@field ALERT_DESCRIPTION_ACCESS_DENIED integer
---@field ALERT_DESCRIPTION_INTERNAL_ERROR integer
---@field ALERT_DESCRIPTION_UNRECOGNIZED_NAME integer
local ssl = {}

---@param purpose? "SERVER_AUTH"|"CLIENT_AUTH"
---@param trust? lucio.ssl.Trust
---@return lucio.ssl.SSLContext
function ssl.create_default_context(purpose, trust) end

---@param protocol "PROTOCOL_TLS_CLIENT"|"PROTOCOL_TLS_SERVER"
---@return lucio.ssl.SSLContext
function ssl.SSLContext(protocol) end

---@return {openssl_cafile: string, openssl_capath: string, openssl_cafile_env: string, openssl_capath_env: string}
function ssl.get_default_verify_paths() end

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
