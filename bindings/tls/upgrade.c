/*
 * upgrade: a stream becomes a TLS connection while a task waits for the handshake (SEMANTICS ST20): of a
 * reader and a writer, or of a protocol, which gets a new transport.
 */
#include <string.h>

#include <lauxlib.h>

#include "core.h"
#include "pair.h"
#include "stream.h"
#include "submodule.h"
#include "tls.h"

static const struct lc_wait_type handshake_wait = {"a TLS handshake", NULL};

static int start_k(lua_State *L, int status, lua_KContext ctx);

/* Waits until the handshake is done or the stream has ended. The writer or transport is at 1, the new transport
 * of a protocol at 3. */
static int start_on(lua_State *L, struct lc_stream *stream)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_task *task;

    if (lc_tls_of(stream)->established && !stream->lost)
        return lua_isnil(L, 3) ? 0 : 1;
    if ((stream->lost || stream->closing) && stream->error != 0)
        lc_stream_raise(L, stream, stream->error);
    if (stream->lost)
        lc_raise(L, host, LC_CONNECTION_ABORTED_ERROR,
                 "the connection was closed during the TLS handshake");
    task = lc_wait_task(L, host, "start_tls");
    lc_list_append(&stream->drainers, &task->waiter.link);
    lc_wait_begin(L, task, &handshake_wait, 1);
    return lc_wait_yield(L, task, 0, start_k);
}

static int start_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_task *task = lc_host_of(L)->current;
    struct lc_stream *stream = ((struct lc_writer *)lua_touserdata(L, 1))->stream;

    (void)status;
    (void)ctx;
    lc_list_unlink(&task->waiter.link);
    if (lc_wait_end(L, task)) {
        lc_stream_abort(stream, 0);
        return lua_error(L);
    }
    return start_on(L, stream);
}

static struct lc_stream *check_stream(lua_State *L)
{
    struct lc_writer *writer = lc_to_object(L, 1, &lc_writer_type);
    struct lc_host *host = lc_host_of(L);
    struct lc_stream *stream;

    if (writer == NULL)
        writer = lc_to_object(L, 1, &lc_transport_type);
    if (writer == NULL || writer->stream == NULL)
        lc_raise_argument(L, host, LC_TYPE_ERROR, "start_tls", 1, "StreamWriter or Transport", 1);
    stream = writer->stream;
    if (stream->filter != NULL)
        lc_raise(L, host, LC_RUNTIME_ERROR, "start_tls: the connection has TLS already");
    if (!stream->is_socket || stream->end_asked)
        lc_raise(L, host, LC_RUNTIME_ERROR, "start_tls: the stream has no two directions");
    if (stream->lost && stream->error != 0)
        lc_stream_raise(L, stream, stream->error);
    if (stream->closing || !stream->made)
        lc_raise(L, host, LC_CONNECTION_RESET_ERROR, "start_tls: the connection is closed");
    return stream;
}

/* Bytes that a reader has already belong to the handshake. [-0, +0, -] */
static void take_received(lua_State *L, struct lc_tls *tls)
{
    struct lc_reader *reader;

    if (lc_to_object(L, 1, &lc_writer_type) == NULL) {
        lc_stream_resume(tls->stream);
        return;
    }
    lua_getiuservalue(L, 1, 1);
    reader = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (!lc_reader_settle(reader))
        lc_stream_abort(tls->stream, ENOMEM);
    tls->early = reader->buffer;
    memset(&reader->buffer, 0, sizeof reader->buffer);
    if (reader->paused) {
        reader->paused = false;
        lc_stream_resume(tls->stream);
    }
}

int lc_tls_start(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_tls_settings *settings;
    struct lc_stream *stream;
    struct lc_tls *tls;

    lua_settop(L, 3);
    stream = check_stream(L);
    settings = lc_tls_check_settings(L, 2, "start_tls", 2);
    lc_wait_task(L, host, "start_tls");
    if (lc_to_object(L, 1, &lc_transport_type) != NULL)
        lc_transport_renew(L, stream);
    tls = lc_tls_new(settings, stream);
    if (tls == NULL)
        lc_tls_raise(L, settings->context->o, "start_tls");
    take_received(L, tls);
    lc_tls_begin(L, tls);
    return start_on(L, stream);
}

/* The functions of lucio.ssl in C, as a table. [-0, +1, m] */
int lc_open_ssl(lua_State *L)
{
    static const luaL_Reg functions[] = {{"create_default_context", lc_tls_create_context},
                                         {"is_context", lc_tls_is_context},
                                         {"library_version", lc_tls_library_version},
                                         {"get_default_verify_paths", lc_tls_default_verify_paths},
                                         {"settings", lc_tls_new_settings},
                                         {"start", lc_tls_start},
                                         {NULL, NULL}};
    struct lc_host *host = lc_host_of(L);

    lc_tls_open_context(L, host);
    lc_tls_open_object(L, host);
    lc_tls_open_session(L, host);
    lc_tls_open_settings(L, host);
    lua_newtable(L);
    lc_set_functions(L, host, functions);
    return 1;
}
