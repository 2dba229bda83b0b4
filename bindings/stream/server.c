/*
 * server: listening sockets, an orderly end (SEMANTICS SV). Its connections are serving.c's.
 * Invariant: a server is anchored while it accepts or has connections.
 * Owner:     Lua's collector. User values: 1 the callback, 2 the list of listeners, 3 the filter's maker.
 * Phases:    made, serving, closed; closed is for ever, its connections may go on.
 */
#include "server.h"

#include <math.h>
#include <string.h>

#include <lauxlib.h>

#include "connect.h"
#include "core.h"
#include "listener.h"
#include "pair.h"
#include "supervised.h"

static const struct lc_type server_type = {"Server", sizeof(struct lc_server)};
static const struct lc_wait_type forever_wait = {"connections (serve_forever)", NULL};
static const struct lc_wait_type closed_wait = {"the end of a server", NULL};

/* ---- methods ---- */

static struct lc_server *check(lua_State *L, const char *what)
{
    return lc_check_self(L, &server_type, what);
}

static void each_listener(lua_State *L, struct lc_server *server,
                          void (*fn)(lua_State *L, struct lc_server *, struct lc_listener *))
{
    lua_getiuservalue(L, 1, 2);
    for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, -1); i++) {
        lua_rawgeti(L, -1, i);
        fn(L, server, lua_touserdata(L, -1));
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static void start_one(lua_State *L, struct lc_server *server, struct lc_listener *listener)
{
    lc_listener_start(L, listener, server, server->loop);
}

static void close_one(lua_State *L, struct lc_server *server, struct lc_listener *listener)
{
    (void)L;
    (void)server;
    lc_listener_close(listener);
}

static void start(lua_State *L, struct lc_server *server)
{
    struct lc_host *host = server->host;

    if (server->state == LC_SERVER_CLOSED)
        lc_raise(L, host, LC_RUNTIME_ERROR, "server %s is closed", luaL_tolstring(L, 1, NULL));
    if (server->state == LC_SERVER_SERVING)
        return;
    if (server->anchor == LC_NO_ANCHOR) {
        lua_pushvalue(L, 1);
        server->anchor = lc_anchor(L, host);
    }
    server->state = LC_SERVER_SERVING;
    each_listener(L, server, start_one);
}

/* server:start_serving(). Idempotent. (SV6) */
static int server_start_serving(lua_State *L)
{
    lua_settop(L, 1);
    start(L, check(L, "start_serving"));
    return 0;
}

static void abort_connections(struct lc_server *server)
{
    for (struct lc_link *link = server->connections.next; link != &server->connections;
         link = link->next)
        lc_stream_abort(lc_container_of(link, struct lc_stream, peers), 0);
}

/* The time for the connections is over. */
static void deadline_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_server *server = lc_container_of(entry, struct lc_server, deadline.entry);

    (void)loop;
    server->aborted = true;
    abort_connections(server);
}

static const struct lc_entry_type deadline_entry = {deadline_run, NULL, NULL, NULL};

/* The connections of the closed server have so many seconds from now on. [-0, +0, m] */
static void limit_connections(lua_State *L, struct lc_server *server, double seconds)
{
    if (server->active == 0)
        return;
    lc_loop_unset_timer(server->loop, &server->deadline);
    if (seconds < HUGE_VAL)
        lc_loop_set_timer(L, server->loop, &server->deadline, lc_loop_time(server->loop) + seconds);
}

/* (SV4) */
static void close_server(lua_State *L, struct lc_server *server)
{
    if (server->state == LC_SERVER_CLOSED)
        return;
    each_listener(L, server, close_one);
    server->state = LC_SERVER_CLOSED;
    if (!lc_list_empty(&server->forever))
        lc_waiter_cancel(L, lc_waiter_of(server->forever.next), 0);
    lc_server_settle(L, server);
    limit_connections(L, server, server->grace);
}

/* server:close(). Idempotent. */
static int server_close(lua_State *L)
{
    lua_settop(L, 1);
    close_server(L, check(L, "close"));
    return 0;
}

