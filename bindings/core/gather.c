/*
 * gather: results of several awaitables in the order of the arguments (SEMANTICS GA).
 * The waiting task's waiter stands for asyncio's outer future: it is woken where that is completed.
 * Owner: the waiting task's stack. User value 1 is the list of children by argument. Each child has
 *        one entry in its callbacks; when the task goes on, no entry of this gather is left anywhere.
 */
#include <string.h>

#include <lauxlib.h>

#include "core.h"

struct gather;

struct child {
    struct lc_entry entry;
    struct gather *gather;
    struct lc_future *future;
    int index; /* of its first argument */
};

struct gather {
    struct lc_object object;
    struct lc_task *task;
    bool return_exceptions;
    bool done;
    bool cancel_requested;
    int failed;   /* argument whose failure is the outcome; 0: none */
    int args;     /* number of arguments */
    int count;    /* number of children */
    int finished; /* children done */
    struct child children[];
};

static const struct lc_type gather_type = {"gather", sizeof(struct gather)};

/* A child is done: perhaps the outer one is. */
static void child_done(struct child *child)
{
    struct gather *gather = child->gather;

    gather->finished++;
    if (gather->done)
        return;
    if (!gather->return_exceptions && child->future->state != LC_FINISHED) {
        gather->failed = child->index;
        gather->done = true;
    } else if (gather->finished == gather->count) {
        gather->done = true;
    }
}

static void child_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct child *child = lc_container_of(entry, struct child, entry);
    struct gather *gather = child->gather;
    bool was_done = gather->done;

    (void)loop;
    child_done(child);
    if (gather->done && !was_done)
        lc_waiter_wake(&gather->task->waiter);
}

static void child_awaiter(const struct lc_entry *entry, struct lc_awaiter *awaiter)
{
    const struct gather *gather = lc_container_of(entry, struct child, entry)->gather;

    *awaiter = (struct lc_awaiter){.task = gather->task,
                                   .node = gather,
                                   .name = "gather",
                                   .count = gather->count,
                                   .done = gather->finished};
}

static const struct lc_entry_type child_entry = {child_run, NULL, NULL, child_awaiter};

/* The task that waits was cancelled: so is each unfinished child (GA8). */
static bool gather_cancel(lua_State *L, struct lc_waiter *waiter, int msg)
{
    struct gather *gather = lc_waiter_object(waiter);
    bool passed = false;
    int list;

    if (gather->done)
        return false;
    luaL_checkstack(L, 6, NULL);
    lc_waiter_push_object(L, waiter);
    lua_getiuservalue(L, -1, 1);
    list = lua_gettop(L);
    for (int i = 1; i <= gather->args; i++) {
        lua_rawgeti(L, list, i);
        passed = lc_future_cancel(L, lua_gettop(L), msg) || passed;
        lua_settop(L, list);
    }
    lua_pop(L, 2);
    if (passed)
        gather->cancel_requested = true;
    return passed;
}

static const struct lc_wait_type gather_wait = {"gather", gather_cancel};

/* Takes the gather's entries out of all children; what they fail with later is not lost: it has
 * been asked for and was not wanted (GA5). */
static void gather_detach(struct gather *gather)
{
    for (int i = 0; i < gather->count; i++) {
        struct child *child = &gather->children[i];

        if (child->future->state == LC_FINISHED && !lc_entry_is_queued(&child->entry))
            continue;
        lc_list_unlink(&child->entry.link);
        if (lc_future_is_done(child->future))
            lc_future_mark_retrieved(child->future);
        else
            child->future->ignore_failure = true;
    }
}

/* Replaces future i of the list by its result as it stands in the table that gather returns: the first
 * value, or the error object. */
static void put_result(lua_State *L, struct lc_host *host, int list, int i)
{
    int top = lua_gettop(L), n;

    if (lc_future_push_outcome(L, top, &n)) {
        lua_settop(L, top + 1);
    } else if (!lc_is_error(L, -1)) {
        lc_future_wrap_error(L, host, top);
    }
    lua_rawseti(L, list, i);
}

/* Makes the list of futures at `list` the table of results. */
static void put_results(lua_State *L, struct lc_host *host, struct gather *gather, int list)
{
    bool all = gather->count == gather->args; /* no child stands twice */

    for (int i = 1; i <= gather->args; i++) {
        struct lc_future *future;

        lua_rawgeti(L, list, i);
        future = all ? gather->children[i - 1].future : lua_touserdata(L, -1);
        if (future->state == LC_FINISHED && future->result_count == 1) {
            lua_getiuservalue(L, -1, 1);
            lua_rawseti(L, list, i);
        } else {
            put_result(L, host, list, i);
        }
        lua_settop(L, list);
    }
    lua_pushinteger(L, gather->args);
    lua_setfield(L, list, "n");
}

/* Pushes the error of the outer future. False: it has results. */
static bool push_error(lua_State *L, struct lc_host *host, struct gather *gather, int list)
{
    int i = gather->failed;
    struct lc_future *future;

    if (i == 0 && gather->cancel_requested)
        i = gather->args;
    if (i == 0)
        return false;
    lua_rawgeti(L, list, i);
    future = lc_to_future(L, -1);
    if (gather->failed == 0 && future->state != LC_CANCELLED)
        lc_error_push_bare(L, host, LC_CANCELLED_ERROR);
    else
        lc_future_push_error(L, lua_gettop(L));
    lua_replace(L, -2);
    return true;
}

