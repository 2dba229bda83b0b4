/*
 * writer: the sending end of a stream, and what a stream tells its reader and writer
 * (SEMANTICS ST10..ST19).
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "connect.h"
#include "core.h"
#include "pair.h"
#include "report.h"

const struct lc_type lc_writer_type = {"StreamWriter", sizeof(struct lc_writer)};

static const struct lc_wait_type drain_wait = {"room in a stream's buffer", NULL};
static const struct lc_wait_type close_wait = {"the end of a stream", NULL};

/* So many writes to a lost stream are dropped in silence. */
#define DROPPED_MAX 5

/* ---- what the stream tells ---- */

static void pair_made(lua_State *L, struct lc_stream *stream)
{
    lc_stream_wake(&stream->drainers);
    if (stream->server != NULL)
        lc_server_connected(L, stream);
}

static enum lc_fed pair_feed(struct lc_stream *stream, const char *data, size_t size)
{
    return stream->reader != NULL ? lc_reader_feed(stream->reader, data, size) : LC_FED;
}

static void pair_received(lua_State *L, struct lc_stream *stream, const char *data, size_t size)
{
    if (stream->reader != NULL)
        lc_reader_receive(L, stream->reader, data, size);
}

static bool pair_ended(lua_State *L, struct lc_stream *stream)
{
    (void)L;
    if (stream->reader != NULL)
        lc_reader_end(stream->reader, 0);
    return true;
}

static void pair_pause(lua_State *L, struct lc_stream *stream)
{
    (void)L;
    (void)stream;
}

static void pair_resume(lua_State *L, struct lc_stream *stream)
{
    (void)L;
    lc_stream_wake(&stream->drainers);
}

static void pair_lost(lua_State *L, struct lc_stream *stream)
{
    if (stream->reader != NULL)
        lc_reader_end(stream->reader, stream->error);
    lc_stream_wake(&stream->drainers);
    lc_stream_wake(&stream->closers);
    if (stream->server != NULL)
        lc_server_disconnected(L, stream);
}

const struct lc_stream_user lc_pair_user = {NULL,       pair_made,  pair_received, pair_feed,
                                            pair_ended, pair_pause, pair_resume,   pair_lost};

void lc_pair_new(lua_State *L, struct lc_host *host, size_t limit)
{
    struct lc_writer *writer;

    luaL_checkstack(L, 6, NULL);
    lc_reader_new(L, host, limit);
    writer = lc_new_object(L, host, &lc_writer_type, LC_REF_WRITER, sizeof *writer, 3);
    writer->host = host;
    writer->reader = lua_touserdata(L, -2);
    lua_pushvalue(L, -2);
    lua_setiuservalue(L, -2, 1); /* an error of the reader is the writer's too */
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, -3, 1); /* a collected writer would close what somebody still reads */
}

void lc_pair_attach(lua_State *L, struct lc_stream *stream)
{
    struct lc_reader *reader = lua_touserdata(L, -2);
    struct lc_writer *writer = lua_touserdata(L, -1);

    writer->stream = stream;
    reader->stream = lc_stream_retain(stream);
    stream->reader = reader;
    stream->writer = writer;
}

/* ---- methods ---- */

static struct lc_stream *check_stream(lua_State *L, const char *what)
{
    return ((struct lc_writer *)lc_check_self(L, &lc_writer_type, what))->stream;
}

/* Of a method that transports have, too. */
static struct lc_writer *check_either(lua_State *L, const char *what)
{
    struct lc_writer *writer = lc_to_object(L, 1, &lc_writer_type);

    if (writer == NULL)
        writer = lc_to_object(L, 1, &lc_transport_type);
    return writer != NULL ? writer : lc_check_self(L, &lc_writer_type, what);
}

