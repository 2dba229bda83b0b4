/*
 * connection: a TLS connection as the filter of a stream.
 * Phases: handshake, open, closing (our close_notify is sent, the peer's is awaited), ended.
 */
#include <arpa/inet.h>
#include <string.h>

#include <lauxlib.h>

#include "host.h"
#include "loop.h"
#include "pair.h"
#include "stream.h"
#include "tls.h"

/* What is encrypted before it goes to the stream. */
#define PIECE ((size_t)64 * 1024)

struct lc_tls *lc_tls_of(struct lc_stream *stream)
{
    return lc_container_of(stream->filter, struct lc_tls, filter);
}

/* Sends what OpenSSL has written. False: the stream has ended. */
static bool flush(lua_State *L, struct lc_tls *tls)
{
    size_t size;
    const char *data = lc_tls_wire_take(tls->wire, &size);
    bool sent = data == NULL || lc_stream_send(L, tls->stream, data, size);

    return sent && !tls->stream->end_queued;
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

/* What was noted ends the stream; an alert for the peer goes before. Who waits for the handshake goes on
 * before the user hears of the end, as in asyncio. */
static void fail(lua_State *L, struct lc_tls *tls)
{
    tls->state = LC_TLS_ENDED;
    unset_timer(tls);
    flush(L, tls);
    if (!tls->established)
        lc_stream_wake(&tls->stream->drainers);
    lc_stream_abort(tls->stream, LC_FILTER_ERROR);
}

/* The user hears, once, that no more will come. */
static void tell_end(lua_State *L, struct lc_tls *tls)
{
    if (tls->told_end)
        return;
    tls->told_end = true;
    tls->stream->user->ended(L, tls->stream);
}

static void finish(lua_State *L, struct lc_tls *tls)
{
    tls->state = LC_TLS_ENDED;
    unset_timer(tls);
    tell_end(L, tls);
    tls->stream->shutting = false;
    lc_stream_finish(tls->stream);
}

static void timer_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_tls *tls = lc_container_of(entry, struct lc_tls, timer.entry);

    if (tls->state == LC_TLS_HANDSHAKE)
        lc_tls_note_slow(tls);
    else
        lc_tls_note(tls, LC_TIMEOUT_ERROR, "SSL shutdown timed out");
    fail(loop->L, tls);
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

/* Goes on with the handshake. Returns how much of the bytes on the wire it has left. */
static size_t handshake(lua_State *L, struct lc_tls *tls)
{
    struct lc_stream *stream = tls->stream;
    size_t left;
    int result;

    tls->L = L;
    tls->o->ERR_clear_error();
    result = tls->o->SSL_do_handshake(tls->ssl);
    left = lc_tls_wire_left(tls->wire);
    if (tls->failure.message[0] != '\0' ||
        (result != 1 && tls->o->SSL_get_error(tls->ssl, result) != SSL_ERROR_WANT_READ)) {
        lc_tls_note_failure(tls);
        fail(L, tls);
        return left;
    }
    if (result == 1) {
        tls->state = LC_TLS_OPEN;
        tls->established = true;
        unset_timer(tls);
    }
    if (!flush(L, tls) || result != 1)
        return left;
    if (!stream->made)
        lc_stream_made(L, stream);
    else
        lc_stream_wake(&stream->drainers);
    return left;
}

/* The peer has said that it sends no more: TLS connections have no half. */
static void peer_closed(lua_State *L, struct lc_tls *tls)
{
    struct lc_stream *stream = tls->stream;

    if (tls->state == LC_TLS_CLOSING) {
        finish(L, tls);
        return;
    }
    tell_end(L, tls);
    lc_stream_close(stream);
}

/* Decrypts all that is on the wire, which is in one piece for the user. It may be in the host's space: what comes
 * out is not longer than what OpenSSL has taken, now and of the record that was begun before. */
static void decrypt(lua_State *L, struct lc_tls *tls)
{
    struct lc_stream *stream = tls->stream;
    char *space = stream->loop->host->space - LC_SPACE_HEAD;
    size_t room = LC_SPACE_HEAD + LC_SPACE_SIZE, got = 0;
    int size, error;

    tls->o->ERR_clear_error();
    while ((size = tls->o->SSL_read(tls->ssl, space + got, (int)(room - got))) > 0)
        got += (size_t)size;
    error = tls->o->SSL_get_error(tls->ssl, size);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_ZERO_RETURN)
        lc_tls_note_failure(tls);
    if (!flush(L, tls))
        return;
    if (got > 0 && !stream->closing)
        stream->user->received(L, stream, space, got);
    if (stream->end_queued || tls->state == LC_TLS_ENDED || error == SSL_ERROR_WANT_READ)
        return;
    if (error == SSL_ERROR_ZERO_RETURN)
        peer_closed(L, tls);
    else
        fail(L, tls);
}

