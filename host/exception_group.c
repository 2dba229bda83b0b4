#include "exception_group.h"

#include <lauxlib.h>

#include "args.h"
#include "error.h"
#include "host.h"

/* The record is a userdata, so that a script that finds it cannot change what is in it.
 * Its user values: */
enum record_value { RECORD_MESSAGE = 1, RECORD_MEMBERS, RECORD_VIEW, RECORD_COUNT = RECORD_VIEW };

static const struct lc_type record_type = {"ExceptionGroup record", sizeof(struct lc_object)};

/* Keys of the record in a group and of the mark in its class; their addresses are the keys. */
static const char record_key;
static const char class_key;

/* [-0, +(0|1), -] */
static bool push_record_value(lua_State *L, int idx, enum record_value value)
{
    if (lua_type(L, idx) != LUA_TTABLE)
        return false;
    lua_rawgetp(L, idx, &record_key);
    if (lc_to_object(L, -1, &record_type) == NULL) {
        lua_pop(L, 1);
        return false;
    }
    lua_getiuservalue(L, -1, value);
    lua_replace(L, -2);
    return true;
}

bool lc_exception_group_push_message(lua_State *L, int idx)
{
    return push_record_value(L, idx, RECORD_MESSAGE);
}

bool lc_exception_group_push_members(lua_State *L, int idx)
{
    return push_record_value(L, idx, RECORD_MEMBERS);
}

bool lc_is_exception_group(lua_State *L, int idx)
{
    if (!push_record_value(L, idx, RECORD_MESSAGE))
        return false;
    lua_pop(L, 1);
    return true;
}

bool lc_is_exception_group_class(lua_State *L, int idx)
{
    bool found;

    if (lua_type(L, idx) != LUA_TTABLE)
        return false;
    found = lua_rawgetp(L, idx, &class_key) == LUA_TBOOLEAN;
    lua_pop(L, 1);
    return found;
}

/* ---- the view: what a script gets as `exceptions` ---- */

/* An empty table whose metatable's __index is the list of members. */

/* Pushes the members behind the view at 1, or an empty list. [-0, +1, m] */
static void view_push_members(lua_State *L)
{
    if (luaL_getmetafield(L, 1, "__index") == LUA_TTABLE)
        return;
    lua_newtable(L);
}

static int view_len(lua_State *L)
{
    view_push_members(L);
    lua_pushinteger(L, (lua_Integer)lua_rawlen(L, -1));
    return 1;
}

static int view_next(lua_State *L)
{
    lua_Integer i = luaL_checkinteger(L, 2) + 1;

    view_push_members(L);
    lua_pushinteger(L, i);
    if (lua_rawgeti(L, -2, i) == LUA_TNIL)
        return 1;
    return 2;
}

/* pairs(view): the list itself must not get out. */
static int view_pairs(lua_State *L)
{
    lua_pushcfunction(L, view_next);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 0);
    return 3;
}

static int view_newindex(lua_State *L)
{
    lc_raise(L, lc_host_of(L), LC_TYPE_ERROR, "the exceptions of an ExceptionGroup are read-only");
}

/* Pushes a view of the list at `members`. [-0, +1, m] */
static void view_push(lua_State *L, struct lc_host *host, int members)
{
    static const luaL_Reg metamethods[] = {
        {"__len", view_len}, {"__newindex", view_newindex}, {"__pairs", view_pairs}, {NULL, NULL}};

    lua_newtable(L);
    lua_createtable(L, 0, 5);
    lc_set_functions(L, host, metamethods);
    lua_pushvalue(L, members);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}

/* ---- making a group ---- */

/* Replaces the list at `idx` by a table of its items: what the caller does to his list later, or
 * what its metatable answers then, is nothing to the group. [-0, +0, e] */
static void copy_list(lua_State *L, struct lc_host *host, const char *what, int idx)
{
    lua_Integer n;

    if (lua_type(L, idx) != LUA_TTABLE)
        lc_raise_argument(L, host, LC_TYPE_ERROR, what, 2, "list of errors", idx);
    n = luaL_len(L, idx);
    if (n <= 0 || lc_is_error(L, idx))
        lc_raise_value(L, host, what, 2, "list of at least one error expected");
    lua_newtable(L);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_geti(L, idx, i);
        if (!lc_is_error(L, -1))
            lc_raise(L, host, LC_VALUE_ERROR,
                     "bad argument #2 to '%s' (item %d is not an error object)", what, (int)i);
        lua_rawseti(L, -2, i);
    }
    lua_replace(L, idx);
}

/* Whether all members in the table at `idx` are below Exception. [-0, +0, -] */
static bool is_ordinary(lua_State *L, int idx)
{
    bool ordinary = true;
    lua_Integer n = (lua_Integer)lua_rawlen(L, idx);

    for (lua_Integer i = 1; ordinary && i <= n; i++) {
        lua_rawgeti(L, idx, i);
        ordinary = lc_error_kind(L, -1) == LC_KIND_ORDINARY;
        lua_pop(L, 1);
    }
    return ordinary;
}

