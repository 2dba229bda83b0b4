/*
 * listener: a socket that accepts connections for a server (SEMANTICS SV2, SV3, SV7).
 * Owner: Lua's collector; its server holds it. The descriptor is its own until it is closed.
 */
#include "listener.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "connect.h"
#include "core.h"
#include "pair.h"
#include "permit.h"
#include "server.h"
#include "streams.h"
#include "supervised.h"

/* Seconds of pause after running out of descriptors. */
#define RETRY_DELAY 1.0
/* No more are accepted in a row, however long the queue may be. */
#define MOST_ACCEPTS 256

const struct lc_type lc_listener_type = {"Listener", sizeof(struct lc_listener)};

/* ---- accepting ---- */

static void on_connection(struct ev_loop *ev, ev_io *io, int events)
{
    struct lc_listener *listener = lc_container_of(io, struct lc_listener, io);

    (void)ev;
    (void)events;
    if (!lc_entry_is_queued(&listener->entry))
        lc_loop_ready(listener->loop, &listener->entry);
}

/* Accepts while the server has room, and nothing was missing lately. */
static void update(struct lc_listener *listener)
{
    struct lc_loop *loop = listener->loop;
    bool on = listener->server != NULL && !listener->paused && !lc_server_is_full(listener->server);

    if (on == (bool)ev_is_active(&listener->io))
        return;
    if (on) {
        ev_io_start(loop->ev, &listener->io);
        loop->io++;
        loop->host->watchers++;
    } else {
        ev_io_stop(loop->ev, &listener->io);
        loop->io--;
        loop->host->watchers--;
    }
}

static struct lc_listener *listener_of(struct lc_link *link)
{
    return lc_container_of(link, struct lc_listener, link);
}

void lc_listeners_update(struct lc_loop *loop, struct lc_server *server)
{
    for (struct lc_link *link = loop->listeners.next; link != &loop->listeners; link = link->next) {
        if (listener_of(link)->server == server)
            update(listener_of(link));
    }
}

static void end_pause(struct lc_listener *listener)
{
    if (!listener->paused)
        return;
    listener->paused = false;
    listener->loop->starving--;
    lc_loop_unset_timer(listener->loop, &listener->retry);
}

void lc_listeners_retry(struct lc_loop *loop)
{
    for (struct lc_link *link = loop->listeners.next; link != &loop->listeners; link = link->next) {
        end_pause(listener_of(link));
        update(listener_of(link));
    }
}

static int set_retry(lua_State *L)
{
    struct lc_listener *listener = lua_touserdata(L, 1);

    lc_loop_set_timer(L, listener->loop, &listener->retry,
                      lc_loop_time(listener->loop) + RETRY_DELAY);
    listener->paused = true;
    listener->loop->starving++;
    return 0;
}

/* No descriptor or no memory is left: others may give some back. Where it is one of this loop's that was
 * given back and taken at once, that is not said again each time. */
static void pause_accepting(struct lc_listener *listener, int error)
{
    lua_State *L = listener->loop->L;
    double now = lc_loop_time(listener->loop);

    lua_pushcfunction(L, set_retry);
    lua_pushlightuserdata(L, listener);
    /* without a timer it goes on trying */
    if (lua_pcall(L, 1, 0, 0) != LUA_OK)
        lua_pop(L, 1);
    update(listener);
    if (listener->reported != 0 && now - listener->reported < RETRY_DELAY)
        return;
    listener->reported = now;
    lc_server_exhausted(listener->server, error);
}

/* An error of the connection that would have come, which accept(2) tells in its place. */
static bool is_connections(int error)
{
    switch (error) {
    case ECONNABORTED:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case EINTR:
    case ENETDOWN:
    case ENETUNREACH:
    case ENONET:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EPERM:
    case EPROTO:
        return true;
    default:
        return false;
    }
}

static void accept_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_listener *listener = lc_container_of(entry, struct lc_listener, entry);
    int most = listener->backlog < MOST_ACCEPTS ? listener->backlog : MOST_ACCEPTS;

    /* the other workers want some, too */
    if (listener->shared != 0 && !listener->has_queue_alone)
        most = 0;
    (void)loop;
    for (int i = 0; i <= most && listener->server != NULL; i++) {
        struct lc_socket_name peer = {.any.sa_family = AF_UNIX};
        socklen_t size = sizeof peer;
        int fd;

        if (lc_server_is_full(listener->server))
            return;
        fd = accept4(listener->fd, &peer.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && is_connections(errno))
            continue;
        if (fd < 0) {
            if (errno != EAGAIN && errno != EWOULDBLOCK)
                pause_accepting(listener, errno);
            return;
        }
        if (!lc_server_accepted(listener->server, fd, &peer)) {
            close(fd);
            pause_accepting(listener, ENOMEM);
            return;
        }
    }
}

static void retry_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_listener *listener = lc_container_of(entry, struct lc_listener, retry.entry);

    (void)loop;
    end_pause(listener);
    update(listener);
}

static const struct lc_entry_type accept_entry = {accept_run, NULL, NULL, NULL};
static const struct lc_entry_type retry_entry = {retry_run, NULL, NULL, NULL};

void lc_listener_start(lua_State *L, struct lc_listener *listener, struct lc_server *server,
                       struct lc_loop *loop)
{
    if (listener->server != NULL || listener->fd < 0)
        return;
    if (listen(listener->fd, listener->backlog) != 0)
        lc_raise_errno(L, listener->host, errno, NULL);
    if (listener->shared != 0)
        lc_supervised_ready(listener->host->supervised);
    listener->server = server;
    listener->loop = loop;
    ev_io_init(&listener->io, on_connection, listener->fd, EV_READ);
    lc_list_append(&loop->listeners, &listener->link);
    update(listener);
}

