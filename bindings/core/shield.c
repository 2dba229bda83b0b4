/*
 * shield: a future that passes an outcome on but no cancellation back (SEMANTICS SH).
 * A guard has one entry in each future's callbacks. Owner: the outer future's table of extras; the
 * guard's user value 1 is the inner future, so that the inner one lives as long as the outer; 2 is the
 * outer one, so that both are there when the guard is finalized.
 */
#include <lauxlib.h>

#include "core.h"

struct guard {
    struct lc_object object;
    struct lc_entry inner_done;
    struct lc_entry outer_done;
    struct lc_future *inner;
    struct lc_future *outer;
};

static const struct lc_type guard_type = {"shield", sizeof(struct guard)};

/* (outer, inner) completes the outer future as the inner one is. */
static int copy_outcome(lua_State *L)
{
    struct lc_future *inner = lc_to_future(L, 2);
    int n;

    if (inner->state == LC_CANCELLED) {
        lua_pushnil(L);
        lc_future_set_cancelled(L, 1);
    } else if (lc_future_push_outcome(L, 2, &n)) {
        lc_future_set_result(L, 1, n);
    } else {
        lc_future_set_error(L, 1);
    }
    return 0;
}

static void inner_done_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct guard *guard = lc_container_of(entry, struct guard, inner_done);
    lua_State *L = loop->L;
    int top = lua_gettop(L);

    if (lc_future_is_done(guard->outer)) {
        /* cancelled in the same tick: the inner failure counts as seen */
        if (guard->outer->state == LC_CANCELLED)
            lc_future_mark_retrieved(guard->inner);
        return;
    }
    lua_pushcfunction(L, copy_outcome);
    lc_pointer_push(L, loop->host, guard->outer);
    lc_pointer_push(L, loop->host, guard);
    if (lua_isnil(L, -1) || lua_isnil(L, -2)) {
        lua_settop(L, top);
        return;
    }
    lua_getiuservalue(L, -1, 1);
    lua_replace(L, -2);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK)
        lc_list_unlink(&guard->inner_done.link);
    lua_settop(L, top);
}

/* The outer future was cancelled: the inner one need not tell it any more. */
static void outer_done_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct guard *guard = lc_container_of(entry, struct guard, outer_done);

    (void)loop;
    if (!lc_future_is_done(guard->inner))
        lc_list_unlink(&guard->inner_done.link);
}

static void inner_awaiter(const struct lc_entry *entry, struct lc_awaiter *awaiter)
{
    const struct guard *guard = lc_container_of(entry, struct guard, inner_done);

    *awaiter = (struct lc_awaiter){.future = guard->outer, .node = guard, .name = "shield"};
}

static const struct lc_entry_type inner_done_entry = {inner_done_run, NULL, NULL, inner_awaiter};
static const struct lc_entry_type outer_done_entry = {outer_done_run, NULL, NULL, NULL};

static int guard_gc(lua_State *L)
{
    struct guard *guard = lc_to_finalize(L, &guard_type);

    if (guard == NULL || guard->inner == NULL || lc_future_loop(guard->inner) == NULL ||
        guard->inner->loop->host->closed)
        return 0;
    /* its entry was about to run: see inner_done_run */
    if (lc_future_is_done(guard->inner) && lc_entry_is_queued(&guard->inner_done) &&
        guard->outer->state == LC_CANCELLED)
        lc_future_mark_retrieved(guard->inner);
    lc_list_unlink(&guard->inner_done.link);
    lc_list_unlink(&guard->outer_done.link);
    return 0;
}

/* lucio.shield(awaitable) -> Future */
static int lucio_shield(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_future *inner, *outer;
    struct guard *guard;

    lua_settop(L, 1);
    lc_check_awaitable(L, 1, "shield", 1);
    if (lc_to_future(L, 1) == NULL && host->loop == NULL)
        lc_raise(L, host, LC_RUNTIME_ERROR, "shield: no running event loop");
    inner = lc_ensure_future(L, host, 1); /* 2 */
    if (lc_future_is_done(inner))
        return 1;
    if (lc_future_loop(inner) == NULL)
        lc_raise(L, host, LC_RUNTIME_ERROR, "Event loop is closed");
    outer = lc_future_new(L, inner->loop); /* 3 */
    lc_pointer_register(L, host, 3);
    guard = lc_new_object(L, host, &guard_type, LC_REF_SHIELD, sizeof *guard, 2); /* 4 */
    lc_entry_init(&guard->inner_done, &inner_done_entry);
    lc_entry_init(&guard->outer_done, &outer_done_entry);
    lc_pointer_register(L, host, 4);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, 4, 1);
    lua_pushvalue(L, 3);
    lua_setiuservalue(L, 4, 2);
    lc_future_set_extra(L, 3, LC_EXTRA_GUARD);
    guard->inner = inner;
    guard->outer = outer;
    lc_future_add_entry(inner, &guard->inner_done);
    lc_future_add_entry(outer, &guard->outer_done);
    return 1;
}

void lc_open_shield(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg metamethods[] = {{"__gc", guard_gc}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"shield", lucio_shield}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_SHIELD, "lucio.shield", NULL, metamethods);
    lc_set_functions(L, host, functions);
}