/* The class at 1 for the members at `members`: ExceptionGroup refuses non-ordinary ones,
 * BaseExceptionGroup with only ordinary ones makes an ExceptionGroup (EG2). [-0, +0, v] */
static void choose_class(lua_State *L, struct lc_host *host, int members)
{
    if (!is_ordinary(L, members)) {
        if (lc_issubclass(L, host, 1, LC_EXCEPTION_GROUP))
            lc_raise(L, host, LC_TYPE_ERROR,
                     "cannot nest BaseExceptions in an ExceptionGroup (use BaseExceptionGroup)");
        return;
    }
    lc_class_push(L, host, LC_BASE_EXCEPTION_GROUP);
    if (lua_rawequal(L, 1, -1)) {
        lc_class_push(L, host, LC_EXCEPTION_GROUP);
        lua_replace(L, 1);
    }
    lua_pop(L, 1);
}

void lc_exception_group_fill(lua_State *L, struct lc_host *host, int group)
{
    int message = lua_gettop(L) - 1, members = message + 1, view = message + 2;
    struct lc_object *record;

    view_push(L, host, members);
    lua_createtable(L, 2, 1);
    lua_pushvalue(L, message);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, view);
    lua_rawseti(L, -2, 2);
    lua_pushinteger(L, 2);
    lua_setfield(L, -2, "n");
    lua_pushliteral(L, "args");
    lua_insert(L, -2);
    lua_rawset(L, group);
    record = lua_newuserdatauv(L, sizeof *record, RECORD_COUNT);
    record->type = &record_type;
    lua_pushvalue(L, message);
    lua_setiuservalue(L, -2, RECORD_MESSAGE);
    lua_pushvalue(L, members);
    lua_setiuservalue(L, -2, RECORD_MEMBERS);
    lua_pushvalue(L, view);
    lua_setiuservalue(L, -2, RECORD_VIEW);
    lua_rawsetp(L, group, &record_key);
    lua_settop(L, message - 1);
}

int lc_exception_group_construct(lua_State *L, struct lc_host *host)
{
    enum { CLASS = 1, MESSAGE, MEMBERS, GROUP };
    const char *what;

    lua_settop(L, MEMBERS);
    lua_getfield(L, CLASS, "name");
    what = lua_tostring(L, -1);
    if (lua_type(L, MESSAGE) != LUA_TSTRING)
        lc_raise_argument(L, host, LC_TYPE_ERROR, what, 1, "string", MESSAGE);
    copy_list(L, host, what, MEMBERS);
    lua_settop(L, MEMBERS);
    choose_class(L, host, MEMBERS);
    lua_createtable(L, 0, 4);
    lua_pushvalue(L, MESSAGE);
    lua_pushvalue(L, MEMBERS);
    lc_exception_group_fill(L, host, GROUP);
    lua_pushvalue(L, CLASS);
    lua_setmetatable(L, GROUP);
    return 1;
}

void lc_exception_group_from(lua_State *L, struct lc_host *host, const char *text)
{
    lc_class_push(L, host, LC_BASE_EXCEPTION_GROUP);
    lua_insert(L, -2);
    lua_pushstring(L, text);
    lua_insert(L, -2);
    lua_call(L, 2, 1);
}

/* ---- metamethods of the classes ---- */

/* The record's value that the key at 2 names; 0: none. [-0, +0, m] */
static enum record_value named_value(lua_State *L)
{
    static const struct {
        const char *name;
        enum record_value value;
    } names[] = {{"message", RECORD_MESSAGE}, {"exceptions", RECORD_VIEW}};
    enum record_value found = 0;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        lua_pushstring(L, names[i].name);
        if (lua_rawequal(L, 2, -1))
            found = names[i].value;
        lua_pop(L, 1);
    }
    return found;
}

static int group_index(lua_State *L)
{
    enum record_value value = named_value(L);

    lua_settop(L, 2);
    if (value != 0 && push_record_value(L, 1, value))
        return 1;
    if (!lua_getmetatable(L, 1))
        return 0;
    lua_insert(L, 2);
    lua_gettable(L, 2);
    return 1;
}

static int group_newindex(lua_State *L)
{
    lua_settop(L, 3);
    if (lua_type(L, 1) != LUA_TTABLE)
        lc_raise(L, lc_host_of(L), LC_TYPE_ERROR,
                 "calling '__newindex' on bad self (ExceptionGroup expected, got %s)",
                 lc_type_name(L, 1));
    if (named_value(L) != 0 && lc_is_exception_group(L, 1))
        lc_raise(L, lc_host_of(L), LC_TYPE_ERROR, "'%s' of an ExceptionGroup is read-only",
                 lua_tostring(L, 2));
    lua_rawset(L, 1);
    return 0;
}

/* tostring(group): the text with the number of members. */
static int group_tostring(lua_State *L)
{
    int n;

    lua_settop(L, 1);
    if (!lc_exception_group_push_members(L, 1)) {
        lua_pushliteral(L, "");
        return 1;
    }
    n = (int)lua_rawlen(L, -1);
    lc_exception_group_push_message(L, 1);
    lua_pushfstring(L, "%s (%d sub-exception%s)", lua_tostring(L, -1), n, n == 1 ? "" : "s");
    return 1;
}

