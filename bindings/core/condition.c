/*
 * condition: wait for a state that a lock guards (SEMANTICS CV).
 * wait() in phases: released and waiting (wait_k); taking the lock again, through any number of
 * cancels (reacquire_k); then the last error is raised, after a notification was passed on.
 * Owner: user value 1 is the lock.
 */
#include <lauxlib.h>

#include "core.h"
#include "primitives.h"

struct condition {
    struct lc_object object;
    struct lc_link waiters;
    struct lc_lock *lock;
    struct lc_loop *loop;
    uint32_t generation;
    const struct lc_wait_type *wait_type; /* of wait, for reports */
};

const struct lc_type lc_core_condition_type = {"Condition", sizeof(struct condition)};
static const struct lc_wait_type condition_wait_type = {"condition", NULL};

static void notify(struct condition *condition, lua_Integer n)
{
    struct lc_link *waiters = &condition->waiters;

    for (struct lc_link *link = waiters->next; n > 0 && link != waiters; link = link->next) {
        if (lc_waiter_is_pending(lc_waiter_of(link))) {
            lc_waiter_wake(lc_waiter_of(link));
            n--;
        }
    }
}

static int acquire_k(lua_State *L, int status, lua_KContext ctx)
{
    struct condition *condition = lua_touserdata(L, 1);

    (void)status;
    (void)ctx;
    if (lc_lock_wait_end(L, lc_host_of(L)->current, condition->lock))
        return lua_error(L);
    return 1;
}

/* condition:acquire() -> condition. May suspend. */
int lc_condition_acquire(lua_State *L)
{
    struct condition *condition = lc_check_self(L, &lc_core_condition_type, "acquire");

    lua_settop(L, 1);
    if (lc_lock_try(condition->lock))
        return 1;
    return lc_lock_wait(L, lc_wait_task(L, lc_host_of(L), "Condition:acquire"), condition->lock, 1,
                        0, acquire_k);
}

int lc_method_condition_release(lua_State *L)
{
    struct condition *condition = lc_check_self(L, &lc_core_condition_type, "release");

    if (!lc_lock_release(condition->lock))
        lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR, "Lock is not acquired.");
    return 0;
}

int lc_method_condition_locked(lua_State *L)
{
    struct condition *condition = lc_check_self(L, &lc_core_condition_type, "locked");

    lua_pushboolean(L, condition->lock->locked);
    return 1;
}

/* The lock is held again. Stack: 1 the condition, 2 the error to raise or nil. */
static int wait_finish(lua_State *L)
{
    lua_settop(L, 2);
    if (!lua_isnil(L, 2)) {
        notify(lua_touserdata(L, 1), 1);
        return lua_error(L);
    }
    lua_pushboolean(L, 1);
    return 1;
}

static int reacquire_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_host *host = lc_host_of(L);
    struct condition *condition = lua_touserdata(L, 1);

    (void)ctx;
    if (status == LUA_YIELD) {
        if (!lc_lock_wait_end(L, host->current, condition->lock))
            return wait_finish(L);
        lua_replace(L, 2);
    }
    lua_settop(L, 2);
    if (lc_lock_try(condition->lock))
        return wait_finish(L);
    return lc_lock_wait(L, host->current, condition->lock, 1, 0, reacquire_k);
}

static int wait_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_task *task = lc_host_of(L)->current;

    (void)status;
    (void)ctx;
    lc_list_unlink(&task->waiter.link);
    if (!lc_wait_end(L, task))
        lua_pushnil(L);
    lua_replace(L, 2);
    return reacquire_k(L, LUA_OK, 0);
}

/* condition:wait() -> true. Suspends. */
int lc_condition_wait(lua_State *L)
{
    struct condition *condition = lc_check_self(L, &lc_core_condition_type, "wait");
    struct lc_host *host = lc_host_of(L);
    struct lc_task *task;

    if (!condition->lock->locked)
        lc_raise(L, host, LC_RUNTIME_ERROR, "cannot wait on un-acquired lock");
    task = lc_wait_task(L, host, "Condition:wait");
    lc_bind_loop(L, host, &condition->loop, &condition->generation, "Condition");
    lua_settop(L, 1);
    lua_pushnil(L);
    lc_lock_release(condition->lock);
    lc_list_append(&condition->waiters, &task->waiter.link);
    lc_wait_begin(L, task, condition->wait_type, 1);
    return lc_wait_yield(L, task, 0, wait_k);
}

