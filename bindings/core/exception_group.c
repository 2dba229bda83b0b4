/*
 * exception_group: the methods of groups of errors, and lucio.except_star (SEMANTICS EG3-EG7).
 * except_star is Python's `except*`: its handlers take the parts of a group by class, in order, and
 * what is left is raised again.
 */
#include "exception_group.h"

#include <lauxlib.h>

#include "core.h"
#include "traceback.h"

/* ---- methods ---- */

/* Whether the value at `idx` is a non-empty list of classes. [-0, +0, -] */
static bool is_class_list(lua_State *L, int idx)
{
    bool all;
    lua_Integer n;

    if (lua_type(L, idx) != LUA_TTABLE)
        return false;
    n = (lua_Integer)lua_rawlen(L, idx);
    all = n > 0;
    for (lua_Integer i = 1; all && i <= n; i++) {
        lua_rawgeti(L, idx, i);
        all = lc_is_class(L, -1);
        lua_pop(L, 1);
    }
    return all;
}

/* The value at 1 is a group. [-0, +0, v] */
static void check_self(lua_State *L, struct lc_host *host, const char *what)
{
    if (!lc_is_exception_group(L, 1))
        lc_raise(L, host, LC_TYPE_ERROR,
                 "calling '%s' on bad self (ExceptionGroup expected, got %s)", what,
                 lc_type_name(L, 1));
}

/* Leaves the group at 1 and what selects its members at 2. [-0, +0, v] */
static void check_arguments(lua_State *L, struct lc_host *host, const char *what)
{
    lua_settop(L, 2);
    check_self(L, host, what);
    if (!lc_is_class(L, 2) && !lc_is_callable(L, 2) && !is_class_list(L, 2))
        lc_raise_argument(L, host, LC_TYPE_ERROR, what, 1, "error class, list of them or function",
                          2);
}

/* group:split(selector) -> matching group or nil, rest or nil [-0, +2, e] */
static int group_split(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    check_arguments(L, host, "split");
    lc_exception_group_split(L, host, 1, 2);
    return 2;
}

/* group:subgroup(selector) -> matching group or nil [-0, +1, e] */
static int group_subgroup(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    check_arguments(L, host, "subgroup");
    lc_exception_group_split(L, host, 1, 2);
    lua_pop(L, 1);
    return 1;
}

/* group:derive(list) -> group with the same text; classes of a script override it [-0, +1, e] */
static int group_derive(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    lua_settop(L, 2);
    check_self(L, host, "derive");
    lc_exception_group_push_message(L, 1);
    if (lua_type(L, 2) != LUA_TTABLE)
        lc_raise_argument(L, host, LC_TYPE_ERROR, "derive", 1, "list of errors", 2);
    lua_pushvalue(L, 2);
    lc_exception_group_from(L, host, lua_tostring(L, 3));
    return 1;
}

/* ---- except_star ---- */

/* The stack of a running except_star. Before it has an error, what the function returns stands from
 * STAR_ALONE on. */
enum star_slot {
    STAR_HANDLER = 1, /* the message handler */
    STAR_CLAUSES,     /* list: class, handler, class, handler... */
    STAR_ALONE,       /* what is raised if no other error is: may be a bare value */
    STAR_ERROR,       /* the function's error as an object */
    STAR_REST,        /* what no clause has taken yet, or nil */
    STAR_RAISED,      /* list: the errors of handlers, as objects */
    STAR_KEPT,        /* set: members whose group a handler raised again */
    STAR_MATCH        /* while a handler runs: the group it was given */
};