/* Whether bytes written now go anywhere (ST14). */
static bool takes_bytes(lua_State *L, struct lc_stream *stream, const char *what)
{
    struct lc_host *host = stream->loop->host;

    if (stream->end_asked)
        lc_raise(L, host, LC_RUNTIME_ERROR, "Cannot call %s() after write_eof()", what);
    if (!stream->can_write)
        lc_raise(L, host, LC_RUNTIME_ERROR, "%s: the stream is for reading", what);
    if (!stream->closing)
        return true;
    if (++stream->dropped == DROPPED_MAX)
        lc_host_log(host, "lucio: a stream that has ended is still being written to\n");
    return false;
}

/* writer:write(string). Never suspends. (ST10) */
static int writer_write(lua_State *L)
{
    struct lc_stream *stream = check_either(L, "write")->stream;
    const char *data;
    size_t size;

    if (lua_type(L, 2) != LUA_TSTRING)
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, "write", 1, "string", 2);
    data = lua_tolstring(L, 2, &size);
    if (takes_bytes(L, stream, "write"))
        lc_stream_write(L, stream, data, size);
    return 0;
}

/* writer:writelines(list). Never suspends. (ST10) */
static int writer_writelines(lua_State *L)
{
    struct lc_stream *stream = check_either(L, "writelines")->stream;
    struct lc_host *host = lc_host_of(L);
    lua_Integer n;

    lua_settop(L, 2);
    n = lc_check_list(L, 2, "writelines", 1);
    for (lua_Integer i = 1; i <= n; i++) {
        if (lua_rawgeti(L, 2, i) != LUA_TSTRING)
            lc_raise(L, host, LC_TYPE_ERROR,
                     "bad argument #1 to 'writelines' (item %d: string expected, got %s)", (int)i,
                     lc_type_name(L, -1));
        lua_pop(L, 1);
    }
    if (!takes_bytes(L, stream, "writelines"))
        return 0;
    lc_stream_write_list(L, stream, 2, n);
    return 0;
}

static int drain_k(lua_State *L, int status, lua_KContext ctx);

static int drain_on(lua_State *L, struct lc_stream *stream)
{
    struct lc_host *host = stream->loop->host;
    struct lc_task *task;

    if (stream->lost)
        lc_raise(L, host, LC_CONNECTION_RESET_ERROR, "Connection lost");
    if (!stream->output_full)
        return 0;
    task = lc_wait_task(L, host, "StreamWriter:drain");
    lua_settop(L, 1);
    lc_list_append(&stream->drainers, &task->waiter.link);
    lc_wait_begin(L, task, &drain_wait, 1);
    return lc_wait_yield(L, task, 1, drain_k);
}

/* ctx 0: after the tick that a closing stream is given. */
static int drain_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_task *task = lc_host_of(L)->current;
    struct lc_stream *stream = ((struct lc_writer *)lua_touserdata(L, 1))->stream;

    (void)status;
    lc_list_unlink(&task->waiter.link);
    if (lc_wait_end(L, task))
        return lua_error(L);
    if (ctx == 0)
        return drain_on(L, stream);
    if (stream->lost && stream->error != 0)
        lc_stream_raise(L, stream, stream->error);
    return 0;
}

/* writer:drain(). May suspend. (ST11, ST13) */
static int writer_drain(lua_State *L)
{
    struct lc_writer *writer = lc_check_self(L, &lc_writer_type, "drain");
    struct lc_stream *stream = writer->stream;
    int error = writer->reader->error;

    if (error != 0)
        lc_stream_raise(L, stream, error);
    if (!stream->closing)
        return drain_on(L, stream);
    lua_settop(L, 1);
    return lc_wait_turn(L, lc_wait_task(L, writer->host, "StreamWriter:drain"), 0, drain_k);
}

static int wait_closed_on(lua_State *L, struct lc_stream *stream)
{
    if (stream->error != 0)
        lc_stream_raise(L, stream, stream->error);
    return 0;
}

static int wait_closed_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_task *task = lc_host_of(L)->current;

    (void)status;
    (void)ctx;
    lc_list_unlink(&task->waiter.link);
    if (lc_wait_end(L, task))
        return lua_error(L);
    return wait_closed_on(L, ((struct lc_writer *)lua_touserdata(L, 1))->stream);
}