/* What a wait for the end is followed by. */
enum after {
    AFTER_RETURN,
    AFTER_RAISE /* the error at 2 */,
    AFTER_TELL /* whether none was aborted */
};

static int wait_closed_k(lua_State *L, int status, lua_KContext ctx);

static int after_end(lua_State *L, const struct lc_server *server, lua_KContext ctx)
{
    if (ctx == AFTER_RAISE)
        return lua_error(L);
    lua_pushboolean(L, !server->aborted);
    return ctx == AFTER_TELL;
}

static int wait_closed_on(lua_State *L, struct lc_server *server, lua_KContext ctx)
{
    struct lc_task *task;

    if (server->state == LC_SERVER_CLOSED && server->active == 0)
        return after_end(L, server, ctx);
    task = lc_wait_task(L, server->host, "Server:wait_closed");
    lc_list_append(&server->closers, &task->waiter.link);
    lc_wait_begin(L, task, &closed_wait, 1);
    return lc_wait_yield(L, task, ctx, wait_closed_k);
}

static int wait_closed_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_task *task = lc_host_of(L)->current;

    (void)status;
    lc_list_unlink(&task->waiter.link);
    return lc_wait_end(L, task) ? lua_error(L) : after_end(L, lua_touserdata(L, 1), ctx);
}

/* server:wait_closed(). May suspend. (SV5) */
static int server_wait_closed(lua_State *L)
{
    lua_settop(L, 1);
    return wait_closed_on(L, check(L, "wait_closed"), AFTER_RETURN);
}

/* server:drain(seconds) -> boolean: closes and waits for the connections; those that go on for longer are
 * aborted, and the result is false. Without a number it is the server's own. May suspend. */
static int server_drain(lua_State *L)
{
    struct lc_server *server = check(L, "drain");
    double seconds = server->grace;

    lua_settop(L, 2);
    if (!lua_isnil(L, 2))
        seconds = lc_check_limit(L, 2, "drain", 1);
    close_server(L, server);
    limit_connections(L, server, seconds);
    return wait_closed_on(L, server, AFTER_TELL);
}

/* __close: the block form closes and waits. */
static int server_leave(lua_State *L)
{
    struct lc_server *server = check(L, "close");

    lua_settop(L, 1);
    close_server(L, server);
    if (server->host->current == NULL || !server->host->can_await)
        return 0;
    return wait_closed_on(L, server, AFTER_RETURN);
}

static int forever_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_task *task = lc_host_of(L)->current;
    struct lc_server *server = lua_touserdata(L, 1);

    (void)status;
    (void)ctx;
    lc_list_unlink(&task->waiter.link);
    if (!lc_wait_end(L, task))
        return 0;
    if (lc_error_kind(L, -1) != LC_KIND_CANCELLED)
        return lua_error(L);
    close_server(L, server);
    return wait_closed_on(L, server, AFTER_RAISE);
}

/* server:serve_forever(). Suspends until it is cancelled. (SV6) */
static int server_serve_forever(lua_State *L)
{
    struct lc_server *server = check(L, "serve_forever");
    struct lc_host *host = server->host;
    struct lc_task *task;

    lua_settop(L, 1);
    task = lc_wait_task(L, host, "Server:serve_forever");
    if (!lc_list_empty(&server->forever))
        lc_raise(L, host, LC_RUNTIME_ERROR, "server %s is already being awaited on serve_forever()",
                 luaL_tolstring(L, 1, NULL));
    start(L, server);
    lc_list_append(&server->forever, &task->waiter.link);
    lc_wait_begin(L, task, &forever_wait, 1);
    return lc_wait_yield(L, task, 0, forever_k);
}

static int server_is_serving(lua_State *L)
{
    lua_pushboolean(L, check(L, "is_serving")->state == LC_SERVER_SERVING);
    return 1;
}

/* server:close_clients(), server:abort_clients() */
static int server_close_clients(lua_State *L)
{
    struct lc_server *server = check(L, "close_clients");

    for (struct lc_link *link = server->connections.next; link != &server->connections;
         link = link->next)
        lc_stream_close(lc_container_of(link, struct lc_stream, peers));
    return 0;
}