/* Gives OpenSSL the bytes, in slices that fit. Returns how many it took: less than all when the user
 * wants no more for now. */
static size_t feed(lua_State *L, struct lc_tls *tls, const char *data, size_t size)
{
    size_t taken = 0;

    while (taken < size && tls->state != LC_TLS_ENDED) {
        size_t slice = size - taken < LC_SPACE_SIZE ? size - taken : LC_SPACE_SIZE;

        if (tls->state == LC_TLS_OPEN && tls->stream->paused)
            return taken;
        lc_tls_wire_set(tls->wire, data + taken, slice);
        taken += slice;
        if (tls->state == LC_TLS_HANDSHAKE)
            taken -= handshake(L, tls);
        else
            decrypt(L, tls);
    }
    return size;
}

static void tls_received(lua_State *L, struct lc_stream *stream, const char *data, size_t size)
{
    struct lc_tls *tls = lc_tls_of(stream);
    struct lc_host *host = stream->loop->host;
    size_t taken;

    if (lc_buffer_size(&tls->early) > 0) {
        taken = feed(L, tls, lc_buffer_data(&tls->early), lc_buffer_size(&tls->early));
        if (tls->state == LC_TLS_ENDED)
            return;
        lc_buffer_consume(host, &tls->early, taken);
        tls->filter.waiting = lc_buffer_size(&tls->early) > 0;
    }
    taken = tls->filter.waiting ? 0 : feed(L, tls, data, size);
    if (taken == size || tls->state == LC_TLS_ENDED)
        return;
    if (!lc_buffer_append(host, &tls->early, data + taken, size - taken))
        luaL_error(L, "not enough memory");
    tls->filter.waiting = true;
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
        tell_end(L, tls);
        lc_stream_close(stream);
        break;
    case LC_TLS_CLOSING:
        finish(L, tls);
        break;
    case LC_TLS_ENDED:
        break;
    }
}

/* ---- from the user ---- */

/* Encrypts and sends. False: the stream has ended. */
static bool write_piece(lua_State *L, struct lc_tls *tls, const char *data, size_t size)
{
    tls->o->ERR_clear_error();
    while (size > 0) {
        int sent = tls->o->SSL_write(tls->ssl, data, (int)size);

        if (sent <= 0) {
            lc_tls_note_failure(tls);
            fail(L, tls);
            return false;
        }
        data += sent;
        size -= (size_t)sent;
    }
    return flush(L, tls);
}

static void tls_write(lua_State *L, struct lc_stream *stream, const char *data, size_t size)
{
    struct lc_tls *tls = lc_tls_of(stream);
    bool full = stream->output_full, goes_on = true;

    if (tls->state == LC_TLS_HANDSHAKE)
        lc_raise(L, stream->loop->host, LC_RUNTIME_ERROR,
                 "write: the TLS handshake is still under way");
    /* that there is too much is told at the end: the user might write more in the middle */
    stream->output_full = true;
    while (goes_on && size > 0 && tls->state == LC_TLS_OPEN) {
        size_t piece = size < PIECE ? size : PIECE;

        goes_on = write_piece(L, tls, data, piece);
        data += piece;
        size -= piece;
    }
    stream->output_full = full;
    if (goes_on && !stream->lost)
        lc_stream_set_limits(L, stream, stream->high, stream->low);
}

