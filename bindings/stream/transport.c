/*
 * transport: a stream whose user is a protocol, a table of Lua with methods that are called as things
 * happen; loop:create_connection and the like (SEMANTICS TR).
 * Invariant: connection_made comes first, connection_lost last, each once; the methods are called from
 *            entries of the loop, not in a task.
 * Owner:     the loop anchors the transport, and through it the protocol, until connection_lost.
 *            User values: 1 the protocol, 2, 3 names (socket.c), 4 the error that ended it.
 */
#include <errno.h>
#include <string.h>

#include <lauxlib.h>

#include "connect.h"
#include "core.h"
#include "descriptor.h"
#include "filter.h"
#include "loop_object.h"
#include "pair.h"
#include "report.h"

const struct lc_type lc_transport_type = {"Transport", sizeof(struct lc_writer)};

static const struct lc_wait_type begin_wait = {"a connection", NULL};

/* ---- calling the protocol ---- */

/* (protocol, name, ...) -> what its method returns; nothing happens where it has none. */
static int call_method(lua_State *L)
{
    lua_pushvalue(L, 2);
    lua_gettable(L, 1);
    if (lua_isnil(L, -1))
        return 0;
    lua_copy(L, 1, 2);
    lua_replace(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

/* The method's error, on top, is reported and ends the connection. (TR4) */
static void fail(lua_State *L, struct lc_stream *stream, const char *name)
{
    struct lc_loop *loop = stream->loop;

    if (lc_error_kind(L, -1) == LC_KIND_EXIT) {
        lc_loop_raise(L, loop);
        return;
    }
    lc_error_wrap(L, loop->host);
    lc_anchor_push(L, loop->host, stream->transport);
    lua_pushvalue(L, -2);
    lua_setiuservalue(L, -2, 4);
    lua_createtable(L, 0, 4);
    lua_insert(L, -3);
    lua_getiuservalue(L, -1, 1);
    lua_setfield(L, -4, "protocol");
    lua_setfield(L, -3, "transport");
    lua_setfield(L, -2, "exception");
    lua_pushfstring(L, "Fatal error: protocol.%s() call failed.", name);
    lua_setfield(L, -2, "message");
    lc_report_call_handler(L, loop);
    lc_stream_abort(stream, ECONNABORTED);
}

/* Calls protocol:name(...) with the arguments on top. True: it returned a true value. [-nargs, +0, m] */
static bool call_protocol(lua_State *L, struct lc_stream *stream, const char *name, int nargs)
{
    struct lc_host *host = stream->loop->host;
    int first = lua_gettop(L) - nargs + 1;
    bool yes = false;

    lua_pushcfunction(L, call_method);
    lc_anchor_push(L, host, stream->transport);
    lua_getiuservalue(L, -1, 1);
    lua_replace(L, -2);
    lua_pushstring(L, name);
    for (int i = 0; i < nargs; i++)
        lua_pushvalue(L, first + i);
    if (lc_call(L, host, nargs + 2, 1) == LUA_OK)
        yes = lua_toboolean(L, -1);
    else
        fail(L, stream, name);
    lua_settop(L, first - 1);
    return yes;
}

/* ---- what the stream tells ---- */

static struct lc_writer *transport_new(lua_State *L, struct lc_host *host)
{
    struct lc_writer *transport =
        lc_new_object(L, host, &lc_transport_type, LC_REF_TRANSPORT, sizeof *transport, 4);

    transport->host = host;
    return transport;
}

/* Gives the transport on top, whose protocol is below it, its stream. [-2, +0, m] */
static void attach(lua_State *L, struct lc_stream *stream)
{
    struct lc_writer *transport = lua_touserdata(L, -1);

    transport->stream = lc_stream_retain(stream);
    stream->writer = transport;
    lua_pushvalue(L, -2);
    lua_setiuservalue(L, -2, 1);
    lc_writer_note_names(L, stream);
    stream->transport = lc_anchor(L, transport->host);
    lua_pop(L, 1);
}

void lc_transport_renew(lua_State *L, struct lc_stream *stream)
{
    struct lc_host *host = stream->loop->host;
    struct lc_writer *transport;
    int slot;

    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_getiuservalue(L, 1, 1);
    }
    transport = transport_new(L, host);
    transport->stream = lc_stream_retain(stream);
    for (int i = 2; i <= 3; i++) { /* the names of both ends */
        lua_getiuservalue(L, 1, i);
        lua_setiuservalue(L, -2, i);
    }
    lua_insert(L, -2);
    lua_setiuservalue(L, -2, 1);
    stream->writer = transport;
    lua_pushvalue(L, -1);
    slot = lc_anchor(L, host);
    lc_anchor_drop(L, host, &stream->transport);
    stream->transport = slot;
}

static int make_protocol(lua_State *L)
{
    lua_call(L, 0, 1);
    if (!lua_istable(L, -1) && !lua_isuserdata(L, -1))
        lc_raise(L, lc_host_open(L), LC_TYPE_ERROR,
                 "the protocol factory must return a table, got %s", lc_type_name(L, -1));
    return 1;
}

static void protocol_begun(lua_State *L, struct lc_stream *stream)
{
    if (stream->server == NULL)
        return;
    /* an error of the factory is reported by who calls this */
    lua_pushcfunction(L, make_protocol);
    lc_server_push_callback(L, stream->server);
    lua_call(L, 1, 1);
    transport_new(L, stream->loop->host);
    attach(L, stream);
}

static void protocol_made(lua_State *L, struct lc_stream *stream)
{
    lc_anchor_push(L, stream->loop->host, stream->transport);
    call_protocol(L, stream, "connection_made", 1);
    lc_stream_wake(&stream->drainers);
}

static void protocol_received(lua_State *L, struct lc_stream *stream, const char *data, size_t size)
{
    lua_pushlstring(L, data, size);
    call_protocol(L, stream, "data_received", 1);
}

static bool protocol_ended(lua_State *L, struct lc_stream *stream)
{
    return call_protocol(L, stream, "eof_received", 0);
}

/* May be called from a task that writes. */
static void protocol_pause(lua_State *L, struct lc_stream *stream)
{
    call_protocol(L, stream, "pause_writing", 0);
}

static void protocol_resume(lua_State *L, struct lc_stream *stream)
{
    call_protocol(L, stream, "resume_writing", 0);
}

/* The error goes to connection_lost; nil: a clean end. [-0, +1, m] */
static void push_loss(lua_State *L, struct lc_stream *stream)
{
    struct lc_host *host = stream->loop->host;

    lc_anchor_push(L, host, stream->transport);
    lua_getiuservalue(L, -1, 4);
    lua_replace(L, -2);
    if (!lua_isnil(L, -1) || stream->error == 0)
        return;
    lua_pop(L, 1);
    if (stream->error == LC_FILTER_ERROR)
        stream->filter->type->push_error(L, stream);
    else
        lc_error_push_errno(L, host, stream->error, NULL);
}

static void protocol_lost(lua_State *L, struct lc_stream *stream)
{
    if (stream->transport != LC_NO_ANCHOR && stream->made) {
        push_loss(L, stream);
        call_protocol(L, stream, "connection_lost", 1);
    }
    lc_anchor_drop(L, stream->loop->host, &stream->transport);
    lc_stream_wake(&stream->drainers);
    if (stream->server != NULL)
        lc_server_disconnected(L, stream);
}

const struct lc_stream_user lc_protocol_user = {
    protocol_begun, protocol_made,  protocol_received, NULL,
    protocol_ended, protocol_pause, protocol_resume,   protocol_lost};

/* ---- connecting ---- */

static int begin_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_task *task = lc_host_of(L)->current;
    struct lc_stream *stream = ((struct lc_writer *)lua_touserdata(L, -2))->stream;

    (void)status;
    (void)ctx;
    lc_list_unlink(&task->waiter.link);
    if (lc_wait_end(L, task)) {
        lc_stream_close(stream);
        return lua_error(L);
    }
    if (!stream->made)
        lc_stream_raise(L, stream, stream->error);
    return 2;
}

