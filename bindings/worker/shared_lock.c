/*
 * shared_lock: lucio.shared.Lock and RLock, and the locks of Values and Arrays.
 */
#include "region.h"

#include <errno.h>
#include <string.h>

#include <lauxlib.h>

#include "core.h"

const struct lc_type lc_shared_lock_type = {"shared lock", sizeof(struct lc_shared_object)};

static struct lc_region *check_lock(lua_State *L, const char *what)
{
    return lc_region_of(lc_shared_check(L, &lc_shared_lock_type, what));
}

/* Takes the mutex, also from a thread that died with it. 0 or an errno. */
static int mutex_take(pthread_mutex_t *mutex, int (*take)(pthread_mutex_t *))
{
    int error = take(mutex);

    if (error == EOWNERDEAD)
        error = pthread_mutex_consistent(mutex);
    return error;
}

/* lock:acquire() -> lock. Holds up the whole thread while another one has it. */
static int lock_acquire(lua_State *L)
{
    struct lc_region *region = check_lock(L, "acquire");
    int error = mutex_take(&region->head->mutex, pthread_mutex_lock);

    if (error == EDEADLK)
        lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR, "this thread holds the lock already");
    if (error != 0)
        lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR, "cannot take the lock: %s", strerror(error));
    lua_settop(L, 1);
    return 1;
}

/* lock:try_acquire() -> whether it is taken now */
static int lock_try_acquire(lua_State *L)
{
    struct lc_region *region = check_lock(L, "try_acquire");

    lua_pushboolean(L, mutex_take(&region->head->mutex, pthread_mutex_trylock) == 0);
    return 1;
}

static int lock_release(lua_State *L)
{
    struct lc_region *region = check_lock(L, "release");

    if (pthread_mutex_unlock(&region->head->mutex) != 0)
        lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR, "this thread does not hold the lock");
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
