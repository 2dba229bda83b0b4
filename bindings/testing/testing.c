/*
 * testing: what lucio.testing has in C: the clock of the host, what is queued and what is left in a loop,
 * streams without a network. What it is for is decided by lua/lucio/testing.lua.
 * Owner: nothing; the descriptors of a pair are the stack's until their streams begin.
 */
#include <errno.h>
#include <math.h>
#include <sys/socket.h>

#include <lauxlib.h>

#include "connect.h"
#include "core.h"
#include "datagram.h"
#include "descriptor.h"
#include "listener.h"
#include "pair.h"
#include "permit.h"
#include "submodule.h"
#include "watcher.h"

static struct lc_loop *check_running(lua_State *L, const char *what)
{
    struct lc_host *host = lc_host_of(L);

    if (host->loop == NULL)
        lc_raise(L, host, LC_RUNTIME_ERROR, "%s: no running event loop", what);
    return host->loop;
}

/* ---- the clock ---- */

/* set_virtual(boolean or nothing) -> what it was: the clock of all loops of this host. The virtual one
 * begins at a whole number of seconds of the real one. */
static int testing_set_virtual(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_clock *clock = &host->clock;
    bool was = clock->is_virtual, on = lua_isnoneornil(L, 1) ? was : lua_toboolean(L, 1);

    if (host->loop != NULL && host->loop->guest != NULL)
        lc_raise(L, host, LC_RUNTIME_ERROR, "the loop is the program's: it has no virtual clock");
    if (on && !was && host->loop != NULL)
        clock->now = ceil(lc_loop_time(host->loop));
    clock->is_virtual = on;
    if (host->loop != NULL)
        host->loop->now = lc_loop_time(host->loop);
    lua_pushboolean(L, was);
    return 1;
}

/* ---- the loop ---- */

static lua_Integer count_list(const struct lc_link *list)
{
    lua_Integer count = 0;

    for (const struct lc_link *link = list->next; link != list; link = link->next)
        count++;
    return count;
}

/* queued() -> how many entries of the running loop are still to run, in this tick and the next */
static int testing_queued(lua_State *L)
{
    struct lc_loop *loop = check_running(L, "queued");

    lua_pushinteger(L, count_list(&loop->ready) + count_list(loop->batch));
    return 1;
}

/* Appends the value on top to the list at 1. [-1, +0, m] */
static void append(lua_State *L)
{
    lua_rawseti(L, 1, (lua_Integer)lua_rawlen(L, 1) + 1);
}

/* Appends "what on address", of a descriptor's own end or of its peer. [-0, +0, m] */
static void append_socket(lua_State *L, const char *what, int fd, bool peer)
{
    const char *address;

    lc_push_socket_name(L, fd, peer);
    address = lua_isnil(L, -1) ? "" : luaL_tolstring(L, -1, NULL);
    lua_pushfstring(L, *address != '\0' ? "%s %s" : "%s", what, address);
    append(L);
    lua_settop(L, 1);
}

/* left() -> list of what holds the running loop beside its tasks: text or Handle */
static int testing_left(lua_State *L)
{
    struct lc_loop *loop = check_running(L, "left");

    lua_settop(L, 0);
    luaL_checkstack(L, 10, NULL);
    lua_newtable(L);
    for (uint32_t i = 1; i <= loop->timers.count; i++) {
        struct lc_entry *entry = &loop->timers.heap[i].timer->entry;

        if (entry->type->push != NULL) {
            entry->type->push(L, loop, entry);
            append(L);
        }
    }
    lc_watchers_push(L, loop);
    for (lua_Integer i = 1; lua_rawgeti(L, 2, i) != LUA_TNIL; i++)
        append(L);
    lua_settop(L, 1);
    for (struct lc_link *link = loop->streams.next; link != &loop->streams; link = link->next) {
        struct lc_stream *stream = lc_container_of(link, struct lc_stream, link);

        if (stream->is_local)
            append_socket(L, "an end of a stream pair", -1, true);
        else
            append_socket(L, stream->is_socket ? "a connection with" : "a pipe", stream->fd, true);
    }
    for (struct lc_link *link = loop->listeners.next; link != &loop->listeners; link = link->next)
        append_socket(L, "a server on", lc_container_of(link, struct lc_listener, link)->fd, false);
    for (struct lc_link *link = loop->datagrams.next; link != &loop->datagrams; link = link->next)
        append_socket(L, "a datagram endpoint on",
                      lc_container_of(link, struct lc_datagram, link)->fd, false);
    return 1;
}

/* ---- streams ---- */

/* pair() -> two objects for begin: the ends of a pair of connected sockets */
static int testing_pair(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_descriptor *a = lc_descriptor_new(L, host), *b = lc_descriptor_new(L, host);
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
        lc_raise_errno(L, host, errno, NULL);
    a->owned = fds[0];
    b->owned = fds[1];
    return 2;
}

/* begin(end, limit) -> reader, writer */
static int testing_begin(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_descriptor *descriptor;
    struct lc_task *task;
    lua_Integer limit = luaL_checkinteger(L, 2);

    task = lc_wait_task(L, host, "stream_pair");
    descriptor = lua_touserdata(L, 1);
    return lc_connect_begin(L, task, descriptor, LC_STREAM_LOCAL, (size_t)limit, NULL);
}

int lc_open_testing(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"set_virtual", testing_set_virtual},
        {"queued", testing_queued},
        {"left", testing_left},
        {"pair", testing_pair},
        {"begin", testing_begin},
        {NULL, NULL},
    };

    lc_permit_outside(L, lc_host_of(L), "lucio.testing");
    lua_newtable(L);
    lc_set_functions(L, lc_host_of(L), functions);
    return 1;
}
