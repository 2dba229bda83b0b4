/*
 * watch: an inotify descriptor, which the loop watches, and which a thread adds paths to. What the events
 * mean is decided in lua/lucio/fs/watch.lua.
 * Owner: the object has the descriptor; a path is added through a copy of it, which is the call's.
 */
#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <ev.h>
#include <lauxlib.h>

#include "core.h"
#include "descriptor.h"

/* So much of one read: some hundred events. */
#define EVENTS_SIZE 16384

#define MASK                                                                                       \
    (IN_CREATE | IN_MODIFY | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF |            \
     IN_MOVE_SELF)

/* User value 1: the descriptor that waits. */
struct watch {
    struct lc_object object;
    struct lc_descriptor *descriptor; /* has a loop while a task waits */
    int fd;                           /* -1: closed */
    bool closed;                      /* and the descriptor follows once nobody waits */
};

static const struct lc_type watch_type = {"lucio.fs.inotify", sizeof(struct watch)};

int lc_fs_copy_watch(lua_State *L, int idx)
{
    const struct watch *watch = lc_to_object(L, idx, &watch_type);

    return watch != NULL && watch->fd >= 0 ? fcntl(watch->fd, F_DUPFD_CLOEXEC, 0) : -1;
}

void lc_fs_watch(struct lc_fs_call *call)
{
    int wd = -1;

    errno = EBADF;
    if (call->fd >= 0)
        wd = inotify_add_watch(call->fd, call->path, MASK);
    if (wd < 0)
        call->error = errno;
    call->number[2] = wd;
}

/* inotify() -> watch */
static int new_watch(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct watch *watch = lc_new_object(L, host, &watch_type, LC_REF_WATCH, sizeof *watch, 1);

    watch->fd = -1;
    watch->descriptor = lc_descriptor_new(L, host);
    lua_setiuservalue(L, -2, 1);
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->fd >= 0)
        return 1;
    lc_fs_push_error(L, host, errno, NULL, NULL);
    return lua_error(L);
}

/* Appends the events to the list at 3: {wd=, mask=, cookie=, name=}. */
static void push_events(lua_State *L, const char *at, const char *end)
{
    lua_Integer n = 0;

    while (at < end) {
        const struct inotify_event *event = (const struct inotify_event *)at;

        lua_createtable(L, 0, 4);
        lua_pushinteger(L, event->wd);
        lua_setfield(L, -2, "wd");
        lua_pushinteger(L, event->mask);
        lua_setfield(L, -2, "mask");
        lua_pushinteger(L, event->cookie);
        lua_setfield(L, -2, "cookie");
        if (event->len > 0) {
            lua_pushstring(L, event->name);
            lua_setfield(L, -2, "name");
        }
        lua_rawseti(L, 3, ++n);
        at += sizeof *event + event->len;
    }
}

static void close_fd(struct watch *watch)
{
    if (watch->fd >= 0)
        close(watch->fd);
    watch->fd = -1;
}

static int wait_k(lua_State *L, int status, lua_KContext ctx);

/* The watch is at 1; reads, or waits until there is something. */
static int read_or_wait(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct watch *watch = lua_touserdata(L, 1);
    alignas(struct inotify_event) char events[EVENTS_SIZE];
    struct lc_task *task;
    ssize_t n;

    lua_settop(L, 1);
    if (watch->closed)
        close_fd(watch);
    if (watch->fd < 0)
        return 0;
    if (watch->descriptor->loop != NULL)
        lc_raise(L, host, LC_RUNTIME_ERROR, "a watch is read by one task at a time");
    task = lc_wait_task(L, host, "watch");
    lua_pushnil(L);
    lua_newtable(L);
    n = read(watch->fd, events, sizeof events);
    if (n > 0) {
        push_events(L, events, events + n);
        return 1;
    }
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        lc_fs_push_error(L, host, errno, NULL, NULL);
        return lua_error(L);
    }
    lua_settop(L, 1);
    lua_getiuservalue(L, 1, 1);
    return lc_descriptor_wait(L, task, watch->descriptor, 2, watch->fd, EV_READ, 0, wait_k);
}

static int wait_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    if (lc_descriptor_wait_end(L, lc_host_of(L)->current, lua_touserdata(L, 2))) {
        struct watch *watch = lua_touserdata(L, 1);

        if (watch->closed)
            close_fd(watch);
        return lua_error(L);
    }
    return read_or_wait(L);
}

/* watch:read() -> list of events; nothing when it is closed. May suspend. */
static int watch_read(lua_State *L)
{
    lc_check_self(L, &watch_type, "read");
    return read_or_wait(L);
}

/* watch:close(): who waits is woken; a watched descriptor must not be closed. */
static int watch_close(lua_State *L)
{
    struct watch *watch = lc_check_self(L, &watch_type, "close");
    struct lc_descriptor *descriptor = watch->descriptor;

    watch->closed = true;
    if (descriptor->loop == NULL)
        close_fd(watch);
    else if (!lc_entry_is_queued(&descriptor->entry))
        lc_loop_ready(descriptor->loop, &descriptor->entry);
    return 0;
}

static int watch_gc(lua_State *L)
{
    struct watch *watch = lc_to_finalize(L, &watch_type);

    if (watch != NULL)
        close_fd(watch);
    return 0;
}

/* watch:forget(wd): its path is watched no more. */
static int watch_forget(lua_State *L)
{
    struct watch *watch = lc_check_self(L, &watch_type, "forget");

    if (watch->fd >= 0)
        inotify_rm_watch(watch->fd, (int)lc_check_integer(L, 2, "forget", 1));
    return 0;
}

static const struct {
    const char *name;
    lua_Integer value;
} flags[] = {{"CREATE", IN_CREATE},         {"MODIFY", IN_MODIFY},
             {"DELETE", IN_DELETE},         {"MOVED_FROM", IN_MOVED_FROM},
             {"MOVED_TO", IN_MOVED_TO},     {"DELETE_SELF", IN_DELETE_SELF},
             {"MOVE_SELF", IN_MOVE_SELF},   {"IGNORED", IN_IGNORED},
             {"Q_OVERFLOW", IN_Q_OVERFLOW}, {"ISDIR", IN_ISDIR}};

void lc_fs_add_watch(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {
        {"read", watch_read}, {"close", watch_close}, {"forget", watch_forget}, {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__gc", watch_gc}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"inotify", new_watch}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_WATCH, "lucio.fs.inotify", methods, metamethods);
    lc_set_functions(L, host, functions);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        lua_pushinteger(L, flags[i].value);
        lua_setfield(L, -2, flags[i].name);
    }
}