/* writer:wait_closed(). May suspend. (ST16) */
static int writer_wait_closed(lua_State *L)
{
    struct lc_stream *stream = check_stream(L, "wait_closed");
    struct lc_task *task;

    lua_settop(L, 1);
    if (stream->lost)
        return wait_closed_on(L, stream);
    task = lc_wait_task(L, lc_host_of(L), "StreamWriter:wait_closed");
    lc_list_append(&stream->closers, &task->waiter.link);
    lc_wait_begin(L, task, &close_wait, 1);
    return lc_wait_yield(L, task, 0, wait_closed_k);
}

/* writer:close(). (ST15) */
static int writer_close(lua_State *L)
{
    lc_stream_close(check_either(L, "close")->stream);
    return 0;
}

static int leave_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_task *task = lc_host_of(L)->current;

    (void)status;
    (void)ctx;
    lc_list_unlink(&task->waiter.link);
    return lc_wait_end(L, task) ? lua_error(L) : 0;
}

int lc_stream_leave(lua_State *L, struct lc_stream *stream)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_task *task;

    lc_stream_close(stream);
    if (stream->lost || host->current == NULL || !host->can_await)
        return 0;
    lua_settop(L, 1);
    task = lc_wait_task(L, host, "StreamWriter:close");
    lc_list_append(&stream->closers, &task->waiter.link);
    lc_wait_begin(L, task, &close_wait, 1);
    return lc_wait_yield(L, task, 0, leave_k);
}

static int writer_leave(lua_State *L)
{
    return lc_stream_leave(L, check_stream(L, "close"));
}

static int writer_abort(lua_State *L)
{
    lc_stream_abort(check_either(L, "abort")->stream, 0);
    return 0;
}

static int writer_is_closing(lua_State *L)
{
    lua_pushboolean(L, check_either(L, "is_closing")->stream->closing);
    return 1;
}

/* writer:get_extra_info(name, default?) (ST18) */
static int writer_extra_info(lua_State *L)
{
    return lc_stream_extra_info(L, check_either(L, "get_extra_info")->stream);
}

/* writer:write_eof(). (ST17) */
static int writer_write_eof(lua_State *L)
{
    struct lc_stream *stream = check_either(L, "write_eof")->stream;

    if (stream->filter != NULL)
        lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR,
                 "write_eof: a TLS connection has no half-close");
    lc_stream_write_eof(L, stream);
    return 0;
}

static int writer_can_write_eof(lua_State *L)
{
    struct lc_stream *stream = check_either(L, "can_write_eof")->stream;

    lua_pushboolean(L, stream->can_write && stream->filter == NULL);
    return 1;
}

static int return_all(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    return lua_gettop(L);
}

/* writer:start_tls(context, options?): that of lucio.ssl, opened by now. Suspends. (ST20) */
static int writer_start_tls(lua_State *L)
{
    struct lc_stream *stream = check_stream(L, "start_tls");

    lua_settop(L, 3);
    lua_pushboolean(L, stream->server != NULL);
    lc_host_push_ref(L, lc_host_of(L), LC_REF_MODULE);
    lua_getfield(L, -1, "ssl");
    lua_getfield(L, -1, "start_tls");
    lua_insert(L, 1);
    lua_pop(L, 2);
    lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, return_all);
    return lua_gettop(L);
}

/* A number of bytes; where there is nil, the other one's share. */
static double check_mark(lua_State *L, int idx, double share)
{
    if (lua_isnil(L, idx))
        return share;
    if (lua_type(L, idx) != LUA_TNUMBER)
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, "set_write_buffer_limits", idx - 1,
                          "number or nil", idx);
    return lua_tonumber(L, idx);
}

void lc_check_marks(lua_State *L, size_t *high_mark, size_t *low_mark)
{
    double high = check_mark(L, 2, 4 * check_mark(L, 3, 16384));
    double low = check_mark(L, 3, floor(high / 4));
    char text[128];

    if (!(high >= low && low >= 0 && high <= 1e15)) {
        snprintf(text, sizeof text, "high (%.17g) must be >= low (%.17g) must be >= 0", high, low);
        lc_raise(L, lc_host_of(L), LC_VALUE_ERROR, "%s", text);
    }
    *high_mark = (size_t)high;
    *low_mark = (size_t)low;
}

