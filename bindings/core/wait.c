/*
 * wait: waits for the first, the first failed or all of several awaitables (SEMANTICS WA1..WA7).
 * Owner: the waiting task's stack; when the task goes on, no entry of this wait is left anywhere.
 */
#include <string.h>

#include <lauxlib.h>

#include "core.h"

enum return_when { FIRST_COMPLETED, FIRST_EXCEPTION, ALL_COMPLETED };

static const char *const return_when_names[] = {"FIRST_COMPLETED", "FIRST_EXCEPTION",
                                                "ALL_COMPLETED", NULL};

struct wait;

struct child {
    struct lc_entry entry;
    struct wait *wait;
    struct lc_future *future;
};

struct wait {
    struct lc_object object;
    struct lc_task *task;
    struct lc_timer timer;
    enum return_when return_when;
    int count;
    int left; /* children whose completion was not seen yet */
    struct child children[];
};

static const struct lc_type wait_type = {"wait", sizeof(struct wait)};
static const struct lc_wait_type wait_wait = {"wait", NULL};

static void child_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct child *child = lc_container_of(entry, struct child, entry);
    struct wait *wait = child->wait;

    wait->left--;
    if (wait->left <= 0 || wait->return_when == FIRST_COMPLETED ||
        (wait->return_when == FIRST_EXCEPTION && child->future->state == LC_FAILED)) {
        lc_loop_unset_timer(loop, &wait->timer);
        lc_waiter_wake(&wait->task->waiter);
    }
    /* FIRST_EXCEPTION looks at the error */
    if (wait->return_when == FIRST_EXCEPTION)
        lc_future_mark_retrieved(child->future);
}

static void child_awaiter(const struct lc_entry *entry, struct lc_awaiter *awaiter)
{
    const struct wait *wait = lc_container_of(entry, struct child, entry)->wait;

    *awaiter = (struct lc_awaiter){.task = wait->task,
                                   .node = wait,
                                   .name = "wait",
                                   .count = wait->count,
                                   .done = wait->count - wait->left,
                                   .timer = &wait->timer};
}

static const struct lc_entry_type child_entry = {child_run, NULL, NULL, child_awaiter};

static void timer_run(struct lc_loop *loop, struct lc_entry *entry)
{
    (void)loop;
    lc_waiter_wake(&lc_container_of(entry, struct wait, timer.entry)->task->waiter);
}

static const struct lc_entry_type timer_entry = {timer_run, NULL, NULL, NULL};

/* list:has(future) -> boolean */
static int list_has(lua_State *L)
{
    if (lua_type(L, 1) != LUA_TTABLE)
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, "has", 0, "list", 1);
    lua_settop(L, 2);
    for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, 1); i++) {
        lua_rawgeti(L, 1, i);
        if (lua_rawequal(L, 2, -1)) {
            lua_pushboolean(L, 1);
            return 1;
        }
        lua_pop(L, 1);
    }
    lua_pushboolean(L, 0);
    return 1;
}

/* Stack: 1 the list of futures, 2 the wait. */
static int wait_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_host *host = lc_host_of(L);
    struct wait *wait = lua_touserdata(L, 2);
    lua_Integer done = 0, pending = 0;

    (void)status;
    (void)ctx;
    lc_loop_unset_timer(host->loop, &wait->timer);
    for (int i = 0; i < wait->count; i++)
        lc_list_unlink(&wait->children[i].entry.link);
    if (lc_wait_end(L, host->current))
        return lua_error(L);
    lua_newtable(L);
    lua_newtable(L);
    for (int i = 0; i < wait->count; i++) {
        bool is_done = lc_future_is_done(wait->children[i].future);

        lua_rawgeti(L, 1, i + 1);
        lua_rawseti(L, is_done ? -3 : -2, is_done ? ++done : ++pending);
    }
    for (int i = 0; i < 2; i++) {
        lc_host_push_ref(L, host, LC_REF_WAIT_LIST);
        lua_setmetatable(L, -3 + i);
    }
    return 2;
}