/* Adds the members of the error at `idx`, and of the groups in it, to STAR_KEPT. [-0, +0, v] */
static void keep_leaves(lua_State *L, struct lc_host *host, int idx, int depth)
{
    luaL_checkstack(L, 8, "errors nested too deep");
    if (depth > LC_EXCEPTION_GROUP_DEPTH)
        lc_raise(L, host, LC_RUNTIME_ERROR, "exception groups are nested too deep");
    if (!lc_exception_group_push_members(L, idx)) {
        lua_pushvalue(L, idx);
        lua_pushboolean(L, 1);
        lua_rawset(L, STAR_KEPT);
        return;
    }
    for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, -1); i++) {
        lua_rawgeti(L, -1, i);
        keep_leaves(L, host, lua_gettop(L), depth + 1);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* The selector of what is in the set of upvalue 1. */
static int is_kept(lua_State *L)
{
    lua_settop(L, 1);
    lua_rawget(L, lua_upvalueindex(1));
    return 1;
}

/* Pushes what is raised of the function's error itself, or nil: what no handler took together with
 * what handlers raised again, in its old structure (EG7). [-0, +1, e] */
static void push_unhandled(lua_State *L, struct lc_host *host)
{
    int part = lua_gettop(L) + 1;

    lua_pushnil(L);
    if (lua_next(L, STAR_KEPT) == 0) {
        lua_pushvalue(L, STAR_REST);
        return;
    }
    lua_settop(L, part - 1);
    if (!lua_isnil(L, STAR_REST))
        keep_leaves(L, host, STAR_REST, 0);
    lua_pushvalue(L, STAR_KEPT);
    lua_pushcclosure(L, is_kept, 1);
    lc_exception_group_split(L, host, STAR_ERROR, part);
    if (lua_isnil(L, -1))
        lua_pushvalue(L, STAR_ERROR); /* nothing is missing: the very same group */
    else
        lua_pop(L, 1);
    lua_replace(L, part);
    lua_settop(L, part);
}

/* All clauses are through: raises what is left, else returns nothing. [-0, +0, e] */
static int star_finish(lua_State *L, struct lc_host *host)
{
    lua_Integer n = (lua_Integer)lua_rawlen(L, STAR_RAISED);

    push_unhandled(L, host);
    if (!lua_isnil(L, -1)) {
        /* an error that is no group stays what it was, be it a bare value (EG6) */
        if (lc_is_exception_group(L, STAR_ERROR)) {
            lua_pushvalue(L, -1);
            lua_replace(L, STAR_ALONE);
        }
        lua_rawseti(L, STAR_RAISED, ++n);
    }
    if (n == 0)
        return 0;
    if (n == 1) {
        lua_settop(L, STAR_ALONE);
    } else {
        lua_settop(L, STAR_RAISED);
        lc_exception_group_from(L, host, "");
    }
    return lua_error(L);
}

/* Sets STAR_MATCH to what the class at that slot takes from the rest, and the rest to what it
 * leaves. A match that is no group comes in one (EG6). False: it takes nothing. [-0, +0, e] */
static bool star_take(lua_State *L, struct lc_host *host)
{
    if (lua_isnil(L, STAR_REST))
        return false;
    lc_exception_group_split(L, host, STAR_REST, STAR_MATCH);
    lua_replace(L, STAR_REST);
    lua_replace(L, STAR_MATCH);
    if (lua_isnil(L, STAR_MATCH))
        return false;
    if (!lc_is_exception_group(L, STAR_MATCH)) {
        lua_createtable(L, 1, 0);
        lua_insert(L, STAR_MATCH);
        lua_rawseti(L, STAR_MATCH, 1);
        lc_exception_group_from(L, host, "");
    }
    return true;
}

/* A handler raised the error on top. [-1, +0, v] */
static void star_handler_failed(lua_State *L, struct lc_host *host)
{
    if (lua_rawequal(L, -1, STAR_MATCH) && lc_is_exception_group(L, STAR_ERROR)) {
        keep_leaves(L, host, STAR_MATCH, 0);
        lua_pop(L, 1);
        return;
    }
    lua_pushvalue(L, -1);
    lua_replace(L, STAR_ALONE);
    lc_error_wrap(L, host);
    lua_rawseti(L, STAR_RAISED, (lua_Integer)lua_rawlen(L, STAR_RAISED) + 1);
}

static bool has_failed(int status)
{
    return status != LUA_OK && status != LUA_YIELD;
}

static int star_handler_k(lua_State *L, int status, lua_KContext clause);

/* Runs the clauses from this one on. [-0, +0, ey] */
static int star_run(lua_State *L, struct lc_host *host, lua_Integer clause)
{
    lua_Integer n = (lua_Integer)lua_rawlen(L, STAR_CLAUSES);

    for (; clause <= n; clause += 2) {
        int status;

        lua_settop(L, STAR_KEPT);
        lua_rawgeti(L, STAR_CLAUSES, clause);
        if (!star_take(L, host))
            continue;
        lua_rawgeti(L, STAR_CLAUSES, clause + 1);
        lua_pushvalue(L, STAR_MATCH);
        status = lua_pcallk(L, 1, 0, STAR_HANDLER, (lua_KContext)clause, star_handler_k);
        if (has_failed(status))
            star_handler_failed(L, host);
    }
    lua_settop(L, STAR_KEPT);
    return star_finish(L, host);
}

static int star_handler_k(lua_State *L, int status, lua_KContext clause)
{
    struct lc_host *host = lc_host_of(L);

    if (has_failed(status))
        star_handler_failed(L, host);
    return star_run(L, host, (lua_Integer)clause + 2);
}

static int star_body_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_host *host = lc_host_of(L);

    (void)ctx;
    if (!has_failed(status))
        return lua_gettop(L) - STAR_CLAUSES;
    luaL_checkstack(L, 20, NULL);
    lua_pushvalue(L, STAR_ALONE);
    lc_error_wrap(L, host);
    lua_pushvalue(L, STAR_ERROR);
    lua_newtable(L);
    lua_newtable(L);
    return star_run(L, host, 1);
}

