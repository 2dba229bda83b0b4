/*
 * tls: contexts, and the filter that makes a stream a TLS connection (SEMANTICS ST15, ST17, ST18, ST20).
 * Invariant: OpenSSL has memory BIOs alone and calls nothing of ours that may raise. What it is given to
 *            read it takes whole, what it writes goes to the stream as soon as it has returned: between
 *            two calls nothing is in them, so that all connections share them (wire.c).
 * Owner:     a context is counted, by its Lua object and by its connections; a connection is its
 *            stream's filter.
 * Context:   loop thread.
 */
#ifndef LC_TLS_H
#define LC_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include <lauxlib.h>
#include <lua.h>

#include "../stream/filter.h"
#include "buffer.h"
#include "error.h"
#include "list.h"
#include "openssl.h"
#include "timer.h"

struct lc_host;
struct lc_stream;

/* What all connections of a host read and write through. */
struct lc_tls_wire {
    const struct lc_openssl *o;
    BIO *reader;
    BIO *writer;
    BUF_MEM in; /* the bytes to read, of whoever received them */
    BUF_MEM *out;
};

/* Sessions that a context keeps, for the hosts that it connected to last. */
#define LC_TLS_SESSIONS 32

struct lc_tls_session {
    char *host; /* NULL: free */
    SSL_SESSION *session;
};

struct lc_tls_context {
    unsigned references;
    struct lc_host *host;
    const struct lc_openssl *o;
    struct lc_tls_wire *wire;
    SSL_CTX *ctx;
    void *object; /* the Lua object while it is alive */
    bool for_server;
    bool check_hostname;
    bool has_certificate;
    int verify_mode;
    int minimum; /* versions */
    int maximum;
    unsigned char *alpn; /* as it stands in the protocol */
    size_t alpn_size;
    struct lc_tls_session sessions[LC_TLS_SESSIONS];
    unsigned next_session;
    unsigned rules;    /* changes with what is trusted */
    char *keylog_name; /* of the file for the secrets, NULL: there is none */
    int keylog;        /* its descriptor */
};

/* What a connection is made from: an object of Lua, whose user value 1 is the context. */
struct lc_tls_settings {
    struct lc_filter_maker maker;
    struct lc_tls_context *context;
    SSL_SESSION *session; /* to be resumed: the user value 2's, or NULL */
    double handshake_limit;
    double shutdown_limit;
    bool server_side;
    char hostname[256]; /* "": none */
};

enum lc_tls_state { LC_TLS_HANDSHAKE, LC_TLS_OPEN, LC_TLS_CLOSING, LC_TLS_ENDED };

/* Why a connection ended. */
struct lc_tls_failure {
    enum lc_class class;
    long verify_code;
    char reason[128];  /* OpenSSL's words, or "" */
    char verify[256];  /* of a certificate that was refused */
    char message[640]; /* "": there is no failure */
};

struct lc_tls {
    struct lc_filter filter;
    struct lc_stream *stream;
    struct lc_tls_context *context;
    struct lc_tls_context *chosen; /* by the sni_callback, or NULL */
    const struct lc_openssl *o;
    struct lc_tls_wire *wire;
    lua_State *L; /* in the handshake: for the sni_callback */
    SSL *ssl;
    struct lc_buffer early; /* received before it can be taken; nothing more is meanwhile */
    struct lc_timer timer;  /* of the handshake, then of the end */
    double handshake_limit;
    double shutdown_limit;
    char *server_hostname; /* NULL: none */
    enum lc_tls_state state;
    unsigned rules; /* the context's, when it began */
    bool server_side;
    bool established; /* the handshake was done */
    bool truncated;   /* the peer ended without saying so */
    bool told_end;    /* the user knows that no more will come */
    struct lc_tls_failure failure;
};

/* ---- context.c ---- */

/* create_default_context(purpose, options?, bare?) -> context */
int lc_tls_create_context(lua_State *L);
struct lc_tls_context *lc_tls_check_context(lua_State *L, int idx, const char *what, int pos);
void lc_tls_push_context(lua_State *L, struct lc_tls_context *context);
void lc_tls_context_release(struct lc_tls_context *context);
/* is_context(value) -> boolean */
int lc_tls_is_context(lua_State *L);
void lc_tls_open_context(lua_State *L, struct lc_host *host);
/* Makes the metatable of a type have an __index in C, whose upvalue 2 is the methods. [-0, +0, m] */
void lc_tls_set_index(lua_State *L, struct lc_host *host, enum lc_ref ref, lua_CFunction index);

/* ---- options.c ---- */

extern const luaL_Reg lc_tls_option_methods[];
/* A context's field: pushes it; sets it to the value at 3. False: there is none of that name. [-0, +(0|1), v] */
bool lc_tls_push_option(lua_State *L, struct lc_tls_context *context, const char *key);
bool lc_tls_set_option(lua_State *L, struct lc_tls_context *context, const char *key);
int lc_tls_library_version(lua_State *L);
int lc_tls_default_verify_paths(lua_State *L);

/* ---- sni.c ---- */