void lc_listener_close(struct lc_listener *listener)
{
    if (listener->server != NULL) {
        listener->server = NULL;
        update(listener);
        end_pause(listener);
        lc_list_unlink(&listener->entry.link);
        lc_list_unlink(&listener->link);
    }
    if (listener->fd >= 0) {
        lc_bound_remove(listener->fd, &listener->file);
        close(listener->fd);
        if (listener->shared != 0)
            lc_supervised_closed(listener->host->supervised, listener->shared);
    }
    listener->fd = -1;
}

void lc_listeners_abandon(lua_State *L, struct lc_loop *loop)
{
    while (!lc_list_empty(&loop->listeners)) {
        struct lc_listener *listener =
            lc_container_of(loop->listeners.next, struct lc_listener, link);
        struct lc_server *server = listener->server;

        lc_listener_close(listener);
        lc_server_abandon(L, server);
    }
}

/* ---- making ---- */

int lc_raise_bind(lua_State *L, struct lc_host *host, int error,
                  const struct lc_socket_address *address)
{
    char text[128];

    lc_push_address_text(L, address);
    if (address->storage.ss_family == AF_UNIX && error != EADDRINUSE)
        return lc_raise_errno(L, host, error, NULL);
    if (address->storage.ss_family == AF_UNIX) {
        lua_pushfstring(L, "[Errno %d] Address %s is already in use", error, lua_tostring(L, -1));
    } else {
        /* as Python writes it: the error's own text, in lower case */
        snprintf(text, sizeof text, "%s", strerror(error));
        for (char *c = text; *c != '\0'; c++)
            *c = (char)tolower((unsigned char)*c);
        lua_pushfstring(L, "[Errno %d] error while attempting to bind on address %s: [errno %d] %s",
                        error, lua_tostring(L, -1), error, text);
    }
    lc_error_push_os(L, host, error, NULL, lua_tostring(L, -1));
    return lua_error(L);
}

/* Gets the supervisor's socket. Returns 0 or an errno. */
static int bind_shared(struct lc_listener *listener, const struct lc_socket_address *address,
                       uint32_t flags)
{
    if (address->storage.ss_family == AF_UNIX)
        flags &= ~(uint32_t)LC_BIND_REUSE_PORT;
    listener->has_queue_alone = (flags & LC_BIND_REUSE_PORT) != 0;
    return lc_supervised_socket(listener->host->supervised,
                                (const struct sockaddr *)&address->storage, address->size, flags,
                                &listener->fd, &listener->shared);
}

/* listen(host or path, port or nil, backlog, reuse_address, reuse_port, keep_path) -> Listener: bound, not
 * yet accepting. */
int lc_stream_listen(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_socket_address address;
    struct lc_listener *listener;
    uint32_t flags;
    int error;

    lua_settop(L, 6);
    lc_check_socket_address(L, 1, "listen", &address);
    lc_permit_address(L, host, (struct sockaddr *)&address.storage, address.size);
    flags = (lua_toboolean(L, 4) ? LC_BIND_REUSE_ADDRESS : 0) |
            (lua_toboolean(L, 5) ? LC_BIND_REUSE_PORT : 0) |
            (lua_toboolean(L, 6) ? LC_BIND_KEEP_PATH : 0);
    listener = lc_new_object(L, host, &lc_listener_type, LC_REF_LISTENER, sizeof *listener, 1);
    listener->fd = -1;
    listener->host = host;
    listener->backlog = (int)luaL_checkinteger(L, 3);
    lc_list_init(&listener->link);
    lc_entry_init(&listener->entry, &accept_entry);
    lc_entry_init(&listener->retry.entry, &retry_entry);
    if (host->supervised != NULL)
        error = bind_shared(listener, &address, flags);
    else
        error = lc_bind_socket((struct sockaddr *)&address.storage, address.size, flags,
                               &listener->fd, &listener->file);
    if (error != 0)
        return lc_raise_bind(L, host, error, &address);
    lc_push_socket_name(L, listener->fd, false);
    lua_setiuservalue(L, 7, 1);
    return 1;
}

static struct lc_listener *check(lua_State *L, const char *what)
{
    return lc_check_self(L, &lc_listener_type, what);
}

/* socket:getsockname() -> address; also when it is closed */
static int listener_getsockname(lua_State *L)
{
    check(L, "getsockname");
    lua_getiuservalue(L, 1, 1);
    return 1;
}

static int listener_fileno(lua_State *L)
{
    lua_pushinteger(L, check(L, "fileno")->fd);
    return 1;
}

static int listener_close(lua_State *L)
{
    lc_listener_close(check(L, "close"));
    return 0;
}

static int listener_gc(lua_State *L)
{
    struct lc_listener *listener = lc_to_finalize(L, &lc_listener_type);

    if (listener == NULL)
        return 0;
    if (listener->host != NULL)
        lc_listener_close(listener);
    return 0;
}

static int listener_tostring(lua_State *L)
{
    struct lc_listener *listener = check(L, "tostring");

    lua_getiuservalue(L, 1, 1);
    lua_pushfstring(L, "<socket fd=%d %s>", listener->fd, luaL_tolstring(L, -1, NULL));
    return 1;
}

void lc_open_listener(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"getsockname", listener_getsockname},
                                       {"fileno", listener_fileno},
                                       {"close", listener_close},
                                       {NULL, NULL}};
    static const luaL_Reg metamethods[] = {
        {"__tostring", listener_tostring}, {"__gc", listener_gc}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_LISTENER, "lucio.Listener", methods, metamethods);
}
