/*
 * unpack: Lua values out of a parcel. A new object is made where it is first seen, empty; its contents
 * are set when their turn comes, as pack.c wrote them.
 * The bytes come from pack.c of the same process, and are trusted.
 */
#include "parcel.h"

#include <limits.h>
#include <string.h>

#include <lauxlib.h>

#include "context.h"
#include "core.h"
#include "crossing.h"
#include "exception_group.h"
#include "shared.h"

/* How many functions may be kept loaded in a state. */
#define LOADED_MAX 256

struct unpacker {
    lua_State *L;
    struct lc_host *host;
    const struct lc_parcel *parcel;
    const char *at;
    int objects; /* index of the table number -> object */
    int count;
};

/* ---- bytes ---- */

static void get_bytes(struct unpacker *unpacker, void *bytes, size_t size)
{
    memcpy(bytes, unpacker->at, size);
    unpacker->at += size;
}

static enum lc_parcel_tag get_tag(struct unpacker *unpacker)
{
    return (enum lc_parcel_tag)(unsigned char)*unpacker->at++;
}

static size_t get_size(struct unpacker *unpacker)
{
    size_t size;

    get_bytes(unpacker, &size, sizeof size);
    return size;
}

/* Pushes the string that comes next. */
static void push_string(struct unpacker *unpacker)
{
    if (get_tag(unpacker) == LC_TAG_BLOCK) {
        const struct lc_block *block = &unpacker->parcel->blocks[get_size(unpacker)];

        lua_pushlstring(unpacker->L, block->data, block->size);
    } else {
        size_t size = get_size(unpacker);

        lua_pushlstring(unpacker->L, unpacker->at, size);
        unpacker->at += size;
    }
}

/* ---- values that are found again ---- */

/* Replaces the name on top by the module, which is loaded if need be. [-1, +1, e] */
static void push_module(struct unpacker *unpacker)
{
    lua_State *L = unpacker->L;

    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushvalue(L, -2);
    if (lua_rawget(L, -2) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
        lua_getfield(L, -1, LUA_GNAME);
        lua_getfield(L, -1, "require");
        lua_pushvalue(L, -5);
        lua_call(L, 1, 1);
        lua_replace(L, -3);
        lua_pop(L, 1);
    }
    lua_replace(L, -3);
    lua_pop(L, 1);
}

static void push_field(struct unpacker *unpacker)
{
    lua_State *L = unpacker->L;

    push_string(unpacker);
    lua_pushvalue(L, -1);
    push_module(unpacker);
    push_string(unpacker);
    lua_pushvalue(L, -1);
    if (lua_gettable(L, -3) == LUA_TNIL)
        lc_raise(L, unpacker->host, LC_TYPE_ERROR, "the worker's module '%s' has no field '%s'",
                 lua_tostring(L, -4), lua_tostring(L, -2));
    lua_replace(L, -4);
    lua_pop(L, 2);
}

/* Replaces a parent, a key and a name on top by the class. [-3, +1, m] */
static void make_class(struct unpacker *unpacker)
{
    lua_State *L = unpacker->L;

    lua_pushvalue(L, -2);
    lc_crossing_find(L, unpacker->host);
    if (lua_isnil(L, -1)) {
        int parent = lua_gettop(L) - 3;

        lua_pop(L, 1);
        /* a module that both states have loaded has made its own here */
        lc_class_find_child(L, parent);
        if (lua_isnil(L, -1) || lc_crossing_has_key(L, unpacker->host, -1)) {
            lua_pop(L, 1);
            lua_pushvalue(L, -1);
            lc_class_new_child(L, unpacker->host, parent);
        }
        lc_crossing_set(L, unpacker->host, parent + 1);
    }
    lua_replace(L, -4);
    lua_pop(L, 2);
}

/* Names come from the class down to the one below lucio's; they are made the other way round. */
static void push_class(struct unpacker *unpacker)
{
    lua_State *L = unpacker->L;
    int class = (int)get_size(unpacker), top = lua_gettop(L);
    size_t depth = get_size(unpacker);

    luaL_checkstack(L, (int)(2 * depth) + 10, "too many classes");
    for (size_t i = 0; i < depth; i++) {
        push_string(unpacker);
        push_string(unpacker);
    }
    lc_class_push(L, unpacker->host, (enum lc_class) class);
    for (size_t i = depth; i > 0; i--) {
        lua_pushvalue(L, top + 2 * (int)i - 1);
        lua_pushvalue(L, top + 2 * (int)i);
        make_class(unpacker);
    }
    lua_insert(L, top + 1);
    lua_settop(L, top + 1);
}