/* writer:set_write_buffer_limits(high?, low?) (ST12) */
static int writer_set_limits(lua_State *L)
{
    struct lc_stream *stream = check_either(L, "set_write_buffer_limits")->stream;
    size_t high, low;

    lua_settop(L, 3);
    lc_check_marks(L, &high, &low);
    lc_stream_set_limits(L, stream, high, low);
    return 0;
}

/* writer:get_write_buffer_limits() -> low, high */
static int writer_limits(lua_State *L)
{
    struct lc_stream *stream = check_either(L, "get_write_buffer_limits")->stream;

    lua_pushinteger(L, (lua_Integer)stream->low);
    lua_pushinteger(L, (lua_Integer)stream->high);
    return 2;
}

static int writer_buffer_size(lua_State *L)
{
    struct lc_stream *stream = check_either(L, "get_write_buffer_size")->stream;

    lua_pushinteger(L, (lua_Integer)lc_buffer_size(&stream->output));
    return 1;
}

static int writer_tostring(lua_State *L)
{
    struct lc_stream *stream = check_stream(L, "tostring");

    lua_pushfstring(L, "<StreamWriter%s fd=%d>",
                    stream->lost      ? " closed"
                    : stream->closing ? " closing"
                                      : "",
                    stream->fd);
    return 1;
}

/* The task of a server's connection has ended: the connection will be closed in the next tick. */
static bool handler_has_ended(lua_State *L, struct lc_stream *stream)
{
    bool ended;

    if (stream->handler == LC_NO_ANCHOR)
        return false;
    lc_anchor_push(L, stream->loop->host, stream->handler);
    ended = lc_future_is_done(lc_to_future(L, -1));
    lua_pop(L, 1);
    return ended;
}

/* ST19: nobody can close it any more. */
static int writer_gc(lua_State *L)
{
    struct lc_writer *writer = lc_to_finalize(L, &lc_writer_type);
    struct lc_stream *stream = writer != NULL ? writer->stream : NULL;

    if (writer == NULL)
        return 0;
    writer->object.type = NULL; /* an older object's finalizer may still have it */
    if (stream == NULL || writer->host->closed)
        return 0;
    stream->writer = NULL;
    if (!stream->closing && !handler_has_ended(L, stream)) {
        lc_host_log(writer->host, "ResourceWarning: unclosed stream\n");
        lc_stream_close(stream);
    }
    writer->stream = NULL;
    lc_stream_release(stream);
    return 0;
}

const luaL_Reg lc_writer_shared[] = {{"write", writer_write},
                                     {"writelines", writer_writelines},
                                     {"close", writer_close},
                                     {"abort", writer_abort},
                                     {"is_closing", writer_is_closing},
                                     {"write_eof", writer_write_eof},
                                     {"can_write_eof", writer_can_write_eof},
                                     {"set_write_buffer_limits", writer_set_limits},
                                     {"get_write_buffer_limits", writer_limits},
                                     {"get_write_buffer_size", writer_buffer_size},
                                     {"get_extra_info", writer_extra_info},
                                     {NULL, NULL}};

void lc_open_writer(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"drain", writer_drain},
                                       {"start_tls", writer_start_tls},
                                       {"wait_closed", writer_wait_closed},
                                       {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__close", writer_leave},
                                           {"__tostring", writer_tostring},
                                           {"__gc", writer_gc},
                                           {NULL, NULL}};

    lc_new_type(L, host, LC_REF_WRITER, "lucio.StreamWriter", methods, metamethods);
    lc_host_push_ref(L, host, LC_REF_WRITER);
    lua_getfield(L, -1, "__index");
    lc_set_functions(L, host, lc_writer_shared);
    lua_pop(L, 2);
}
