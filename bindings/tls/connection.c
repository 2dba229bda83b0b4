/*
 * connection: a TLS connection as the filter of a stream.
 * Phases: handshake, open, closing (our close_notify is sent, the peer's is awaited), ended.
 */
#include <arpa/inet.h>
#include <string.h>

#include <lauxlib.h>

#include "host.h"
#include "loop.h"
#include "stream.h"
#include "tls.h"

/* What is encrypted before it goes to the stream. */
#define PIECE ((size_t)64 * 1024)
/* The largest record. */
#define RECORD 16384

struct lc_tls *lc_tls_of(struct lc_stream *stream)
{
    return lc_container_of(stream->filter, struct lc_tls, filter);
}

/* ---- the BIOs ---- */

/* A BIO that gives these bytes and then says that there are no more yet. */
static BIO *new_input(const struct lc_openssl *o, const char *data, size_t size)
{
    BIO *bio = o->BIO_new_mem_buf(data, (int)size);

    if (bio != NULL)
        o->BIO_ctrl(bio, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, NULL);
    return bio;
}

/* Sends what OpenSSL has written. False: the stream has ended. */
static bool flush(lua_State *L, struct lc_tls *tls)
{
    char *data = NULL;
    long size = tls->o->BIO_ctrl(tls->out, BIO_CTRL_INFO, 0, &data);
    bool sent = true;

    if (size > 0) {
        sent = lc_stream_send(L, tls->stream, data, (size_t)size);
        tls->o->BIO_ctrl(tls->out, BIO_CTRL_RESET, 0, NULL);
    }
    return sent && !tls->stream->end_queued;
}

/* An idle connection keeps no large buffer. */
static void renew_output(struct lc_tls *tls)
{
    BIO *bio = tls->o->BIO_new(tls->o->BIO_s_mem());

    if (bio == NULL)
        return;
    tls->out = bio;
    tls->o->SSL_set0_wbio(tls->ssl, bio);
}

/* ---- the end ---- */

static void unset_timer(struct lc_tls *tls)
{
    lc_loop_unset_timer(tls->stream->loop, &tls->timer);
}

static bool set_timer(struct lc_tls *tls, double limit)
{
    struct lc_loop *loop = tls->stream->loop;

    return lc_timers_add(loop->host, &loop->timers, &tls->timer, lc_loop_time(loop) + limit);
}

/* What was noted ends the stream; an alert for the peer goes before. */
static void fail(lua_State *L, struct lc_tls *tls)
{
    tls->state = LC_TLS_ENDED;
    unset_timer(tls);
    flush(L, tls);
    lc_stream_abort(tls->stream, LC_FILTER_ERROR);
}

static void finish(struct lc_tls *tls)
{
    tls->state = LC_TLS_ENDED;
    unset_timer(tls);
    tls->stream->shutting = false;
    lc_stream_finish(tls->stream);
}

static void timer_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_tls *tls = lc_container_of(entry, struct lc_tls, timer.entry);

    (void)loop;
    if (tls->state == LC_TLS_HANDSHAKE)
        lc_tls_note(tls, LC_CONNECTION_ABORTED_ERROR,
                    "SSL handshake is taking too long: aborting the connection");
    else
        lc_tls_note(tls, LC_TIMEOUT_ERROR, "SSL shutdown timed out");
    tls->state = LC_TLS_ENDED;
    lc_stream_abort(tls->stream, LC_FILTER_ERROR);
}

static const struct lc_entry_type timer_entry = {timer_run, NULL, NULL, NULL};

/* The stream is closing: says so to the peer and waits until it has said so too. (ST20) */
static void tls_close(struct lc_stream *stream)
{
    struct lc_tls *tls = lc_tls_of(stream);
    int result;

    if (tls->state == LC_TLS_HANDSHAKE) {
        lc_tls_note(tls, LC_CONNECTION_ABORTED_ERROR,
                    "the connection was closed during the TLS handshake");
        fail(stream->loop->L, tls);
        return;
    }
    if (tls->state != LC_TLS_OPEN)
        return;
    tls->o->ERR_clear_error();
    result = tls->o->SSL_shutdown(tls->ssl);
    tls->state = LC_TLS_ENDED;
    if (!flush(stream->loop->L, tls) || result != 0 || stream->got_end)
        return;
    if (set_timer(tls, tls->shutdown_limit)) {
        tls->state = LC_TLS_CLOSING;
        stream->shutting = true;
    }
}