/* Sets what is on top as the sni_callback of the context at 1. [-1, +0, v] */
void lc_tls_set_sni(lua_State *L, struct lc_tls_context *context);
/* context:set_servername_callback(function or nil) */
int lc_tls_set_servername_callback(lua_State *L);

/* ---- keylog.c ---- */

/* Sets context.keylog_filename to what is at 3. [-0, +0, v] */
void lc_tls_keylog_set(lua_State *L, struct lc_tls_context *context);
/* Secrets go to the end of that file; nobody's permission is asked. Raises OSError. [-0, +0, v] */
void lc_tls_keylog_open(lua_State *L, struct lc_tls_context *context, const char *name);
void lc_tls_keylog_close(struct lc_tls_context *context);

/* ---- object.c ---- */

/* Pushes an SSLObject. [-0, +1, m] */
void lc_tls_push_object(lua_State *L, struct lc_tls *tls);
void lc_tls_open_object(lua_State *L, struct lc_host *host);

/* ---- verify.c: what contexts trust ---- */

/* context:load_verify_locations{cafile=, capath=, cadata=} */
int lc_tls_load_verify_locations(lua_State *L);
/* Loads what the options at `idx` name; false: they name nothing. [-0, +0, v] */
bool lc_tls_load_trusted(lua_State *L, struct lc_tls_context *context, int idx, const char *what);

/* ---- session.c ---- */

void lc_tls_sessions_clear(struct lc_tls_context *context);
/* Keeps the connection's session. */
void lc_tls_session_keep(struct lc_tls *tls);
/* Offers that session; NULL: the one of the last connection to that host. */
void lc_tls_session_offer(struct lc_tls *tls, SSL_SESSION *session);
/* Pushes the connection's SSLSession; nil before the handshake. [-0, +1, m] */
void lc_tls_push_session(lua_State *L, struct lc_tls *tls);
/* The session at `idx` if it is one for these settings; NULL: nil, or it counts for nothing any more. [-0, +0, v] */
SSL_SESSION *lc_tls_check_session(lua_State *L, int idx, const struct lc_tls_settings *settings);
void lc_tls_open_session(lua_State *L, struct lc_host *host);

/* ---- failure.c ---- */

/* Raises SSLError with OpenSSL's reason. [-0, +0, v] */
int lc_tls_raise(lua_State *L, const struct lc_openssl *o, const char *what)
    __attribute__((noreturn));
/* Notes why the connection fails: an error of OpenSSL, or a text. */
void lc_tls_note_failure(struct lc_tls *tls);
void lc_tls_note(struct lc_tls *tls, enum lc_class class, const char *text);
/* The handshake has taken its time. */
void lc_tls_note_slow(struct lc_tls *tls);
/* lc_filter_type.push_error */
void lc_tls_push_failure(lua_State *L, struct lc_stream *stream);

/* ---- wire.c ---- */

/* The host's, made when it is first asked for. [-0, +0, m] */
struct lc_tls_wire *lc_tls_wire_get(lua_State *L, struct lc_host *host, const struct lc_openssl *o);
/* Makes it what the connection reads from and writes to. False: no memory. */
bool lc_tls_wire_join(struct lc_tls_wire *wire, SSL *ssl);
/* What the next calls read; how much of that is left. */
void lc_tls_wire_set(struct lc_tls_wire *wire, const char *data, size_t size);
size_t lc_tls_wire_left(struct lc_tls_wire *wire);
/* What was written, NULL: nothing. It is there until the next call of OpenSSL. */
const char *lc_tls_wire_take(struct lc_tls_wire *wire, size_t *size);

/* ---- settings.c ---- */

/* settings(context, server_side, hostname or "", handshake limit, shutdown limit, session?) */
int lc_tls_new_settings(lua_State *L);
struct lc_tls_settings *lc_tls_check_settings(lua_State *L, int idx, const char *what, int pos);
void lc_tls_open_settings(lua_State *L, struct lc_host *host);

/* ---- connection.c ---- */

/* A connection over that stream, which does not have it yet; NULL: no memory. */
struct lc_tls *lc_tls_new(const struct lc_tls_settings *settings, struct lc_stream *stream);
/* Gives it to its stream and begins, with what `early` has. [-0, +0, m] */
void lc_tls_begin(lua_State *L, struct lc_tls *tls);
void lc_tls_free(struct lc_tls *tls);

/* The stream's TLS connection, or NULL. */
struct lc_tls *lc_tls_of(struct lc_stream *stream);

/* ---- info.c ---- */

/* lc_filter_type.info */
bool lc_tls_info(lua_State *L, struct lc_stream *stream, const char *name);
/* Pushes a certificate as a table, or in DER; the peer's in DER, nil without one. [-0, +1, m] */
void lc_tls_push_certificate(lua_State *L, const struct lc_openssl *o, X509 *certificate,
                             bool binary);
void lc_tls_push_peer_data(lua_State *L, struct lc_tls *tls);

/* ---- upgrade.c ---- */

/* start(writer or transport, settings, protocol?) */
int lc_tls_start(lua_State *L);

#endif