/* ---- life ---- */

static void tls_detach(struct lc_stream *stream)
{
    struct lc_tls *tls = lc_tls_of(stream);

    unset_timer(tls);
    if (tls->established)
        lc_tls_session_keep(tls);
    tls->state = LC_TLS_ENDED;
    tls->filter.waiting = false;
    lc_buffer_free(stream->loop->host, &tls->early);
}

static void tls_free(struct lc_stream *stream)
{
    lc_tls_free(lc_tls_of(stream));
}

static void tls_made(lua_State *L, struct lc_stream *stream);

static const struct lc_filter_type filter = {tls_made,  tls_received,        tls_ended,
                                             tls_write, tls_close,           tls_detach,
                                             tls_free,  lc_tls_push_failure, lc_tls_info};

void lc_tls_free(struct lc_tls *tls)
{
    struct lc_host *host = tls->context->host;

    tls->o->SSL_free(tls->ssl);
    if (tls->server_hostname != NULL)
        lc_realloc(host, tls->server_hostname, strlen(tls->server_hostname) + 1, 0);
    lc_buffer_free(host, &tls->early);
    lc_tls_context_release(tls->context);
    if (tls->chosen != NULL)
        lc_tls_context_release(tls->chosen);
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

static bool set_up(struct lc_tls *tls, const struct lc_tls_settings *settings)
{
    const struct lc_openssl *o = tls->o;

    tls->ssl = o->SSL_new(tls->context->ctx);
    if (tls->ssl == NULL || !lc_tls_wire_join(tls->wire, tls->ssl) ||
        o->SSL_set_ex_data(tls->ssl, 0, tls) != 1)
        return false;
    if (settings->hostname[0] != '\0') {
        size_t size = strlen(settings->hostname) + 1;

        tls->server_hostname = lc_realloc(tls->context->host, NULL, 0, size);
        if (tls->server_hostname == NULL)
            return false;
        memcpy(tls->server_hostname, settings->hostname, size);
    }
    if (tls->server_side) {
        o->SSL_set_accept_state(tls->ssl);
        return true;
    }
    o->SSL_set_connect_state(tls->ssl);
    lc_tls_session_offer(tls, settings->session);
    return set_name(tls);
}

struct lc_tls *lc_tls_new(const struct lc_tls_settings *settings, struct lc_stream *stream)
{
    struct lc_tls_context *context = settings->context;
    struct lc_tls *tls = lc_realloc(context->host, NULL, 0, sizeof *tls);

    if (tls == NULL)
        return NULL;
    memset(tls, 0, sizeof *tls);
    tls->filter.type = &filter;
    tls->stream = stream;
    tls->context = context;
    context->references++;
    tls->o = context->o;
    tls->wire = context->wire;
    tls->server_side = settings->server_side;
    tls->handshake_limit = settings->handshake_limit;
    tls->shutdown_limit = settings->shutdown_limit;
    lc_entry_init(&tls->timer.entry, &timer_entry);
    context->o->ERR_clear_error();
    if (!set_up(tls, settings)) {
        lc_tls_free(tls);
        return NULL;
    }
    return tls;
}

static void tls_made(lua_State *L, struct lc_stream *stream)
{
    struct lc_tls *tls = lc_tls_of(stream);

    if (stream->closing)
        return;
    if (!set_timer(tls, tls->handshake_limit))
        luaL_error(L, "not enough memory");
    lc_tls_wire_set(tls->wire, "", 0);
    handshake(L, tls);
}

void lc_tls_begin(lua_State *L, struct lc_tls *tls)
{
    struct lc_stream *stream = tls->stream;

    if (!set_timer(tls, tls->handshake_limit)) {
        lc_tls_free(tls);
        luaL_error(L, "not enough memory");
    }
    stream->filter = &tls->filter;
    lc_tls_wire_set(tls->wire, "", 0);
    handshake(L, tls);
    if (lc_buffer_size(&tls->early) > 0 && tls->state != LC_TLS_ENDED)
        tls_received(L, stream, NULL, 0);
    if (stream->got_end)
        tls_ended(L, stream);
}