/* ---- from the peer ---- */

static void handshake(lua_State *L, struct lc_tls *tls)
{
    int result, error;

    tls->o->ERR_clear_error();
    result = tls->o->SSL_do_handshake(tls->ssl);
    if (result == 1) {
        tls->state = LC_TLS_OPEN;
        tls->established = true;
        unset_timer(tls);
        flush(L, tls);
        tls->stream->user->resume(L, tls->stream);
        return;
    }
    error = tls->o->SSL_get_error(tls->ssl, result);
    if (error == SSL_ERROR_WANT_READ) {
        flush(L, tls);
        return;
    }
    lc_tls_note_failure(tls);
    fail(L, tls);
}

/* The peer has said that it sends no more: TLS connections have no half. */
static void peer_closed(lua_State *L, struct lc_tls *tls)
{
    struct lc_stream *stream = tls->stream;

    if (tls->state == LC_TLS_CLOSING) {
        finish(tls);
        return;
    }
    stream->user->ended(L, stream);
    lc_stream_close(stream);
}

static void decrypt(lua_State *L, struct lc_tls *tls)
{
    struct lc_stream *stream = tls->stream;
    char data[RECORD];
    int size;

    for (;;) {
        tls->o->ERR_clear_error();
        size = tls->o->SSL_read(tls->ssl, data, sizeof data);
        if (size <= 0)
            break;
        if (!stream->closing)
            stream->user->received(L, stream, data, (size_t)size);
        if (stream->end_queued || tls->state == LC_TLS_ENDED)
            return;
    }
    switch (tls->o->SSL_get_error(tls->ssl, size)) {
    case SSL_ERROR_WANT_READ:
        flush(L, tls);
        break;
    case SSL_ERROR_ZERO_RETURN:
        flush(L, tls);
        peer_closed(L, tls);
        break;
    default:
        lc_tls_note_failure(tls);
        fail(L, tls);
    }
}

static void tls_received(lua_State *L, struct lc_stream *stream, const char *data, size_t size)
{
    struct lc_tls *tls = lc_tls_of(stream);
    BIO *input;

    if (tls->state == LC_TLS_ENDED)
        return;
    input = new_input(tls->o, data, size);
    if (input == NULL)
        luaL_error(L, "not enough memory");
    tls->o->SSL_set0_rbio(tls->ssl, input);
    if (tls->state == LC_TLS_HANDSHAKE)
        handshake(L, tls);
    if (tls->state == LC_TLS_OPEN || tls->state == LC_TLS_CLOSING)
        decrypt(L, tls);
}

/* The connection below has ended. Without a word of the peer that is the end too, as in asyncio. */
static void tls_ended(lua_State *L, struct lc_stream *stream)
{
    struct lc_tls *tls = lc_tls_of(stream);

    switch (tls->state) {
    case LC_TLS_HANDSHAKE:
        lc_tls_note(tls, LC_CONNECTION_RESET_ERROR,
                    "the peer closed the connection during the TLS handshake");
        fail(L, tls);
        break;
    case LC_TLS_OPEN:
        tls->truncated = true;
        stream->user->ended(L, stream);
        lc_stream_close(stream);
        break;
    case LC_TLS_CLOSING:
        finish(tls);
        break;
    case LC_TLS_ENDED:
        break;
    }
}

/* ---- from the user ---- */

static void tls_write(lua_State *L, struct lc_stream *stream, const char *data, size_t size)
{
    struct lc_tls *tls = lc_tls_of(stream);
    bool large = size > RECORD;
    size_t held = 0;

    if (tls->state == LC_TLS_HANDSHAKE)
        lc_raise(L, stream->loop->host, LC_RUNTIME_ERROR,
                 "write: the TLS handshake is still under way");
    while (size > 0 && tls->state == LC_TLS_OPEN) {
        int sent;

        tls->o->ERR_clear_error();
        sent = tls->o->SSL_write(tls->ssl, data, (int)(size < PIECE ? size : PIECE));
        if (sent <= 0) {
            lc_tls_note_failure(tls);
            fail(L, tls);
            return;
        }
        data += sent;
        size -= (size_t)sent;
        held += (size_t)sent;
        if (held >= PIECE || size == 0) {
            held = 0;
            if (!flush(L, tls))
                return;
        }
    }
    if (large)
        renew_output(tls);
}

