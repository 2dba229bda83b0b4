/*
 * shared_lock: lucio.shared.Lock and RLock, and the locks of Values and Arrays.
 */
#include "region.h"

#include <errno.h>
#include <string.h>

#include <lauxlib.h>

#include "core.h"
#include "lock_wait.h"
#include "region_lock.h"
#include "stop.h"

/* How often a blocked thread looks whether its job is to end, milliseconds. */
#define SLICE 100

const struct lc_type lc_shared_lock_type = {"shared lock", sizeof(struct lc_shared_object)};

static struct lc_region *check_lock(lua_State *L, const char *what)
{
    return lc_region_of(lc_shared_check(L, &lc_shared_lock_type, what));
}

/* What taking it came to: 1 and 2 of the stack are the lock and whether its last holder died; or raises. */
static int taken(lua_State *L, struct lc_host *host, struct lc_region *region, int error, bool died)
{
    if (error == EDEADLK)
        lc_raise(L, host, LC_RUNTIME_ERROR, "the caller holds the lock already");
    if (error != 0)
        lc_raise(L, host, LC_RUNTIME_ERROR, "cannot take the lock: %s", strerror(error));
    lc_lock_wait_next(host, region);
    lua_settop(L, 1);
    lua_pushboolean(L, died);
    return 2;
}

/* Holds up the thread until the lock is there. */
static int block(lua_State *L, struct lc_host *host, struct lc_region *region)
{
    bool died;
    int error;

    if (lc_region_is_held(host, region))
        lc_raise(L, host, LC_RUNTIME_ERROR, "a task of this thread holds the lock");
    while ((error = lc_region_try_for(host, region, SLICE, &died)) == EBUSY)
        lc_stop_check(L, host);
    return taken(L, host, region, error, died);
}

static int acquire_k(lua_State *L, int status, lua_KContext ctx);

static int acquire(lua_State *L, struct lc_region *region, lua_KContext ctx)
{
    struct lc_host *host = lc_host_of(L);
    bool died;
    int error = lc_region_try(host, region, &died);

    lua_settop(L, 1);
    if (error != EBUSY)
        return taken(L, host, region, error, died);
    if (host->loop == NULL)
        return block(L, host, region);
    return lc_lock_wait_begin(L, lc_wait_task(L, host, "shared lock:acquire"), region, 1, ctx,
                              acquire_k);
}

static int acquire_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_region *region = check_lock(L, "acquire");

    (void)status;
    lc_lock_wait_done(L, lc_host_of(L)->current, region);
    return acquire(L, region, ctx);
}

/* lock:acquire() -> lock, whether its last holder died with it. May suspend; without a loop it holds up
 * the thread. */
static int lock_acquire(lua_State *L)
{
    return acquire(L, check_lock(L, "acquire"), 0);
}

/* lock:try_acquire() -> whether it is taken now, whether its last holder died with it */
static int lock_try_acquire(lua_State *L)
{
    struct lc_region *region = check_lock(L, "try_acquire");
    bool died;

    lua_pushboolean(L, lc_region_try(lc_host_of(L), region, &died) == 0);
    lua_pushboolean(L, died);
    return 2;
}

static int lock_release(lua_State *L)
{
    struct lc_region *region = check_lock(L, "release");
    struct lc_host *host = lc_host_of(L);

    if (lc_region_give(host, region) != 0)
        lc_raise(L, host, LC_RUNTIME_ERROR, "the caller does not hold the lock");
    lc_lock_wait_next(host, region);
    return 0;
}

static int lock_new(lua_State *L, bool recursive)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_shared_object *object =
        lc_shared_object_new(L, host, &lc_shared_lock_type, LC_REF_SHARED_LOCK);
    struct lc_region *region = lc_region_new(LC_REGION_LOCK, LC_REGION_NONE, 0, recursive);

    if (region == NULL)
        lc_raise_errno(L, host, errno, NULL);
    object->shared = &region->shared;
    lc_shared_charge(L, host, &region->shared, region->size);
    return 1;
}

/* shared.Lock() */
static int shared_lock(lua_State *L)
{
    lc_check_no_arguments(L, "Lock");
    return lock_new(L, false);
}

/* shared.RLock() */
static int shared_rlock(lua_State *L)
{
    lc_check_no_arguments(L, "RLock");
    return lock_new(L, true);
}

void lc_shared_lock_open(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"acquire", lock_acquire},
                                       {"try_acquire", lock_try_acquire},
                                       {"release", lock_release},
                                       {NULL, NULL}};
    static const luaL_Reg metamethods[] = {
        {"__gc", lc_shared_gc}, {"__close", lock_release}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_SHARED_LOCK, "lucio.shared.lock", methods, metamethods);
}

void lc_shared_lock_add(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg functions[] = {
        {"Lock", shared_lock}, {"RLock", shared_rlock}, {NULL, NULL}};

    lc_set_functions(L, host, functions);
}
