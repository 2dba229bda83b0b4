/*
 * serving: the connections of a server: a task for each, or a protocol, and what becomes of both (SEMANTICS SV).
 * Invariant: a connection is in its server's list from its acceptance until its end was told; its task is
 *            anchored until that has ended and was reported.
 * Owner:     a connection's stream, held by its being open, and by the entry of its task's end.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include <lauxlib.h>

#include "core.h"
#include "listener.h"
#include "pair.h"
#include "report.h"
#include "server.h"

static void wake_closers(struct lc_server *server)
{
    for (struct lc_link *link = server->closers.next; link != &server->closers; link = link->next)
        lc_waiter_wake(lc_waiter_of(link));
}

bool lc_server_is_full(const struct lc_server *server)
{
    return server->most > 0 && server->active >= server->most;
}

void lc_server_settle(lua_State *L, struct lc_server *server)
{
    if (server->state != LC_SERVER_CLOSED || server->active > 0)
        return;
    lc_loop_unset_timer(server->loop, &server->deadline);
    wake_closers(server);
    lc_anchor_drop(L, server->host, &server->anchor);
}

static void handled_run(struct lc_loop *loop, struct lc_entry *entry);

static const struct lc_entry_type handled_entry = {handled_run, NULL, NULL, NULL};

bool lc_server_accepted(struct lc_server *server, int fd, const struct lc_socket_name *peer)
{
    struct lc_stream *stream;
    int one = 1;

    if (peer->any.sa_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    /* asyncio has a task of its own there, whose default name is used up, and its first tick */
    stream = lc_stream_new(server->loop, fd, LC_STREAM_SOCKET,
                           server->limit > 0 ? &lc_pair_user : &lc_protocol_user, 1);
    if (stream == NULL)
        return false;
    server->host->task_names++;
    stream->server = server;
    stream->peer = *peer;
    lc_entry_init(&stream->handled, &handled_entry);
    lc_list_append(&server->connections, &stream->peers);
    server->active++;
    lc_filter_attach(server->maker, stream);
    if (lc_server_is_full(server))
        lc_listeners_update(server->loop, server);
    lc_stream_release(stream); /* it is held by its being open */
    return true;
}

static void report(lua_State *L, struct lc_loop *loop, const char *message, const char *key)
{
    /* the error is on top, below it what goes under `key` */
    lua_createtable(L, 0, 3);
    lua_pushstring(L, message);
    lua_setfield(L, -2, "message");
    lua_insert(L, -3);
    lua_setfield(L, -3, "exception");
    lua_setfield(L, -2, key);
    lc_report_call_handler(L, loop);
}

struct exhausted {
    struct lc_server *server;
    int error;
};

static int report_exhausted(lua_State *L)
{
    struct exhausted *args = lua_touserdata(L, 1);
    struct lc_server *server = args->server;

    lc_anchor_push(L, server->host, server->anchor);
    lc_error_push_errno(L, server->host, args->error, NULL);
    report(L, server->loop, "socket.accept() out of system resource", "server");
    return 0;
}

void lc_server_exhausted(struct lc_server *server, int error)
{
    struct exhausted args = {server, error};
    lua_State *L = server->loop->L;

    lua_pushcfunction(L, report_exhausted);
    lua_pushlightuserdata(L, &args);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK)
        lua_pop(L, 1);
}

void lc_server_push_callback(lua_State *L, struct lc_server *server)
{
    lc_anchor_push(L, server->host, server->anchor);
    lua_getiuservalue(L, -1, 1);
    lua_replace(L, -2);
}

void lc_server_connected(lua_State *L, struct lc_stream *stream)
{
    struct lc_server *server = stream->server;
    struct lc_host *host = server->host;
    struct lc_task *task;

    lc_server_push_callback(L, server);
    lc_pair_new(L, host, server->limit);
    lc_stream_retain(stream);
    lc_pair_attach(L, stream);
    lc_writer_note_names(L, stream);
    task = lc_create_task(L, host, server->loop, 2, 0, LC_TASK_PLAIN);
    stream->handler = lc_anchor(L, host);
    lc_future_add_entry(&task->future, &stream->handled);
    lc_stream_retain(stream); /* for the entry */
}

/* (stream): the task of a connection has ended. */
static int handled(lua_State *L)
{
    struct lc_stream *stream = lua_touserdata(L, 1);
    struct lc_loop *loop = stream->loop;
    struct lc_future *future;

    luaL_checkstack(L, 20, NULL);
    lc_anchor_push(L, loop->host, stream->handler);
    future = lc_to_future(L, 2);
    if (future->state == LC_FAILED) {
        lc_push_stream_name(L, stream, true);
        lc_future_push_error(L, 2);
        if (!lc_is_error(L, -1))
            lc_future_wrap_error(L, loop->host, 2);
        report(L, loop, "Unhandled exception in client_connected_cb", "peername");
    }
    /* until here the collector may meet its writer, which nobody has closed yet */
    lc_anchor_drop(L, loop->host, &stream->handler);
    lc_stream_close(stream);
    return 0;
}

static void handled_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_stream *stream = lc_container_of(entry, struct lc_stream, handled);
    lua_State *L = loop->L;

    if (stream->lost)
        lc_list_unlink(&stream->link);
    lua_pushcfunction(L, handled);
    lua_pushlightuserdata(L, stream);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        lua_pop(L, 1);
        lc_anchor_drop(L, loop->host, &stream->handler);
        lc_stream_abort(stream, ENOMEM);
    }
    lc_stream_release(stream);
}

void lc_server_abandon_stream(lua_State *L, struct lc_stream *stream)
{
    if (stream->server != NULL)
        lc_server_abandon(L, stream->server);
    if (stream->handler == LC_NO_ANCHOR)
        return;
    /* the task was left behind, or is done and nobody will be told */
    lc_list_unlink(&stream->handled.link);
    lc_anchor_drop(L, stream->loop->host, &stream->handler);
    lc_stream_release(stream);
}

void lc_server_abandon(lua_State *L, struct lc_server *server)
{
    while (!lc_list_empty(&server->connections)) {
        struct lc_stream *stream =
            lc_container_of(lc_list_pop(&server->connections), struct lc_stream, peers);

        stream->server = NULL;
    }
    lc_loop_unset_timer(server->loop, &server->deadline);
    server->active = 0;
    server->state = LC_SERVER_CLOSED;
    lc_anchor_drop(L, server->host, &server->anchor);
}

/* A client that cannot shake hands is no error of the program: in debug mode it is reported. */
static void report_unmade(lua_State *L, struct lc_stream *stream)
{
    if (stream->made || stream->error != LC_FILTER_ERROR || !stream->loop->debug)
        return;
    lc_push_stream_name(L, stream, true);
    stream->filter->type->push_error(L, stream);
    report(L, stream->loop, "Error on transport creation for incoming connection", "peername");
}

void lc_server_disconnected(lua_State *L, struct lc_stream *stream)
{
    struct lc_server *server = stream->server;
    bool was_full = lc_server_is_full(server);

    report_unmade(L, stream);
    stream->server = NULL;
    lc_list_unlink(&stream->peers);
    server->active--;
    if (was_full)
        lc_listeners_update(server->loop, server);
    lc_server_settle(L, server);
}
