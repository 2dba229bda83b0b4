#include "shared_wait.h"

#include <poll.h>

#include <lauxlib.h>

#include "core.h"
#include "descriptor.h"
#include "shared.h"
#include "stop.h"

/* How often a blocked thread looks whether its job is stopped, milliseconds. */
#define SLICE 100

bool lc_shared_suspends(const struct lc_host *host)
{
    return host->loop != NULL;
}

void lc_shared_block(lua_State *L, struct lc_host *host, int fd)
{
    struct pollfd poller = {fd, POLLIN, 0};

    while (poll(&poller, 1, SLICE) <= 0)
        lc_stop_check(L, host);
}

int lc_shared_suspend(lua_State *L, struct lc_host *host, int fd, const char *what,
                      lua_KContext ctx, lua_KFunction k)
{
    struct lc_task *task = lc_wait_task(L, host, what);
    struct lc_descriptor *descriptor;

    luaL_checkstack(L, 6, NULL);
    descriptor = lc_descriptor_new(L, host);
    return lc_descriptor_wait(L, task, descriptor, lua_gettop(L), fd, EV_READ, ctx, k);
}

bool lc_shared_wait_end(lua_State *L, struct lc_host *host)
{
    struct lc_descriptor *descriptor = lua_touserdata(L, -1);
    bool ended = lc_descriptor_wait_end(L, host->current, descriptor);

    lua_remove(L, ended ? -2 : -1);
    return ended;
}

void lc_shared_resume(lua_State *L, struct lc_host *host)
{
    if (lc_shared_wait_end(L, host))
        lua_error(L);
}
