/*
 * as_completed: futures in the order in which they complete (SEMANTICS WA8..WA12).
 * Finished futures queue up in the iterator, and a call of it takes the next one, as asyncio's
 * iterator does with a Queue.
 * Owner: Lua's collector. User value 1 is the list of futures, 2 the list of finished ones (false: the
 *        time limit). Closing or collecting it takes its entries out of the futures.
 */
#include <lauxlib.h>

#include "core.h"

struct iterator;

struct child {
    struct lc_entry entry;
    struct iterator *iterator;
    struct lc_future *future;
    int index; /* in the list of futures */
};

struct iterator {
    struct lc_object object;
    struct lc_loop *loop;
    uint32_t generation;
    struct lc_timer timer;
    struct lc_link getters;
    int count;
    int todo;  /* futures not finished, 0 after the time limit */
    int left;  /* items not asked for yet */
    int first; /* finished ones are [first, last) of the order array */
    int last;
    int anchor; /* while the timer is set */
    int *order; /* finished ones by index; 0: the time limit */
    struct child children[];
};

static const struct lc_type iterator_type = {"as_completed", sizeof(struct iterator)};
static const struct lc_wait_type get_wait = {"as_completed", NULL};

static void wake_next(struct lc_link *waiters)
{
    while (!lc_list_empty(waiters)) {
        struct lc_waiter *waiter = lc_waiter_of(lc_list_pop(waiters));

        if (lc_waiter_is_pending(waiter)) {
            lc_waiter_wake(waiter);
            return;
        }
    }
}

static void unset_timer(lua_State *L, struct iterator *it)
{
    lc_loop_unset_timer(it->loop, &it->timer);
    lc_anchor_drop(L, it->loop->host, &it->anchor);
}

static void child_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct child *child = lc_container_of(entry, struct child, entry);
    struct iterator *it = child->iterator;

    if (it->todo == 0)
        return;
    it->todo--;
    it->order[it->last++] = child->index;
    wake_next(&it->getters);
    if (it->todo == 0)
        unset_timer(loop->L, it);
}

/* Who asks for the next one now. */
static void child_awaiter(const struct lc_entry *entry, struct lc_awaiter *awaiter)
{
    const struct iterator *it = lc_container_of(entry, struct child, entry)->iterator;

    if (lc_list_empty(&it->getters))
        return;
    *awaiter = (struct lc_awaiter){
        .task = lc_container_of(lc_waiter_of(it->getters.next), struct lc_task, waiter),
        .node = it,
        .name = "as_completed",
        .count = it->count,
        .done = it->count - it->todo,
        .timer = &it->timer};
}

static const struct lc_entry_type child_entry = {child_run, NULL, NULL, child_awaiter};

/* The time limit: one mark for each future that is not finished. */
static void timer_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct iterator *it = lc_container_of(entry, struct iterator, timer.entry);

    lc_anchor_drop(loop->L, loop->host, &it->anchor);
    for (; it->todo > 0; it->todo--) {
        it->order[it->last++] = 0;
        wake_next(&it->getters);
    }
    for (int i = 0; i < it->count; i++)
        lc_list_unlink(&it->children[i].entry.link);
}

static void timer_forget(lua_State *L, struct lc_loop *loop, struct lc_entry *entry)
{
    lc_anchor_drop(L, loop->host, &lc_container_of(entry, struct iterator, timer.entry)->anchor);
}

static const struct lc_entry_type timer_entry = {timer_run, timer_forget, NULL, NULL};

static int next_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_host *host = lc_host_of(L);
    struct iterator *it = lua_touserdata(L, 1);
    int index;

    (void)ctx;
    if (status == LUA_YIELD) {
        struct lc_task *task = host->current;
        bool woken = task->waiter.state == LC_WAIT_WOKEN;

        lc_list_unlink(&task->waiter.link);
        if (lc_wait_end(L, task)) {
            if (woken && it->first < it->last)
                wake_next(&it->getters);
            return lua_error(L);
        }
    }
    if (it->first == it->last) {
        struct lc_task *task = lc_wait_task(L, host, "as_completed");

        lc_list_append(&it->getters, &task->waiter.link);
        lc_wait_begin(L, task, &get_wait, 1);
        return lc_wait_yield(L, task, 0, next_k);
    }
    index = it->order[it->first++];
    if (index == 0) {
        lc_error_push_bare(L, host, LC_TIMEOUT_ERROR);
        return lua_error(L);
    }
    lua_getiuservalue(L, 1, 1);
    lua_rawgeti(L, -1, index);
    return 1;
}