static int server_abort_clients(lua_State *L)
{
    struct lc_server *server = check(L, "abort_clients");

    abort_connections(server);
    return 0;
}

static int server_tostring(lua_State *L)
{
    static const char *const names[] = {"made", "serving", "closed"};
    struct lc_server *server = check(L, "tostring");
    const char *first = "";

    lua_getiuservalue(L, 1, 2);
    if (lua_rawgeti(L, -1, 1) == LUA_TUSERDATA && server->state != LC_SERVER_CLOSED) {
        lua_getiuservalue(L, -1, 1);
        first = luaL_tolstring(L, -1, NULL);
    }
    lua_pushfstring(L, "<Server %s%s%s>", names[server->state], first[0] ? " " : "", first);
    return 1;
}

/* (server, key): its methods, and sockets: a list, empty once it is closed. Upvalue 2: the methods */
static int server_index(lua_State *L)
{
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL)
        return 1;
    if (lua_type(L, 2) != LUA_TSTRING || strcmp(lua_tostring(L, 2), "sockets") != 0)
        return 0;
    if (check(L, "sockets")->state == LC_SERVER_CLOSED)
        lua_newtable(L);
    else
        lua_getiuservalue(L, 1, 2);
    return 1;
}

/* The loop closed under it: nothing is left of what C holds. */
static int server_gc(lua_State *L)
{
    struct lc_server *server = lc_to_finalize(L, &server_type);

    if (server == NULL)
        return 0;
    while (!lc_list_empty(&server->connections)) {
        struct lc_stream *stream =
            lc_container_of(lc_list_pop(&server->connections), struct lc_stream, peers);

        stream->server = NULL;
    }
    return 0;
}

/* serve(callback, listeners, limit, start, max_connections?, drain_timeout?, settings of TLS?) -> Server */
int lc_stream_serve(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_filter_maker *maker;
    struct lc_server *server;
    lua_Integer limit;

    lua_settop(L, 7);
    limit = luaL_checkinteger(L, 3);
    maker = lc_filter_check_maker(L, 7, "start_server");
    if (host->loop == NULL)
        lc_raise(L, host, LC_RUNTIME_ERROR, "start_server: no running event loop");
    server = lc_new_object(L, host, &server_type, LC_REF_SERVER, sizeof *server, 3);
    server->host = host;
    server->loop = host->loop;
    server->generation = host->loop->generation;
    server->limit = (size_t)limit;
    server->maker = maker;
    server->anchor = LC_NO_ANCHOR;
    server->most = (unsigned)lua_tointeger(L, 5);
    if (lua_isnil(L, 6))
        server->grace = host->supervised != NULL ? host->supervised->drain_timeout : HUGE_VAL;
    else
        server->grace = lua_tonumber(L, 6);
    lc_entry_init(&server->deadline.entry, &deadline_entry);
    lc_list_init(&server->connections);
    lc_list_init(&server->closers);
    lc_list_init(&server->forever);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, 8, 1);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, 8, 2);
    lua_pushvalue(L, 7);
    lua_setiuservalue(L, 8, 3);
    if (lua_toboolean(L, 4)) {
        lua_replace(L, 1);
        lua_settop(L, 1);
        start(L, server);
    }
    return 1;
}

void lc_open_server(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"start_serving", server_start_serving},
                                       {"serve_forever", server_serve_forever},
                                       {"close", server_close},
                                       {"wait_closed", server_wait_closed},
                                       {"drain", server_drain},
                                       {"is_serving", server_is_serving},
                                       {"close_clients", server_close_clients},
                                       {"abort_clients", server_abort_clients},
                                       {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__close", server_leave},
                                           {"__tostring", server_tostring},
                                           {"__gc", server_gc},
                                           {NULL, NULL}};

    lc_new_type(L, host, LC_REF_SERVER, "lucio.Server", methods, metamethods);
    lc_host_push_ref(L, host, LC_REF_SERVER);
    lua_pushlightuserdata(L, host);
    lua_getfield(L, -2, "__index");
    lua_pushcclosure(L, server_index, 2);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