/* The class of a clause, or each in its list: groups are taken apart and never caught as such, as
 * in Python. [-0, +0, v] */
static void check_clause_class(lua_State *L, struct lc_host *host, int idx)
{
    bool groups = false;

    if (lc_is_class(L, idx)) {
        groups = lc_issubclass(L, host, idx, LC_BASE_EXCEPTION_GROUP);
    } else if (is_class_list(L, idx)) {
        for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, idx); i++) {
            lua_rawgeti(L, idx, i);
            groups = groups || lc_issubclass(L, host, -1, LC_BASE_EXCEPTION_GROUP);
            lua_pop(L, 1);
        }
    } else {
        lc_raise_argument(L, host, LC_TYPE_ERROR, "except_star", idx, "error class or list of them",
                          idx);
    }
    if (groups)
        lc_raise(L, host, LC_TYPE_ERROR,
                 "bad argument #%d to 'except_star' (it cannot catch an ExceptionGroup as such)",
                 idx);
}

/* lucio.except_star(fn, class or list of classes, handler, ...) -> what fn returns; nothing where
 * handlers took the error. Each handler is called with a group. fn and handlers may suspend.
 * [-0, +n, ey] */
static int lucio_except_star(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    int n = lua_gettop(L) < 3 ? 3 : lua_gettop(L) | 1;
    int status;

    luaL_checkstack(L, 20, NULL);
    lua_settop(L, n);
    lc_check_callable(L, 1, "except_star", 1);
    for (int i = 2; i < n; i += 2) {
        check_clause_class(L, host, i);
        lc_check_callable(L, i + 1, "except_star", i + 1);
    }
    lua_createtable(L, n - 1, 0);
    lua_insert(L, 2);
    for (int i = n - 1; i >= 1; i--)
        lua_rawseti(L, 2, i);
    lua_pushcfunction(L, lc_traceback_handler);
    lua_insert(L, STAR_HANDLER);
    lua_insert(L, STAR_CLAUSES);
    status = lua_pcallk(L, 0, LUA_MULTRET, STAR_HANDLER, 0, star_body_k);
    return star_body_k(L, status, 0);
}

void lc_open_exception_group(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"split", group_split},
                                       {"subgroup", group_subgroup},
                                       {"derive", group_derive},
                                       {NULL, NULL}};
    static const luaL_Reg functions[] = {{"except_star", lucio_except_star}, {NULL, NULL}};

    lc_set_functions(L, host, functions);
    lua_getfield(L, -1, "except_star");
    lc_wait_mark_passable(L, host);
    lua_pop(L, 1);
    lc_class_push(L, host, LC_BASE_EXCEPTION_GROUP);
    lc_set_functions(L, host, methods);
    lua_pop(L, 1);
    lc_class_push(L, host, LC_EXCEPTION_GROUP);
    lc_set_functions(L, host, methods);
    lua_pop(L, 1);
}
