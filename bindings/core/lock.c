/*
 * lock: a mutual exclusion lock for tasks (SEMANTICS LK).
 * Invariant: waiters stay in the list until their task runs, woken ones too: that is what keeps
 *            newcomers from barging in.
 */
#include <lauxlib.h>

#include "core.h"
#include "primitives.h"

const struct lc_type lc_lock_type = {"Lock", sizeof(struct lc_lock)};

static const struct lc_wait_type lock_wait = {"lock", NULL};

void lc_bind_loop(lua_State *L, struct lc_host *host, struct lc_loop **loop, uint32_t *generation,
                  const char *name)
{
    if (*loop == NULL) {
        *loop = host->loop;
        *generation = host->loop->generation;
    } else if (*loop != host->loop || *generation != host->loop->generation) {
        lc_raise(L, host, LC_RUNTIME_ERROR, "%s is bound to a different event loop", name);
    }
}

struct lc_lock *lc_lock_new(lua_State *L, struct lc_host *host)
{
    struct lc_lock *lock = lc_new_object(L, host, &lc_lock_type, LC_REF_LOCK, sizeof *lock, 0);

    lc_list_init(&lock->waiters);
    return lock;
}

static bool all_cancelled(const struct lc_link *waiters)
{
    for (struct lc_link *link = waiters->next; link != waiters; link = link->next) {
        if (lc_waiter_of(link)->state != LC_WAIT_CANCELLED)
            return false;
    }
    return true;
}

bool lc_lock_try(struct lc_lock *lock)
{
    if (lock->locked || !all_cancelled(&lock->waiters))
        return false;
    lock->locked = true;
    return true;
}

/* The first waiter only: one that is woken already will run and take its turn. */
static void wake_first(struct lc_lock *lock)
{
    if (!lc_list_empty(&lock->waiters))
        lc_waiter_wake(lc_waiter_of(lock->waiters.next));
}

int lc_lock_wait(lua_State *L, struct lc_task *task, struct lc_lock *lock, int idx,
                 lua_KContext ctx, lua_KFunction k)
{
    lc_bind_loop(L, task->future.loop->host, &lock->loop, &lock->generation, "Lock");
    lc_list_append(&lock->waiters, &task->waiter.link);
    lc_wait_begin(L, task, &lock_wait, idx);
    return lc_wait_yield(L, task, ctx, k);
}

bool lc_lock_wait_end(lua_State *L, struct lc_task *task, struct lc_lock *lock)
{
    lc_list_unlink(&task->waiter.link);
    if (lc_wait_end(L, task)) {
        if (!lock->locked)
            wake_first(lock);
        return true;
    }
    lock->locked = true;
    return false;
}

bool lc_lock_release(struct lc_lock *lock)
{
    if (!lock->locked)
        return false;
    lock->locked = false;
    wake_first(lock);
    return true;
}

/* ---- Lua ---- */

static int acquire_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    if (lc_lock_wait_end(L, lc_host_of(L)->current, lua_touserdata(L, 1)))
        return lua_error(L);
    return 1;
}

/* lock:acquire() -> lock. May suspend. */
int lc_method_lock_acquire(lua_State *L)
{
    struct lc_lock *lock = lc_check_self(L, &lc_lock_type, "acquire");

    lua_settop(L, 1);
    if (lc_lock_try(lock))
        return 1;
    return lc_lock_wait(L, lc_wait_task(L, lc_host_of(L), "Lock:acquire"), lock, 1, 0, acquire_k);
}

/* lock:release() */
int lc_method_lock_release(lua_State *L)
{
    struct lc_lock *lock = lc_check_self(L, &lc_lock_type, "release");

    if (!lc_lock_release(lock))
        lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR, "Lock is not acquired.");
    return 0;
}

int lc_method_lock_locked(lua_State *L)
{
    struct lc_lock *lock = lc_check_self(L, &lc_lock_type, "locked");

    lua_pushboolean(L, lock->locked);
    return 1;
}

static int lock_tostring(lua_State *L)
{
    struct lc_lock *lock = lc_check_self(L, &lc_lock_type, "tostring");

    lua_pushfstring(L, "<Lock [%s%s]>", lock->locked ? "locked" : "unlocked",
                    lc_push_waiters_text(L, &lock->waiters));
    return 1;
}

/* lucio.Lock() */
int lc_method_lock_new(lua_State *L)
{
    lc_check_no_arguments(L, "Lock");
    lc_lock_new(L, lc_host_of(L));
    return 1;
}

void lc_open_lock(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"acquire", lc_method_lock_acquire},
                                       {"release", lc_method_lock_release},
                                       {"locked", lc_method_lock_locked},
                                       {NULL, NULL}};
    static const luaL_Reg metamethods[] = {
        {"__close", lc_method_lock_release}, {"__tostring", lock_tostring}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"Lock", lc_method_lock_new}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_LOCK, "lucio.Lock", methods, metamethods);
    lc_set_functions(L, host, functions);
}