/* Stack: 1 the condition, 2 the predicate, 3 wait, then what was returned last. ctx: whether the
 * predicate is what was called. */
static int wait_for_k(lua_State *L, int status, lua_KContext ctx)
{
    bool tested = ctx != 0;

    (void)status;
    for (;;) {
        if (tested && lua_toboolean(L, -1))
            return 1;
        lua_settop(L, 3);
        if (tested) {
            lua_pushvalue(L, 3);
            lua_pushvalue(L, 1);
            lua_callk(L, 1, 0, 0, wait_for_k);
        } else {
            lua_pushvalue(L, 2);
            lua_callk(L, 0, 1, 1, wait_for_k);
        }
        tested = !tested;
    }
}

/* condition:wait_for(predicate) -> what the predicate returned. May suspend. */
static int condition_wait_for(lua_State *L)
{
    lc_check_self(L, &lc_core_condition_type, "wait_for");
    lua_settop(L, 2);
    lc_check_callable(L, 2, "wait_for", 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushcclosure(L, lc_condition_wait, 1);
    return wait_for_k(L, LUA_OK, 0);
}

static void check_locked(lua_State *L, struct condition *condition)
{
    if (!condition->lock->locked)
        lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR, "cannot notify on un-acquired lock");
}

/* condition:notify(n = 1) */
int lc_method_condition_notify(lua_State *L)
{
    struct condition *condition = lc_check_self(L, &lc_core_condition_type, "notify");
    lua_Integer n = lua_isnoneornil(L, 2) ? 1 : lc_check_integer(L, 2, "notify", 1);

    check_locked(L, condition);
    notify(condition, n);
    return 0;
}

static int lc_method_condition_notify_all(lua_State *L)
{
    struct condition *condition = lc_check_self(L, &lc_core_condition_type, "notify_all");

    check_locked(L, condition);
    notify(condition, LUA_MAXINTEGER);
    return 0;
}

void lc_condition_notify(lua_State *L, int idx, lua_Integer n)
{
    notify(lua_touserdata(L, idx), n);
}

struct lc_lock *lc_condition_lock(lua_State *L, int idx)
{
    return ((struct condition *)lua_touserdata(L, idx))->lock;
}

static int condition_tostring(lua_State *L)
{
    struct condition *condition = lc_check_self(L, &lc_core_condition_type, "tostring");

    lua_pushfstring(L, "<Condition [%s%s]>", condition->lock->locked ? "locked" : "unlocked",
                    lc_push_waiters_text(L, &condition->waiters));
    return 1;
}

void lc_condition_set_wait_type(lua_State *L, int idx, const struct lc_wait_type *type)
{
    struct condition *condition = lua_touserdata(L, idx);

    condition->wait_type = type;
}

/* lucio.Condition(lock?) */
int lc_condition_new(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct condition *condition;
    struct lc_lock *lock;

    lua_settop(L, 1);
    if (lua_isnil(L, 1)) {
        lc_lock_new(L, host);
        lua_replace(L, 1);
    }
    lock = lc_to_object(L, 1, &lc_lock_type);
    if (lock == NULL)
        lc_raise_argument(L, host, LC_TYPE_ERROR, "Condition", 1, "Lock", 1);
    condition =
        lc_new_object(L, host, &lc_core_condition_type, LC_REF_CONDITION, sizeof *condition, 1);
    lc_list_init(&condition->waiters);
    condition->lock = lock;
    condition->wait_type = &condition_wait_type;
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    return 1;
}

void lc_open_condition(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"acquire", lc_condition_acquire},
                                       {"release", lc_method_condition_release},
                                       {"locked", lc_method_condition_locked},
                                       {"wait", lc_condition_wait},
                                       {"wait_for", condition_wait_for},
                                       {"notify", lc_method_condition_notify},
                                       {"notify_all", lc_method_condition_notify_all},
                                       {NULL, NULL}};
    static const luaL_Reg metamethods[] = {
        {"__close", lc_method_condition_release}, {"__tostring", condition_tostring}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"Condition", lc_condition_new}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_CONDITION, "lucio.Condition", methods, metamethods);
    lc_set_functions(L, host, functions);
}