void lc_exception_group_class_init(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg metamethods[] = {{"__index", group_index},
                                           {"__newindex", group_newindex},
                                           {"__tostring", group_tostring},
                                           {NULL, NULL}};

    lc_set_functions(L, host, metamethods);
    lua_pushboolean(L, 1);
    lua_rawsetp(L, -2, &class_key);
}

void lc_exception_groups_open(lua_State *L, struct lc_host *host)
{
    static const enum lc_class classes[] = {LC_BASE_EXCEPTION_GROUP, LC_EXCEPTION_GROUP};

    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        lc_class_push(L, host, classes[i]);
        lc_exception_group_class_init(L, host);
        lua_pop(L, 1);
    }
}

/* ---- splitting ---- */

/* Whether the error at `idx` is what the class, list of classes or function at `what` selects.
 * [-0, +0, e] */
static bool matches(lua_State *L, struct lc_host *host, int idx, int what)
{
    bool found = false;

    if (lc_is_class(L, what))
        return lc_isinstance(L, host, idx, what);
    if (lua_type(L, what) == LUA_TTABLE) {
        for (lua_Integer i = 1; !found && i <= (lua_Integer)lua_rawlen(L, what); i++) {
            lua_rawgeti(L, what, i);
            found = lc_isinstance(L, host, idx, -1);
            lua_pop(L, 1);
        }
        return found;
    }
    lua_pushvalue(L, what);
    lua_pushvalue(L, idx);
    lua_call(L, 1, 1);
    found = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return found;
}

/* Gives the part on top the fields of the group at `idx` that are not derive's. Notes are copied:
 * those added to the part are not the group's. [-0, +0, m] */
static void keep_fields(lua_State *L, int idx)
{
    static const char *const kept[] = {"cause", "context", "traceback"};
    lua_Integer n;

    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        lua_pushstring(L, kept[i]);
        lua_pushvalue(L, -1);
        lua_rawget(L, idx);
        lua_rawset(L, -3);
    }
    lua_pushliteral(L, "notes");
    if (lua_rawget(L, idx) != LUA_TTABLE) {
        lua_pop(L, 1);
        return;
    }
    n = (lua_Integer)lua_rawlen(L, -1);
    lua_pushliteral(L, "notes");
    lua_createtable(L, (int)n, 0);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, -3, i);
        lua_rawseti(L, -2, i);
    }
    lua_rawset(L, -4);
    lua_pop(L, 1);
}

/* Replaces the list on top by a part of the group at `idx`; an empty list by nil. [-1, +1, e] */
static void make_part(lua_State *L, struct lc_host *host, int idx)
{
    int list = lua_gettop(L);

    if (lua_rawlen(L, list) == 0) {
        lua_pushnil(L);
        lua_replace(L, list);
        return;
    }
    lua_getfield(L, idx, "derive");
    lua_pushvalue(L, idx);
    lua_pushvalue(L, list);
    lua_call(L, 2, 1);
    if (!lc_is_exception_group(L, -1))
        lc_raise(L, host, LC_TYPE_ERROR,
                 "derive must return an instance of BaseExceptionGroup, not %s",
                 lc_type_name(L, -1));
    keep_fields(L, idx);
    lua_replace(L, list);
}

/* Pops a value and puts it at the end of the list unless it is nil. [-1, +0, m] */
static void append(lua_State *L, int list)
{
    if (lua_isnil(L, -1))
        lua_pop(L, 1);
    else
        lua_rawseti(L, list, (lua_Integer)lua_rawlen(L, list) + 1);
}

static void split(lua_State *L, struct lc_host *host, int idx, int what, int depth)
{
    int matched = lua_gettop(L) + 1, rest = matched + 1, members = matched + 2;

    luaL_checkstack(L, 20, "errors nested too deep");
    if (depth > LC_EXCEPTION_GROUP_DEPTH)
        lc_raise(L, host, LC_RUNTIME_ERROR, "exception groups are nested too deep");
    if (matches(L, host, idx, what)) {
        lua_pushvalue(L, idx);
        lua_pushnil(L);
        return;
    }
    lua_newtable(L);
    lua_newtable(L);
    if (lc_exception_group_push_members(L, idx)) {
        lua_Integer n = (lua_Integer)lua_rawlen(L, members);

        for (lua_Integer i = 1; i <= n; i++) {
            lua_rawgeti(L, members, i);
            split(L, host, members + 1, what, depth + 1);
            append(L, rest);
            append(L, matched);
            lua_settop(L, members);
        }
        lua_settop(L, rest);
    }
    if (lua_rawlen(L, matched) == 0) {
        lua_settop(L, matched - 1);
        lua_pushnil(L);
        lua_pushvalue(L, idx);
        return;
    }
    make_part(L, host, idx);
    lua_pushvalue(L, matched);
    make_part(L, host, idx);
    lua_replace(L, matched);
}

void lc_exception_group_split(lua_State *L, struct lc_host *host, int idx, int what)
{
    split(L, host, idx, what, 0);
}
