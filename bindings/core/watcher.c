/*
 * watcher: loop:add_reader and loop:add_writer: level-triggered callbacks of file descriptors
 * (SEMANTICS LP23, LP24).
 * Owner: a record for each direction of a descriptor, from add to remove, by the loop; it owns its
 *        handle. The libev callback only queues the handle's entry.
 */
#include "watcher.h"

#include <fcntl.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "core.h"
#include "handle.h"
#include "loop_object.h"
#include "permit.h"

struct watcher {
    struct lc_link link; /* loop->watchers */
    ev_io io;
    struct lc_loop *loop;
    struct lc_handle *handle;
};

static void on_ready(struct ev_loop *ev, ev_io *io, int events)
{
    struct watcher *watcher = lc_container_of(io, struct watcher, io);

    (void)ev;
    (void)events;
    if (!lc_entry_is_queued(&watcher->handle->timer.entry))
        lc_loop_ready(watcher->loop, &watcher->handle->timer.entry);
}

static struct watcher *find(struct lc_loop *loop, int fd, int events)
{
    for (struct lc_link *link = loop->watchers.next; link != &loop->watchers; link = link->next) {
        struct watcher *watcher = lc_container_of(link, struct watcher, link);

        if (watcher->io.fd == fd && (watcher->io.events & events))
            return watcher;
    }
    return NULL;
}

static void watcher_remove(lua_State *L, struct watcher *watcher)
{
    struct lc_loop *loop = watcher->loop;
    struct lc_host *host = loop->host;
    int top = lua_gettop(L);

    ev_io_stop(loop->ev, &watcher->io);
    loop->io--;
    loop->writing -= (watcher->io.events & EV_WRITE) != 0;
    host->watchers--;
    lc_list_unlink(&watcher->link);
    lc_anchor_push(L, host, watcher->handle->anchor);
    lc_handle_cancel(L, watcher->handle, top + 1);
    lua_settop(L, top);
    lc_realloc(host, watcher, sizeof *watcher, 0);
}

void lc_watchers_remove_all(lua_State *L, struct lc_loop *loop)
{
    while (!lc_list_empty(&loop->watchers))
        watcher_remove(L, lc_container_of(loop->watchers.next, struct watcher, link));
}

void lc_watchers_push(lua_State *L, struct lc_loop *loop)
{
    lua_Integer n = 0;

    lua_newtable(L);
    for (struct lc_link *link = loop->watchers.next; link != &loop->watchers; link = link->next) {
        struct watcher *watcher = lc_container_of(link, struct watcher, link);

        lc_anchor_push(L, loop->host, watcher->handle->anchor);
        lua_rawseti(L, -2, ++n);
    }
}

/* A descriptor, or an object with a method fd or fileno, or a Lua file. */
static int check_fd(lua_State *L, struct lc_host *host, const char *what)
{
    luaL_Stream *stream = luaL_testudata(L, 2, LUA_FILEHANDLE);
    lua_Integer fd;

    if (stream != NULL) {
        if (stream->closef == NULL)
            lc_raise_value(L, host, what, 1, "the file is closed");
        fd = fileno(stream->f);
    } else {
        if (lua_type(L, 2) != LUA_TNUMBER)
            lc_raise_argument(L, host, LC_TYPE_ERROR, what, 1, "file descriptor or file", 2);
        fd = lc_check_integer(L, 2, what, 1);
    }
    if (fd < 0 || fd > 1 << 24 || fcntl((int)fd, F_GETFD) == -1)
        lc_raise(L, host, LC_VALUE_ERROR, "bad argument #1 to '%s' (invalid file descriptor: %d)",
                 what, (int)fd);
    return (int)fd;
}

static int add(lua_State *L, const char *what, int events)
{
    struct lc_loop *loop = lc_loop_check(L, what);
    struct lc_host *host = loop->host;
    int fd = check_fd(L, host, what);
    struct watcher *watcher;

    lc_permit_outside(L, host, what);
    lc_check_callable(L, 3, what, 2);
    watcher = find(loop, fd, events);
    if (watcher != NULL)
        watcher_remove(L, watcher);
    watcher = lc_realloc(host, NULL, 0, sizeof *watcher);
    if (watcher == NULL)
        return luaL_error(L, "not enough memory");
    memset(watcher, 0, sizeof *watcher);
    watcher->loop = loop;
    lc_list_init(&watcher->link);
    watcher->handle = lc_handle_new(L, host, loop, 3, 0);
    watcher->handle->repeats = true;
    ev_io_init(&watcher->io, on_ready, fd, events);
    ev_io_start(loop->ev, &watcher->io);
    lc_list_append(&loop->watchers, &watcher->link);
    loop->io++;
    loop->writing += events == EV_WRITE;
    host->watchers++;
    return 1;
}

static int remove_watcher(lua_State *L, const char *what, int events)
{
    struct lc_loop *loop = lc_loop_check(L, what);
    struct watcher *watcher;
    luaL_Stream *stream = luaL_testudata(L, 2, LUA_FILEHANDLE);
    int fd;

    if (stream != NULL)
        fd = stream->closef != NULL ? fileno(stream->f) : -1;
    else
        fd = (int)lc_check_integer(L, 2, what, 1);
    watcher = find(loop, fd, events);
    if (watcher != NULL)
        watcher_remove(L, watcher);
    lua_pushboolean(L, watcher != NULL);
    return 1;
}

/* loop:add_reader(fd, fn, ...) -> Handle */
static int loop_add_reader(lua_State *L)
{
    return add(L, "add_reader", EV_READ);
}

static int loop_add_writer(lua_State *L)
{
    return add(L, "add_writer", EV_WRITE);
}

/* loop:remove_reader(fd) -> boolean */
static int loop_remove_reader(lua_State *L)
{
    return remove_watcher(L, "remove_reader", EV_READ);
}

static int loop_remove_writer(lua_State *L)
{
    return remove_watcher(L, "remove_writer", EV_WRITE);
}

void lc_open_watcher(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"add_reader", loop_add_reader},
                                       {"remove_reader", loop_remove_reader},
                                       {"add_writer", loop_add_writer},
                                       {"remove_writer", loop_remove_writer},
                                       {NULL, NULL}};

    lc_loop_add_methods(L, host, methods);
}
