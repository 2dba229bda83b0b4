#include "traceback.h"

#include <string.h>

#include <lauxlib.h>

#include "error.h"
#include "future.h"
#include "host.h"
#include "stack_text.h"
#include "task.h"
#include "traceback_part.h"

/* The host's memory of the last bare value raised: a table with these items. */
enum last_item {
    LAST_TRACEBACK = 1,
    LAST_VALUE,
    LAST_COROUTINE, /* lightuserdata of the lua_State that it was raised in, or... */
    LAST_ARRIVES    /* true: ...is about to be raised in, coming from another one */
};

/* ---- the handler ---- */

/* Level of who raised, seen from the functions that the handler calls under protection. */
#define RAISER 2

/* Pushes whether L has added its part to the error object at `idx`. [-0, +0, -] */
static bool has_part(lua_State *L, struct lc_host *host, int idx)
{
    bool found;

    lc_host_push_ref(L, host, LC_REF_TRACED);
    lua_pushthread(L);
    lua_rawget(L, -2);
    found = lua_rawequal(L, -1, idx);
    lua_pop(L, 2);
    return found;
}

/* The error object at `idx` has the part of L, or nil. [-0, +0, m] */
static void set_has_part(lua_State *L, struct lc_host *host, int idx)
{
    lc_host_push_ref(L, host, LC_REF_TRACED);
    lua_pushthread(L);
    if (idx != 0)
        lua_pushvalue(L, idx);
    else
        lua_pushnil(L);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

/* Whether the part on top is the end of the traceback below it: the error is the one that came by
 * before, raised again on its way out of the same stack. */
static bool is_seen(lua_State *L)
{
    size_t part = lua_rawlen(L, -1), text = lua_rawlen(L, -2);

    return part <= text && strcmp(lua_tostring(L, -2) + (text - part), lua_tostring(L, -1)) == 0;
}

/* Whether the function of a level closes a variable while an error unwinds: C calls it, as what
 * `__close` its first argument has. [-0, +0, -] */
static bool is_closing(lua_State *L, lua_Debug *ar)
{
    bool found = false;

    lua_getinfo(L, "Sn", ar);
    if (ar->what[0] == 'C' || ar->namewhat[0] != '\0' || lua_getlocal(L, ar, 1) == NULL)
        return false;
    if (luaL_getmetafield(L, -1, "__close") != LUA_TNIL) {
        lua_getinfo(L, "f", ar);
        found = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
    return found;
}

/* Pushes the error that unwinds while the running code was called to close a variable, or nil. Only
 * a function that has a parameter for it tells. [-0, +1, m] */
static void push_unwinding(lua_State *L)
{
    lua_Debug ar;

    for (int level = RAISER; lua_getstack(L, level, &ar); level++) {
        if (is_closing(L, &ar) && lua_getinfo(L, "u", &ar) && ar.nparams >= 2) {
            lua_getlocal(L, &ar, 2);
            return;
        }
    }
    lua_pushnil(L);
}

/* The error object at 1 is new: what it takes the place of becomes its context. [-0, +0, m] */
static void set_context(lua_State *L)
{
    static const char *const fields[] = {"context", "cause"};
    bool known = false;

    push_unwinding(L);
    for (int i = 0; i < 2; i++) {
        lua_pushstring(L, fields[i]);
        known = lua_rawget(L, 1) != LUA_TNIL || known;
        lua_pop(L, 1);
    }
    if (known || lua_isnil(L, -1) || lua_rawequal(L, -1, 1)) {
        lua_pop(L, 1);
        return;
    }
    lua_pushliteral(L, "context");
    lua_insert(L, -2);
    lua_rawset(L, 1);
}

static void trace_object(lua_State *L, struct lc_host *host)
{
    int type;

    lua_settop(L, 1);
    lua_pushliteral(L, "traceback");
    type = lua_rawget(L, 1);
    if ((type != LUA_TSTRING && type != LUA_TNIL) || (type == LUA_TSTRING && has_part(L, host, 1)))
        return;
    if (type == LUA_TNIL)
        set_context(L);
    lc_part_push(L, host, RAISER);
    if (type == LUA_TNIL) {
        lc_part_add_title(L);
    } else if (host->current != NULL && host->current->thread == L && is_seen(L)) {
        /* a part of a group that has the group's traceback, say */
        set_has_part(L, host, 1);
        return;
    } else {
        lc_part_add(L, 2);
    }
    /* raw: no code of the class runs in a handler of errors */
    lua_pushliteral(L, "traceback");
    lua_insert(L, -2);
    lua_rawset(L, 1);
    set_has_part(L, host, 1);
}

/* Pushes the memory of the last bare value if that is the value at `idx`. [-0, +(0|1), -] */
static bool push_last(lua_State *L, struct lc_host *host, int idx)
{
    bool found;

    idx = lua_absindex(L, idx);
    if (host->traceback == LC_NO_ANCHOR)
        return false;
    lc_anchor_push(L, host, host->traceback);
    lua_rawgeti(L, -1, LAST_VALUE);
    found = lua_rawequal(L, -1, idx);
    lua_pop(L, found ? 1 : 2);
    return found;
}

/* Pops a traceback and remembers it as that of the bare value at `idx`. [-1, +0, m] */
static void set_last(lua_State *L, struct lc_host *host, int idx, bool arrives)
{
    idx = lua_absindex(L, idx);
    lua_createtable(L, LAST_ARRIVES, 0);
    lua_insert(L, -2);
    lua_rawseti(L, -2, LAST_TRACEBACK);
    lua_pushvalue(L, idx);
    lua_rawseti(L, -2, LAST_VALUE);
    lua_pushlightuserdata(L, L);
    lua_rawseti(L, -2, LAST_COROUTINE);
    lua_pushboolean(L, arrives);
    lua_rawseti(L, -2, LAST_ARRIVES);
    if (host->traceback == LC_NO_ANCHOR)
        host->traceback = lc_anchor_reserve(L, host);
    lc_anchor_set(L, host, host->traceback);
}

static void trace_value(lua_State *L, struct lc_host *host)
{
    bool here, arrives;

    lua_settop(L, 1);
    if (push_last(L, host, 1)) {
        lua_rawgeti(L, 2, LAST_COROUTINE);
        here = lua_touserdata(L, -1) == L;
        lua_rawgeti(L, 2, LAST_ARRIVES);
        arrives = lua_toboolean(L, -1);
        lua_settop(L, 2);
        lua_rawgeti(L, 2, LAST_TRACEBACK);
        lc_part_push(L, host, RAISER);
        if (here && arrives)
            lc_part_add(L, 3);
        else if (here && is_seen(L))
            return;
        else
            lc_part_add_title(L);
    } else {
        lc_part_push(L, host, RAISER);
        lc_part_add_title(L);
    }
    lc_traceback_end(L, host);
    set_last(L, host, 1, false);
}

/* (error) */
static int trace(lua_State *L)
{
    struct lc_host *host = lc_host_open(L);

    if (lc_is_error(L, 1))
        trace_object(L, host);
    else
        trace_value(L, host);
    return 0;
}

void lc_traceback_take(lua_State *L)
{
    if (lua_isnil(L, 1) || !lua_checkstack(L, 2 * LC_STACK_TEXT_SLOTS))
        return;
    /* protected: the end of memory must not take the error's place */
    lua_pushcfunction(L, trace);
    lua_pushvalue(L, 1);
    lua_pcall(L, 1, 0, 0);
    lua_settop(L, 1);
}

int lc_traceback_handler(lua_State *L)
{
    lua_settop(L, 1);
    lc_traceback_take(L);
    return 1;
}

void lc_traceback_push(lua_State *L, struct lc_host *host, int idx)
{
    idx = lua_absindex(L, idx);
    if (lc_is_error(L, idx)) {
        lua_pushliteral(L, "traceback");
        lua_rawget(L, idx);
    } else if (push_last(L, host, idx)) {
        lua_rawgeti(L, -1, LAST_TRACEBACK);
        lua_replace(L, -2);
    } else {
        lua_pushnil(L);
    }
}

/* ---- on the way ---- */

void lc_traceback_keep(lua_State *L, struct lc_host *host, int idx)
{
    idx = lua_absindex(L, idx);
    luaL_checkstack(L, 6, NULL);
    lc_traceback_push(L, host, -1);
    if (lua_type(L, -1) != LUA_TSTRING) {
        lua_pop(L, 1);
        if (!lc_is_error(L, -1))
            return;
        lua_pushboolean(L, 0);
    }
    lc_future_set_extra(L, idx, LC_EXTRA_TRACEBACK);
}

void lc_traceback_end(lua_State *L, struct lc_host *host)
{
    luaL_checkstack(L, 4, NULL);
    lc_host_push_ref(L, host, LC_REF_TRACED);
    lua_pushthread(L);
    if (lua_rawget(L, -2) != LUA_TNIL)
        set_has_part(L, host, 0);
    lua_pop(L, 2);
}

/* An error object that is raised in L again, with the kept traceback on top. [-1, +0, m] */
static void restore_object(lua_State *L, struct lc_host *host, int idx, int error)
{
    lua_pushliteral(L, "traceback");
    if (lua_isnil(L, -2)) {
        /* a CancelledError, which is kept when it is first asked for */
        if (lua_rawget(L, error) == LUA_TSTRING)
            lc_future_set_extra(L, idx, LC_EXTRA_TRACEBACK);
        else
            lua_pop(L, 1);
        lua_pop(L, 1);
    } else {
        if (lua_toboolean(L, -2))
            lua_pushvalue(L, -2);
        else
            lua_pushnil(L);
        lua_rawset(L, error);
        lua_pop(L, 1);
    }
    if (has_part(L, host, error))
        set_has_part(L, host, 0);
}

void lc_traceback_restore(lua_State *L, struct lc_host *host, int idx)
{
    int error = lua_gettop(L);

    idx = lua_absindex(L, idx);
    luaL_checkstack(L, 10, NULL);
    lc_future_push_extra(L, idx, LC_EXTRA_TRACEBACK);
    if (lc_is_error(L, error))
        restore_object(L, host, idx, error);
    else if (lua_type(L, -1) == LUA_TSTRING)
        set_last(L, host, error, true);
    else
        lua_pop(L, 1);
}

void lc_traceback_pass(lua_State *L, struct lc_host *host, int from, int to)
{
    to = lua_absindex(L, to);
    luaL_checkstack(L, 8, NULL);
    if (lc_is_error(L, from) || !push_last(L, host, from))
        return;
    lua_rawgeti(L, -1, LAST_TRACEBACK);
    set_last(L, host, to, true);
    lua_pop(L, 1);
}

void lc_traceback_arrive(lua_State *L, struct lc_host *host)
{
    if (lua_type(L, -1) != LUA_TSTRING) {
        lua_pop(L, 1);
        return;
    }
    if (!lc_is_error(L, -2)) {
        set_last(L, host, -2, true);
        return;
    }
    lua_pushliteral(L, "traceback");
    lua_insert(L, -2);
    lua_rawset(L, -3);
}

void lc_traceback_inherit(lua_State *L, struct lc_host *host, int from)
{
    int error = lua_gettop(L);
    lua_Debug ar;

    from = lua_absindex(L, from);
    luaL_checkstack(L, 8, NULL);
    if (lua_getstack(L, 1, &ar) && lua_getinfo(L, "S", &ar) && ar.what[0] != 'C')
        return; /* the stack is there */
    lua_pushliteral(L, "traceback");
    if (!lc_is_error(L, from) || lua_rawget(L, from) != LUA_TSTRING) {
        lua_settop(L, error);
        return;
    }
    lc_part_push_last(L, -1);
    lua_pushliteral(L, "traceback");
    lua_insert(L, -2);
    lua_rawset(L, error);
    lua_settop(L, error);
    set_has_part(L, host, error);
}