/* The outer future is done. Stack: the gather at `ctx`. */
static int gather_finish(lua_State *L, int idx, bool waited)
{
    struct lc_host *host = lc_host_of(L);
    struct gather *gather = lua_touserdata(L, idx);
    struct lc_waiter *waiter = waited ? &host->current->waiter : NULL;
    bool failed, withdrawn;
    int list;

    lua_settop(L, idx);
    luaL_checkstack(L, 12, NULL);
    lua_getiuservalue(L, idx, 1);
    list = lua_gettop(L);
    gather_detach(gather);
    /* the wait itself was ended: the outer future is not done */
    withdrawn = waited && (waiter->state == LC_WAIT_CANCELLED || waiter->state == LC_WAIT_CLOSED);
    if (withdrawn) {
        lc_wait_end(L, host->current);
        return lua_error(L);
    }
    failed = push_error(L, host, gather, list);
    if (waited)
        failed = lc_wait_settle(L, host->current, failed);
    if (failed)
        return lua_error(L);
    put_results(L, host, gather, list);
    return 1;
}

static int gather_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    return gather_finish(L, (int)ctx, true);
}

static void gather_unmark(struct gather *gather)
{
    for (int i = 0; i < gather->count; i++)
        gather->children[i].future->marked = false;
}

/* New gather of the n futures of the list at `list`, each of them once, with a list of its own.
 * NULL, and nothing pushed: an item is no future of the running loop. [-0, +(0|1), m] */
static struct gather *gather_new(lua_State *L, struct lc_host *host, int list, int n)
{
    size_t size = sizeof(struct gather) + (size_t)n * sizeof(struct child);
    struct gather *gather = lc_new_object(L, host, &gather_type, LC_REF_GATHER, size, 1);

    gather->args = n;
    lua_createtable(L, n, 1);
    for (int i = 1; i <= n; i++) {
        struct child *child = &gather->children[gather->count];
        struct lc_future *future;

        lua_rawgeti(L, list, i);
        future = lc_to_future(L, -1);
        if (future == NULL || lc_future_loop(future) != host->loop) {
            gather_unmark(gather);
            lua_pop(L, 3);
            return NULL;
        }
        lua_rawseti(L, -2, i);
        if (future->marked)
            continue;
        future->marked = true;
        child->future = future;
        lc_entry_init(&child->entry, &child_entry);
        child->gather = gather;
        child->index = i;
        gather->count++;
    }
    gather_unmark(gather);
    lua_setiuservalue(L, -2, 1);
    return gather;
}

/* Whether the arguments are one list that is no awaitable itself. */
static bool is_list_form(lua_State *L)
{
    return lua_gettop(L) == 1 && lua_type(L, 1) == LUA_TTABLE && !lc_is_awaitable(L, 1);
}

/* lucio.gather(a, b, ...) or gather{a, b, return_exceptions = bool} -> results. May suspend. */
static int lucio_gather(lua_State *L)
{
    static const char *const names[] = {"return_exceptions", "n", NULL};
    struct lc_host *host = lc_host_of(L);
    bool return_exceptions = false, only_futures;
    struct lc_task *task;
    struct gather *gather;
    lua_Integer n;
    int done = 0;

    if (is_list_form(L)) {
        lc_check_list_options(L, 1, "gather", 1, names, (lua_Integer)lua_rawlen(L, 1));
        lua_getfield(L, 1, "return_exceptions");
        return_exceptions = lua_toboolean(L, -1);
    } else {
        lua_Integer args = lua_gettop(L);

        for (int i = 1; i <= args; i++)
            lc_check_awaitable(L, i, "gather", i);
        lua_createtable(L, (int)args, 0);
        lua_insert(L, 1);
        for (lua_Integer i = args; i >= 1; i--)
            lua_rawseti(L, 1, i);
    }
    lua_settop(L, 1);
    n = lc_check_list(L, 1, "gather", 1);
    if (n == 0) {
        lua_createtable(L, 0, 1);
        lua_pushinteger(L, 0);
        lua_setfield(L, -2, "n");
        return 1;
    }
    gather = gather_new(L, host, 1, (int)n);
    if (gather == NULL) {
        lc_check_awaitables(L, host, 1, "gather", 1, &only_futures);
        lc_wait_task(L, host, "gather");
        lc_ensure_futures(L, host, 1, n);
        lua_replace(L, 1);
        gather = gather_new(L, host, 1, (int)n);
    }
    task = lc_wait_task(L, host, "gather");
    gather->task = task;
    gather->return_exceptions = return_exceptions;
    for (int i = 0; i < gather->count; i++) {
        if (lc_future_is_done(gather->children[i].future))
            done++;
        else
            lc_future_add_entry(gather->children[i].future, &gather->children[i].entry);
    }
    for (int i = 0; done > 0 && i < gather->count; i++) {
        if (lc_future_is_done(gather->children[i].future))
            child_done(&gather->children[i]);
    }
    if (gather->done)
        return gather_finish(L, 2, false);
    lc_wait_begin(L, task, &gather_wait, 2);
    return lc_wait_yield(L, task, 2, gather_k);
}

void lc_open_gather(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg functions[] = {{"gather", lucio_gather}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_GATHER, "lucio.gather", NULL, NULL);
    lc_set_functions(L, host, functions);
}