static void push_value(struct unpacker *unpacker);

static void push_variable(struct unpacker *unpacker)
{
    lua_State *L = unpacker->L;
    int top = lua_gettop(L);
    bool has_default;

    push_string(unpacker);
    push_string(unpacker);
    has_default = get_tag(unpacker) == LC_TAG_TRUE;
    if (has_default)
        push_value(unpacker);
    lua_pushvalue(L, top + 1);
    lc_crossing_find(L, unpacker->host);
    if (lua_isnil(L, -1)) {
        lua_settop(L, top + 2 + has_default);
        lc_context_var_new(L, unpacker->host, has_default);
        lc_crossing_set(L, unpacker->host, top + 1);
    }
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
}

/* ---- objects ---- */

/* A function without upvalues of its own is the same in each job: it is loaded once. */
static bool is_constant(lua_State *L, int idx)
{
    const char *name = lua_getupvalue(L, idx, 1);

    if (name == NULL)
        return true;
    lua_pop(L, 1);
    if (strcmp(name, "_ENV") != 0)
        return false;
    if (lua_getupvalue(L, idx, 2) == NULL)
        return true;
    lua_pop(L, 1);
    return false;
}

static void keep_loaded(struct unpacker *unpacker, int idx)
{
    lua_State *L = unpacker->L;
    lua_Integer count;

    lc_host_push_ref(L, unpacker->host, LC_REF_LOADED);
    lua_rawgeti(L, -1, 1);
    count = lua_tointeger(L, -1);
    lua_pop(L, 1);
    if (count >= LOADED_MAX) {
        lua_pushnil(L);
        while (lua_next(L, -2)) {
            lua_pop(L, 1);
            lua_pushvalue(L, -1);
            lua_pushnil(L);
            lua_rawset(L, -4);
        }
        count = 0;
    }
    lua_pushinteger(L, count + 1);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, idx);
    lua_pushvalue(L, idx + 1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

static void push_function(struct unpacker *unpacker)
{
    lua_State *L = unpacker->L;
    size_t size = get_size(unpacker);
    int top = lua_gettop(L);

    lua_pushlstring(L, unpacker->at, size);
    unpacker->at += size;
    lc_host_push_ref(L, unpacker->host, LC_REF_LOADED);
    lua_pushvalue(L, top + 1);
    lua_rawget(L, -2);
    lua_replace(L, top + 2);
    if (lua_isnil(L, top + 2)) {
        lua_settop(L, top + 1);
        if (luaL_loadbufferx(L, lua_tostring(L, top + 1), size, "=job", "b") != LUA_OK)
            lua_error(L);
        if (is_constant(L, top + 2))
            keep_loaded(unpacker, top + 1);
    }
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
}

/* The object on top is the next one. */
static void add_object(struct unpacker *unpacker)
{
    lua_pushvalue(unpacker->L, -1);
    lua_rawseti(unpacker->L, unpacker->objects, ++unpacker->count);
}

/* An empty table with room for its items, each of which takes a byte at least of what is left. */
static void push_table(struct unpacker *unpacker)
{
    const struct lc_parcel *parcel = unpacker->parcel;
    size_t items = get_size(unpacker), left = parcel->size - (size_t)(unpacker->at - parcel->data);

    if (items > left)
        items = left;
    lua_createtable(unpacker->L, items < INT_MAX ? (int)items : INT_MAX, 0);
}

/* Pushes the value that comes next. */
static void push_value(struct unpacker *unpacker)
{
    lua_State *L = unpacker->L;
    enum lc_parcel_tag tag = get_tag(unpacker);
    lua_Integer integer;
    lua_Number number;

    switch (tag) {
    case LC_TAG_NIL:
    case LC_TAG_END:
    case LC_TAG_JOIN:
        lua_pushnil(L);
        break;
    case LC_TAG_FALSE:
    case LC_TAG_TRUE:
        lua_pushboolean(L, tag == LC_TAG_TRUE);
        break;
    case LC_TAG_INTEGER:
        get_bytes(unpacker, &integer, sizeof integer);
        lua_pushinteger(L, integer);
        break;
    case LC_TAG_FLOAT:
        get_bytes(unpacker, &number, sizeof number);
        lua_pushnumber(L, number);
        break;
    case LC_TAG_STRING:
    case LC_TAG_BLOCK:
        unpacker->at--;
        push_string(unpacker);
        break;
    case LC_TAG_OLD:
        lua_rawgeti(L, unpacker->objects, (lua_Integer)get_size(unpacker));
        break;
    case LC_TAG_TABLE:
        push_table(unpacker);
        add_object(unpacker);
        break;
    case LC_TAG_ERROR:
    case LC_TAG_GROUP:
        lua_newtable(L);
        unpacker->at++;
        push_class(unpacker);
        lua_setmetatable(L, -2);
        add_object(unpacker);
        break;
    case LC_TAG_FUNCTION:
        push_function(unpacker);
        add_object(unpacker);
        break;
    case LC_TAG_MODULE:
        push_string(unpacker);
        push_module(unpacker);
        break;
    case LC_TAG_FIELD:
        push_field(unpacker);
        break;
    case LC_TAG_CLASS:
        push_class(unpacker);
        break;
    case LC_TAG_VARIABLE:
        push_variable(unpacker);
        break;
    case LC_TAG_LOCAL:
        push_string(unpacker);
        lc_crossing_push_local(L, unpacker->host);
        break;
    case LC_TAG_SHARED:
    case LC_TAG_LOCK:
        lc_shared_push(L, unpacker->host, unpacker->parcel->shared[get_size(unpacker)],
                       tag == LC_TAG_LOCK);
        add_object(unpacker);
        break;
    }
}

/* ---- contents ---- */

/* The function is on top. */
static void set_upvalues(struct unpacker *unpacker)
{
    lua_State *L = unpacker->L;

    for (int n = 1; *unpacker->at != LC_TAG_END; n++) {
        if (*unpacker->at == LC_TAG_JOIN) {
            size_t other;

            unpacker->at++;
            other = get_size(unpacker);
            lua_rawgeti(L, unpacker->objects, (lua_Integer)(other / 256));
            lua_upvaluejoin(L, -2, n, -1, (int)(other % 256));
            lua_pop(L, 1);
        } else {
            push_value(unpacker);
            if (lua_setupvalue(L, -2, n) == NULL)
                lua_pop(L, 1);
        }
    }
    unpacker->at++;
}

/* The table is on top. */
static void set_fields(struct unpacker *unpacker)
{
    lua_State *L = unpacker->L;
    size_t items = get_size(unpacker);

    for (size_t i = 1; i <= items; i++) {
        push_value(unpacker);
        lua_rawseti(L, -2, (lua_Integer)i);
    }
    while (*unpacker->at != LC_TAG_END) {
        push_value(unpacker);
        push_value(unpacker);
        lua_rawset(L, -3);
    }
    unpacker->at++;
}

static void set_group(struct unpacker *unpacker)
{
    lua_State *L = unpacker->L;
    int group = lua_gettop(L);

    push_string(unpacker);
    push_value(unpacker);
    lc_exception_group_fill(L, unpacker->host, group);
    set_fields(unpacker);
}

static void set_contents(struct unpacker *unpacker, enum lc_parcel_tag tag)
{
    if (tag == LC_TAG_FUNCTION)
        set_upvalues(unpacker);
    else if (tag == LC_TAG_GROUP)
        set_group(unpacker);
    else
        set_fields(unpacker);
}

int lc_unpack(lua_State *L, struct lc_host *host, const struct lc_parcel *parcel)
{
    struct unpacker unpacker = {.L = L, .host = host, .parcel = parcel, .at = parcel->data};
    int top = lua_gettop(L);

    luaL_checkstack(L, parcel->values + 30, "too many values");
    lua_newtable(L);
    unpacker.objects = top + 1;
    for (int i = 0; i < parcel->values; i++) {
        int done = unpacker.count;

        push_value(&unpacker);
        while (done < unpacker.count) {
            lua_rawgeti(L, unpacker.objects, ++done);
            if (lua_type(L, -1) != LUA_TUSERDATA)
                set_contents(&unpacker, get_tag(&unpacker));
            lua_pop(L, 1);
        }
    }
    lua_remove(L, top + 1);
    return parcel->values;
}