/* Leaves each future of the list at 1 in it once. Returns how many. */
static int collapse(lua_State *L, int list, lua_Integer n)
{
    int kept = 0, seen;

    lua_newtable(L);
    seen = lua_gettop(L);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, list, i);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, seen) == LUA_TNIL) {
            lua_pop(L, 1);
            lua_pushvalue(L, -1);
            lua_pushboolean(L, 1);
            lua_rawset(L, seen);
            lua_rawseti(L, list, ++kept);
        }
        lua_settop(L, seen);
    }
    for (lua_Integer i = kept + 1; i <= n; i++) {
        lua_pushnil(L);
        lua_rawseti(L, list, i);
    }
    lua_settop(L, seen - 1);
    return kept;
}

static enum return_when check_return_when(lua_State *L, struct lc_host *host)
{
    if (lua_isnil(L, -1))
        return ALL_COMPLETED;
    for (int i = 0; return_when_names[i] != NULL; i++) {
        if (lua_type(L, -1) == LUA_TSTRING &&
            strcmp(lua_tostring(L, -1), return_when_names[i]) == 0)
            return (enum return_when)i;
    }
    lc_raise(L, host, LC_VALUE_ERROR,
             "bad argument #2 to 'wait' (return_when: FIRST_COMPLETED, FIRST_EXCEPTION or "
             "ALL_COMPLETED expected, got %s)",
             luaL_tolstring(L, -1, NULL));
}

/* lucio.wait(list, {timeout=, return_when=}) -> done, pending. Suspends. */
static int lucio_wait(lua_State *L)
{
    static const char *const names[] = {"timeout", "return_when", NULL};
    struct lc_host *host = lc_host_of(L);
    enum return_when return_when = ALL_COMPLETED;
    double timeout = 0;
    bool has_timeout = false, only_futures;
    struct lc_task *task;
    struct wait *wait;
    lua_Integer n;
    int count;

    lua_settop(L, 2);
    if (lua_type(L, 1) != LUA_TTABLE || lc_is_awaitable(L, 1))
        lc_raise_argument(L, host, LC_TYPE_ERROR, "wait", 1, "list of awaitables", 1);
    lc_check_options(L, 2, "wait", 2, names);
    n = lc_check_awaitables(L, host, 1, "wait", 1, &only_futures);
    if (n == 0)
        lc_raise_value(L, host, "wait", 1, "the list is empty");
    if (!lua_isnil(L, 2)) {
        lua_getfield(L, 2, "timeout");
        has_timeout = lc_opt_seconds(L, -1, "wait", 2, &timeout);
        lua_getfield(L, 2, "return_when");
        return_when = check_return_when(L, host);
    }
    lua_settop(L, 1);
    task = lc_wait_task(L, host, "wait");
    lc_ensure_futures(L, host, 1, n);
    lua_replace(L, 1);
    count = collapse(L, 1, n);
    wait = lc_new_object(L, host, &wait_type, LC_REF_WAIT,
                         sizeof *wait + (size_t)count * sizeof(struct child), 0);
    wait->task = task;
    wait->return_when = return_when;
    wait->count = wait->left = count;
    lc_entry_init(&wait->timer.entry, &timer_entry);
    if (has_timeout)
        lc_loop_set_timer(L, host->loop, &wait->timer, lc_loop_time(host->loop) + timeout);
    for (int i = 0; i < count; i++) {
        struct child *child = &wait->children[i];

        lua_rawgeti(L, 1, i + 1);
        lc_entry_init(&child->entry, &child_entry);
        child->wait = wait;
        child->future = lc_to_future(L, -1);
        lc_future_add_entry(child->future, &child->entry);
        lua_pop(L, 1);
    }
    lc_wait_begin(L, task, &wait_wait, 2);
    return lc_wait_yield(L, task, 0, wait_k);
}

void lc_open_wait(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg list_methods[] = {{"has", list_has}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"wait", lucio_wait}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_WAIT, "lucio.wait", NULL, NULL);
    lc_new_type(L, host, LC_REF_WAIT_LIST, "lucio.list", list_methods, NULL);
    lc_set_functions(L, host, functions);
    for (int i = 0; return_when_names[i] != NULL; i++) {
        lua_pushstring(L, return_when_names[i]);
        lua_setfield(L, -2, return_when_names[i]);
    }
}