/* iterator() -> the next finished future, nil at the end. May suspend. */
static int iterator_call(lua_State *L)
{
    struct iterator *it = lc_check_self(L, &iterator_type, "as_completed");

    lua_settop(L, 1);
    if (it->left == 0 || it->loop->generation != it->generation)
        return 0;
    if (it->first == it->last)
        lc_wait_task(L, lc_host_of(L), "as_completed");
    it->left--;
    return next_k(L, LUA_OK, 0);
}

/* Closed, or collected: nobody will ask for more. */
static int iterator_close(lua_State *L)
{
    struct iterator *it = lc_to_object(L, 1, &iterator_type);

    if (it == NULL || it->loop == NULL || it->loop->generation != it->generation ||
        it->loop->state == LC_LOOP_CLOSED || it->loop->host->closed)
        return 0;
    for (int i = 0; i < it->count; i++)
        lc_list_unlink(&it->children[i].entry.link);
    if (it->anchor != LC_NO_ANCHOR) {
        lc_loop_unset_timer(it->loop, &it->timer);
        lc_anchor_drop(L, it->loop->host, &it->anchor);
    }
    it->left = 0;
    return 0;
}

/* for future in lucio.as_completed(list, {timeout=}). May suspend. */
static int lucio_as_completed(lua_State *L)
{
    static const char *const names[] = {"timeout", NULL};
    struct lc_host *host = lc_host_of(L);
    struct iterator *it;
    double timeout = 0;
    bool has_timeout = false, only_futures;
    lua_Integer n;

    lua_settop(L, 2);
    if (lua_type(L, 1) != LUA_TTABLE || lc_is_awaitable(L, 1))
        lc_raise_argument(L, host, LC_TYPE_ERROR, "as_completed", 1, "list of awaitables", 1);
    lc_check_options(L, 2, "as_completed", 2, names);
    if (host->loop == NULL)
        lc_raise(L, host, LC_RUNTIME_ERROR, "as_completed: no running event loop");
    n = lc_check_awaitables(L, host, 1, "as_completed", 1, &only_futures);
    if (!lua_isnil(L, 2)) {
        lua_getfield(L, 2, "timeout");
        has_timeout = lc_opt_seconds(L, -1, "as_completed", 2, &timeout);
    }
    lua_settop(L, 1);
    lc_ensure_futures(L, host, 1, n); /* 2 */
    lua_replace(L, 1);
    it = lc_new_object(L, host, &iterator_type, LC_REF_AS_COMPLETED,
                       sizeof *it + (size_t)n * (sizeof(struct child) + sizeof(int)), 1); /* 2 */
    it->loop = host->loop;
    it->generation = host->loop->generation;
    it->order = (int *)&it->children[n];
    lc_list_init(&it->getters);
    lc_entry_init(&it->timer.entry, &timer_entry);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, 2, 1);
    lua_newtable(L); /* 3: seen */
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, 3) == LUA_TNIL) {
            struct child *child = &it->children[it->count++];

            lc_entry_init(&child->entry, &child_entry);
            child->iterator = it;
            child->future = lc_to_future(L, 4);
            child->index = (int)i;
            lua_pushvalue(L, 4);
            lua_pushboolean(L, 1);
            lua_rawset(L, 3);
        }
        lua_settop(L, 3);
    }
    it->todo = it->left = it->count;
    if (it->count > 0 && has_timeout) {
        lua_pushvalue(L, 2);
        it->anchor = lc_anchor(L, host);
        lc_loop_set_timer(L, host->loop, &it->timer, lc_loop_time(host->loop) + timeout);
    }
    for (int i = 0; i < it->count; i++)
        lc_future_add_entry(it->children[i].future, &it->children[i].entry);
    lua_settop(L, 2);
    lua_pushnil(L);
    lua_pushnil(L);
    lua_pushvalue(L, 2);
    return 4;
}

void lc_open_as_completed(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg metamethods[] = {{"__call", iterator_call},
                                           {"__close", iterator_close},
                                           {"__gc", iterator_close},
                                           {NULL, NULL}};
    static const luaL_Reg functions[] = {{"as_completed", lucio_as_completed}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_AS_COMPLETED, "lucio.as_completed", NULL, metamethods);
    lc_set_functions(L, host, functions);
}
