/*
 * failure: the errors of TLS: SSLError, and below it SSLCertVerificationError.
 */
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "core.h"
#include "pair.h"
#include "tls.h"

/* OpenSSL's words for its first error, which says the most. */
static const char *reason_text(const struct lc_openssl *o, char *buffer, size_t size)
{
    unsigned long code = o->ERR_peek_error();
    const char *reason = code != 0 ? o->ERR_reason_error_string(code) : NULL;

    if (reason != NULL)
        return reason;
    snprintf(buffer, size, "%s", "unknown error");
    if (code != 0)
        o->ERR_error_string_n(code, buffer, size);
    return buffer;
}

int lc_tls_raise(lua_State *L, const struct lc_openssl *o, const char *what)
{
    char buffer[256];
    const char *reason = reason_text(o, buffer, sizeof buffer);

    lc_error_push(L, lc_host_of(L), LC_SSL_ERROR, "%s: %s", what, reason);
    lua_pushstring(L, reason);
    lua_setfield(L, -2, "reason");
    o->ERR_clear_error();
    lua_error(L);
    __builtin_unreachable();
}

void lc_tls_note(struct lc_tls *tls, enum lc_class class, const char *text)
{
    if (tls->failure.message[0] != '\0')
        return;
    tls->failure.class = class;
    snprintf(tls->failure.message, sizeof tls->failure.message, "%s", text);
}

static void note_verification(struct lc_tls *tls, long code)
{
    struct lc_tls_failure *failure = &tls->failure;
    const char *host = tls->server_hostname;

    failure->class = LC_SSL_CERT_VERIFICATION_ERROR;
    failure->verify_code = code;
    if (code == X509_V_ERR_HOSTNAME_MISMATCH || code == X509_V_ERR_IP_ADDRESS_MISMATCH)
        snprintf(failure->verify, sizeof failure->verify,
                 "%s mismatch, certificate is not valid for '%.180s'",
                 code == X509_V_ERR_HOSTNAME_MISMATCH ? "Hostname" : "IP address",
                 host != NULL ? host : "");
    else
        snprintf(failure->verify, sizeof failure->verify, "%s",
                 tls->o->X509_verify_cert_error_string(code));
    snprintf(failure->message, sizeof failure->message,
             "certificate verify failed for '%.255s': %s",
             tls->server_side ? "a client" : (host != NULL ? host : ""), failure->verify);
}

void lc_tls_note_failure(struct lc_tls *tls)
{
    struct lc_tls_failure *failure = &tls->failure;
    long code = tls->o->SSL_get_verify_result(tls->ssl);
    char buffer[128];

    if (failure->message[0] != '\0')
        return;
    snprintf(failure->reason, sizeof failure->reason, "%s",
             reason_text(tls->o, buffer, sizeof buffer));
    tls->o->ERR_clear_error();
    if (!tls->established && strcmp(failure->reason, "certificate verify failed") == 0) {
        note_verification(tls, code);
        return;
    }
    failure->class = LC_SSL_ERROR;
    snprintf(failure->message, sizeof failure->message, "%s (TLS %s with %s%.255s%s)",
             failure->reason, tls->established ? "connection" : "handshake",
             tls->server_side || tls->server_hostname == NULL ? "" : "'",
             tls->server_side               ? "a client"
             : tls->server_hostname != NULL ? tls->server_hostname
                                            : "a server",
             tls->server_side || tls->server_hostname == NULL ? "" : "'");
}

void lc_tls_note_slow(struct lc_tls *tls)
{
    char text[128];

    snprintf(text, sizeof text,
             "SSL handshake is taking longer than %.14g seconds: aborting the connection",
             tls->handshake_limit);
    lc_tls_note(tls, LC_CONNECTION_ABORTED_ERROR, text);
}

void lc_tls_push_failure(lua_State *L, struct lc_stream *stream)
{
    struct lc_tls_failure *failure = &lc_tls_of(stream)->failure;

    lc_error_push(L, stream->loop->host, failure->class, "%s", failure->message);
    if (failure->reason[0] != '\0') {
        lua_pushstring(L, failure->reason);
        lua_setfield(L, -2, "reason");
    }
    if (failure->verify[0] != '\0') {
        lua_pushstring(L, failure->verify);
        lua_setfield(L, -2, "verify_message");
        lua_pushinteger(L, failure->verify_code);
        lua_setfield(L, -2, "verify_code");
    }
}