/* ---- life ---- */

static void tls_detach(struct lc_stream *stream)
{
    struct lc_tls *tls = lc_tls_of(stream);

    unset_timer(tls);
    if (tls->established)
        lc_tls_session_keep(tls);
    tls->state = LC_TLS_ENDED;
}

static void tls_free(struct lc_stream *stream)
{
    lc_tls_free(lc_tls_of(stream));
}

static const struct lc_filter_type filter = {
    tls_received,         tls_ended,  tls_write, tls_close, tls_detach, tls_free,
    lc_tls_raise_failure, lc_tls_info};

void lc_tls_free(struct lc_tls *tls)
{
    struct lc_host *host = tls->context->host;

    tls->o->SSL_free(tls->ssl);
    if (tls->server_hostname != NULL)
        lc_realloc(host, tls->server_hostname, strlen(tls->server_hostname) + 1, 0);
    lc_buffer_free(host, &tls->early);
    lc_tls_context_release(tls->context);
    lc_realloc(host, tls, sizeof *tls, 0);
}

static bool is_ip_address(const char *name)
{
    unsigned char space[16];

    return inet_pton(AF_INET, name, space) == 1 || inet_pton(AF_INET6, name, space) == 1;
}

/* Whose certificate is expected, and for whom it is asked. */
static bool set_name(struct lc_tls *tls)
{
    const struct lc_openssl *o = tls->o;
    const char *name = tls->server_hostname;

    if (name == NULL)
        return true;
    if (is_ip_address(name))
        return !tls->context->check_hostname ||
               o->X509_VERIFY_PARAM_set1_ip_asc(o->SSL_get0_param(tls->ssl), name) == 1;
    if (o->SSL_ctrl(tls->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                    (void *)name) != 1)
        return false;
    o->SSL_set_hostflags(tls->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return !tls->context->check_hostname || o->SSL_set1_host(tls->ssl, name) == 1;
}

static bool set_up(struct lc_tls *tls, const char *server_hostname)
{
    const struct lc_openssl *o = tls->o;
    BIO *input;

    tls->ssl = o->SSL_new(tls->context->ctx);
    input = new_input(o, "", 0);
    tls->out = o->BIO_new(o->BIO_s_mem());
    if (tls->ssl == NULL || input == NULL || tls->out == NULL) {
        o->BIO_free(input);
        o->BIO_free(tls->out);
        return false;
    }
    o->SSL_set_bio(tls->ssl, input, tls->out);
    if (server_hostname != NULL) {
        size_t size = strlen(server_hostname) + 1;

        tls->server_hostname = lc_realloc(tls->context->host, NULL, 0, size);
        if (tls->server_hostname == NULL)
            return false;
        memcpy(tls->server_hostname, server_hostname, size);
    }
    if (tls->server_side) {
        o->SSL_set_accept_state(tls->ssl);
        return true;
    }
    o->SSL_set_connect_state(tls->ssl);
    lc_tls_session_offer(tls);
    return set_name(tls);
}

struct lc_tls *lc_tls_new(struct lc_tls_context *context, struct lc_stream *stream,
                          bool server_side, const char *server_hostname)
{
    struct lc_tls *tls = lc_realloc(context->host, NULL, 0, sizeof *tls);

    if (tls == NULL)
        return NULL;
    memset(tls, 0, sizeof *tls);
    tls->filter.type = &filter;
    tls->stream = stream;
    tls->context = context;
    context->references++;
    tls->o = context->o;
    tls->server_side = server_side;
    lc_entry_init(&tls->timer.entry, &timer_entry);
    context->o->ERR_clear_error();
    if (!set_up(tls, server_hostname)) {
        lc_tls_free(tls);
        return NULL;
    }
    return tls;
}

void lc_tls_begin(lua_State *L, struct lc_tls *tls)
{
    struct lc_stream *stream = tls->stream;

    if (!set_timer(tls, tls->handshake_limit)) {
        lc_tls_free(tls);
        luaL_error(L, "not enough memory");
    }
    stream->filter = &tls->filter;
    handshake(L, tls);
    if (lc_buffer_size(&tls->early) > 0)
        tls_received(L, stream, lc_buffer_data(&tls->early), lc_buffer_size(&tls->early));
    lc_buffer_free(stream->loop->host, &tls->early);
    if (stream->got_end)
        tls_ended(L, stream);
}