int lc_protocol_begin(lua_State *L, struct lc_task *task, struct lc_descriptor *descriptor,
                      enum lc_stream_kind kind, int factory, struct lc_filter_maker *maker)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_stream *stream;
    int base;

    lua_pushcfunction(L, make_protocol);
    lua_pushvalue(L, factory);
    if (lc_call(L, host, 1, 1) != LUA_OK) {
        lc_descriptor_close(descriptor);
        return lua_error(L);
    }
    base = lua_gettop(L);
    transport_new(L, host);
    lua_pushvalue(L, base);
    lua_pushvalue(L, base + 1);
    stream = lc_stream_new(host->loop, descriptor->owned, kind, &lc_protocol_user, 0);
    if (stream == NULL)
        return luaL_error(L, "not enough memory");
    lc_descriptor_give(descriptor);
    lc_filter_attach(maker, stream);
    lc_stream_release(stream); /* it is held by its being open */
    attach(L, stream);
    lua_insert(L, base);
    lc_list_append(&stream->drainers, &task->waiter.link);
    lc_wait_begin(L, task, &begin_wait, lua_gettop(L));
    return lc_wait_yield(L, task, 0, begin_k);
}

/* ---- methods ---- */

static struct lc_stream *check_stream(lua_State *L, const char *what)
{
    return ((struct lc_writer *)lc_check_self(L, &lc_transport_type, what))->stream;
}

/* Idempotent, and without effect when it is closing. (TR3) */
static int transport_pause_reading(lua_State *L)
{
    lc_stream_pause(check_stream(L, "pause_reading"));
    return 0;
}

