/*
 * semaphore: a counter of permits (SEMANTICS SM).
 * Invariant: release grants the permit to the first waiter at once, so that nobody barges in; a
 *            grant that its task cannot take is returned and passed on.
 */
#include <lauxlib.h>

#include "core.h"
#include "primitives.h"

struct semaphore {
    struct lc_object object;
    struct lc_link waiters;
    struct lc_loop *loop;
    uint32_t generation;
    lua_Integer value;
    lua_Integer bound; /* of a BoundedSemaphore; negative: none */
};

const struct lc_type lc_core_semaphore_type = {"Semaphore", sizeof(struct semaphore)};
static const struct lc_wait_type semaphore_wait = {"semaphore", NULL};

static bool semaphore_is_locked(const struct semaphore *semaphore)
{
    const struct lc_link *waiters = &semaphore->waiters;

    if (semaphore->value == 0)
        return true;
    for (struct lc_link *link = waiters->next; link != waiters; link = link->next) {
        if (lc_waiter_of(link)->state != LC_WAIT_CANCELLED)
            return true;
    }
    return false;
}

static bool wake_next(struct semaphore *semaphore)
{
    if (!lc_waiters_wake_one(&semaphore->waiters))
        return false;
    semaphore->value--;
    return true;
}

static int acquire_k(lua_State *L, int status, lua_KContext ctx)
{
    struct semaphore *semaphore = lua_touserdata(L, 1);
    struct lc_task *task = lc_host_of(L)->current;
    bool granted = task->waiter.state == LC_WAIT_WOKEN;
    bool failed;

    (void)status;
    (void)ctx;
    lc_list_unlink(&task->waiter.link);
    failed = lc_wait_end(L, task);
    if (failed && granted)
        semaphore->value++;
    while (semaphore->value > 0 && wake_next(semaphore))
        ;
    return failed ? lua_error(L) : 1;
}

/* semaphore:acquire() -> semaphore. May suspend. */
int lc_method_semaphore_acquire(lua_State *L)
{
    struct semaphore *semaphore = lc_check_self(L, &lc_core_semaphore_type, "acquire");
    struct lc_host *host = lc_host_of(L);
    struct lc_task *task;

    lua_settop(L, 1);
    if (!semaphore_is_locked(semaphore)) {
        semaphore->value--;
        return 1;
    }
    task = lc_wait_task(L, host, "Semaphore:acquire");
    lc_bind_loop(L, host, &semaphore->loop, &semaphore->generation, "Semaphore");
    lc_list_append(&semaphore->waiters, &task->waiter.link);
    lc_wait_begin(L, task, &semaphore_wait, 1);
    return lc_wait_yield(L, task, 0, acquire_k);
}

/* semaphore:release() */
int lc_method_semaphore_release(lua_State *L)
{
    struct semaphore *semaphore = lc_check_self(L, &lc_core_semaphore_type, "release");

    if (semaphore->bound >= 0 && semaphore->value >= semaphore->bound)
        lc_raise(L, lc_host_of(L), LC_VALUE_ERROR, "BoundedSemaphore released too many times");
    semaphore->value++;
    wake_next(semaphore);
    return 0;
}

int lc_method_semaphore_locked(lua_State *L)
{
    struct semaphore *semaphore = lc_check_self(L, &lc_core_semaphore_type, "locked");

    lua_pushboolean(L, semaphore_is_locked(semaphore));
    return 1;
}

static int semaphore_tostring(lua_State *L)
{
    struct semaphore *semaphore = lc_check_self(L, &lc_core_semaphore_type, "tostring");
    const char *name = semaphore->bound >= 0 ? "BoundedSemaphore" : "Semaphore";
    const char *waiters = lc_push_waiters_text(L, &semaphore->waiters);

    if (semaphore_is_locked(semaphore))
        lua_pushfstring(L, "<%s [locked%s]>", name, waiters);
    else
        lua_pushfstring(L, "<%s [unlocked, value:%I%s]>", name, (LUAI_UACINT)semaphore->value,
                        waiters);
    return 1;
}

static int semaphore_new(lua_State *L, const char *what, bool bounded)
{
    struct lc_host *host = lc_host_of(L);
    lua_Integer value = lua_isnoneornil(L, 1) ? 1 : lc_check_integer(L, 1, what, 1);
    struct semaphore *semaphore;

    if (value < 0)
        lc_raise_value(L, host, what, 1, "initial value must be >= 0");
    semaphore =
        lc_new_object(L, host, &lc_core_semaphore_type, LC_REF_SEMAPHORE, sizeof *semaphore, 0);
    lc_list_init(&semaphore->waiters);
    semaphore->value = value;
    semaphore->bound = bounded ? value : -1;
    return 1;
}

int lc_method_semaphore_new(lua_State *L)
{
    return semaphore_new(L, "Semaphore", false);
}

int lc_method_bounded_semaphore_new(lua_State *L)
{
    return semaphore_new(L, "BoundedSemaphore", true);
}

void lc_open_semaphore(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"acquire", lc_method_semaphore_acquire},
                                       {"release", lc_method_semaphore_release},
                                       {"locked", lc_method_semaphore_locked},
                                       {NULL, NULL}};
    static const luaL_Reg metamethods[] = {
        {"__close", lc_method_semaphore_release}, {"__tostring", semaphore_tostring}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"Semaphore", lc_method_semaphore_new},
                                         {"BoundedSemaphore", lc_method_bounded_semaphore_new},
                                         {NULL, NULL}};

    lc_new_type(L, host, LC_REF_SEMAPHORE, "lucio.Semaphore", methods, metamethods);
    lc_set_functions(L, host, functions);
}