static int transport_resume_reading(lua_State *L)
{
    lc_stream_resume(check_stream(L, "resume_reading"));
    return 0;
}

static int transport_is_reading(lua_State *L)
{
    struct lc_stream *stream = check_stream(L, "is_reading");

    lua_pushboolean(L, !stream->closing && !stream->paused);
    return 1;
}

/* transport:get_write_buffer_limits() -> low, high */
static int transport_limits(lua_State *L)
{
    struct lc_stream *stream = check_stream(L, "get_write_buffer_limits");

    lua_pushinteger(L, (lua_Integer)stream->low);
    lua_pushinteger(L, (lua_Integer)stream->high);
    return 2;
}

static int transport_get_protocol(lua_State *L)
{
    check_stream(L, "get_protocol");
    lua_getiuservalue(L, 1, 1);
    return 1;
}

static int transport_set_protocol(lua_State *L)
{
    check_stream(L, "set_protocol");
    if (!lua_istable(L, 2) && !lua_isuserdata(L, 2))
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, "set_protocol", 1, "protocol as table",
                          2);
    lua_settop(L, 2);
    lua_setiuservalue(L, 1, 1);
    return 0;
}

static int transport_tostring(lua_State *L)
{
    struct lc_stream *stream = check_stream(L, "tostring");

    lua_pushfstring(L, "<Transport%s fd=%d>",
                    stream->lost      ? " closed"
                    : stream->closing ? " closing"
                                      : "",
                    stream->fd);
    return 1;
}

static int transport_gc(lua_State *L)
{
    struct lc_writer *transport = lc_to_finalize(L, &lc_transport_type);

    if (transport == NULL)
        return 0;
    transport->object.type = NULL; /* an older object's finalizer may still have it */
    if (transport->stream == NULL)
        return 0;
    if (transport->stream->writer == transport)
        transport->stream->writer = NULL;
    lc_stream_release(transport->stream);
    transport->stream = NULL;
    return 0;
}

/* ---- methods of the loop ---- */

static int return_all(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    return lua_gettop(L);
}

/* loop:NAME(...) is lucio.streams.NAME(...). */
static int forward(lua_State *L, const char *name)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_loop *loop = lc_loop_check(L, name);

    if (host->loop != loop)
        lc_raise(L, host, LC_RUNTIME_ERROR, "%s: this loop is not running", name);
    luaL_checkstack(L, 8, NULL);
    lc_host_push_ref(L, host, LC_REF_MODULE);
    lua_getfield(L, -1, "streams");
    lua_getfield(L, -1, name);
    lua_replace(L, 1);
    lua_pop(L, 2);
    lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, return_all);
    return lua_gettop(L);
}

static int loop_create_connection(lua_State *L)
{
    return forward(L, "create_connection");
}

static int loop_start_tls(lua_State *L)
{
    return forward(L, "start_tls");
}

static int loop_create_server(lua_State *L)
{
    return forward(L, "create_server");
}

static int loop_create_unix_connection(lua_State *L)
{
    return forward(L, "create_unix_connection");
}

static int loop_create_unix_server(lua_State *L)
{
    return forward(L, "create_unix_server");
}

static int loop_create_datagram_endpoint(lua_State *L)
{
    return forward(L, "create_datagram_endpoint");
}

static int loop_connect_read_pipe(lua_State *L)
{
    return forward(L, "connect_read_pipe");
}

static int loop_connect_write_pipe(lua_State *L)
{
    return forward(L, "connect_write_pipe");
}

void lc_open_transport(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"pause_reading", transport_pause_reading},
                                       {"resume_reading", transport_resume_reading},
                                       {"is_reading", transport_is_reading},
                                       {"get_write_buffer_limits", transport_limits},
                                       {"get_protocol", transport_get_protocol},
                                       {"set_protocol", transport_set_protocol},
                                       {NULL, NULL}};
    static const luaL_Reg loop_methods[] = {
        {"create_connection", loop_create_connection},
        {"create_server", loop_create_server},
        {"create_unix_connection", loop_create_unix_connection},
        {"create_unix_server", loop_create_unix_server},
        {"create_datagram_endpoint", loop_create_datagram_endpoint},
        {"start_tls", loop_start_tls},
        {"connect_read_pipe", loop_connect_read_pipe},
        {"connect_write_pipe", loop_connect_write_pipe},
        {NULL, NULL}};
    static const luaL_Reg metamethods[] = {
        {"__tostring", transport_tostring}, {"__gc", transport_gc}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_TRANSPORT, "lucio.Transport", methods, metamethods);
    lc_host_push_ref(L, host, LC_REF_TRANSPORT);
    lua_getfield(L, -1, "__index");
    lc_set_functions(L, host, lc_writer_shared);
    lua_pop(L, 2);
    lc_loop_add_methods(L, host, loop_methods);
}
