/*
 * pack: Lua values into a parcel. Breadth first, by iteration: an object gets a number where it is first
 * seen, what it contains follows in turn; so depth is limited by memory alone. What cannot cross stops the
 * packing, which is done again with notes of the way to each object, for the error.
 */
#include "packer.h"

#include <string.h>

#include <lauxlib.h>

#include "context.h"
#include "core.h"
#include "crossing.h"
#include "exception_group.h"
#include "loop_link.h"
#include "loop_object.h"
#include "quota.h"
#include "shared.h"

/* From this size on, a string is a block of its own. */
#define BLOCK_SIZE 65536

/* ---- bytes ---- */

static void put_number(struct lc_packer *packer, int idx)
{
    lua_Integer integer = lua_tointeger(packer->L, idx);
    lua_Number number = lua_tonumber(packer->L, idx);

    _Static_assert(sizeof integer == 8 && sizeof number == 8,
                   "numbers of Lua as parcels have them");
    if (lua_isinteger(packer->L, idx))
        lc_put_tagged(packer, LC_TAG_INTEGER, &integer);
    else
        lc_put_tagged(packer, LC_TAG_FLOAT, &number);
}

/* Adds the string at `idx` to the list of those that are lent. */
static void keep_lent(struct lc_packer *packer, int idx)
{
    lua_State *L = packer->L;
    int lent = packer->names->lent;

    idx = lua_absindex(L, idx);
    if (lua_isnil(L, lent)) {
        lua_newtable(L);
        lua_replace(L, lent);
    }
    lua_pushvalue(L, idx);
    lua_rawseti(L, lent, (lua_Integer)lua_rawlen(L, lent) + 1);
}

void lc_put_string(struct lc_packer *packer, int idx)
{
    size_t size;
    const char *text = lua_tolstring(packer->L, idx, &size);

    if (size >= BLOCK_SIZE) {
        bool lend = packer->names->lent != 0;

        if (lend)
            keep_lent(packer, idx);
        lc_put_numbered(packer, LC_TAG_BLOCK,
                        lc_parcel_add_block(packer->L, packer->parcel, text, size, lend));
    } else {
        char *at = lc_parcel_room(packer->L, packer->parcel, 1 + sizeof size + size);

        at[0] = LC_TAG_STRING;
        memcpy(at + 1, &size, sizeof size);
        memcpy(at + 1 + sizeof size, text, size);
    }
}

/* ---- what cannot cross ---- */

/* Pushes the way to the value that is being packed. */
static void push_path(struct lc_packer *packer)
{
    lua_State *L = packer->L;

    if (packer->parent == 0) {
        lua_pushliteral(L, "");
        return;
    }
    lua_rawgeti(L, packer->paths, packer->parent);
    lua_pushfstring(L, "%s%s%s", lua_tostring(L, -1), lua_rawlen(L, -1) > 0 ? " " : "",
                    packer->step);
    lua_replace(L, -2);
}

/* Pushes where the value that is being packed is in the argument or result, and returns which that is. */
static int push_place(struct lc_packer *packer)
{
    const struct lc_pack_names *names = packer->names;
    bool is_item = names->item > 0 && packer->root > 0;
    lua_State *L = packer->L;

    push_path(packer);
    if (is_item) {
        lua_pushfstring(L, "item %I%s%s", (LUAI_UACINT)(names->item + packer->root - 1),
                        lua_rawlen(L, -1) > 0 ? " " : "", lua_tostring(L, -1));
        lua_replace(L, -2);
    }
    lua_pushstring(L, lua_rawlen(L, -1) > 0 ? ": " : "");
    lua_concat(L, 2);
    return names->first + (is_item ? 1 : packer->root);
}

static const char *kind_name(lua_State *L, int idx)
{
    if (lua_type(L, idx) == LUA_TTHREAD)
        return "coroutine";
    if (lc_is_async_function(L, idx))
        return "async function";
    if (lua_iscfunction(L, idx))
        return "C function that no loaded module has";
    return lua_type(L, idx) == LUA_TTABLE ? "table with a metatable" : lc_type_name(L, idx);
}

/* The value at `idx` cannot cross. False: the packing has to be done again. */
static bool refuse(struct lc_packer *packer, int idx)
{
    const char *what = packer->names->what;
    lua_State *L = packer->L;
    int position;

    idx = lua_absindex(L, idx);
    if (packer->names->lenient) {
        lc_push_text(L, idx);
        lc_put_string(packer, -1);
        lua_pop(L, 1);
        return true;
    }
    if (packer->paths == 0)
        return false;
    position = push_place(packer);
    if (what != NULL)
        lc_raise(L, packer->host, LC_TYPE_ERROR,
                 "bad argument #%d to '%s' (%s%s cannot be passed to a worker)", position, what,
                 lua_tostring(L, -1), kind_name(L, idx));
    lc_raise(L, packer->host, LC_TYPE_ERROR, "result #%d of the job (%s%s cannot leave a worker)",
             position, lua_tostring(L, -1), kind_name(L, idx));
}

static void set_step(struct lc_packer *packer)
{
    strncpy(packer->step, lua_tostring(packer->L, -1), sizeof packer->step - 1);
    lua_pop(packer->L, 1);
}

/* With notes: what is packed next is the parent's field with the key at `idx`. */
static void note_field(struct lc_packer *packer, int idx)
{
    lua_State *L = packer->L;

    if (packer->paths == 0)
        return;
    lc_push_text(L, idx);
    lua_pushfstring(L,
                    lua_isinteger(L, idx)             ? "item %s"
                    : lua_type(L, idx) == LUA_TSTRING ? "field '%s'"
                                                      : "field [%s]",
                    lua_tostring(L, -1));
    set_step(packer);
    lua_pop(L, 1);
}

static void note_upvalue(struct lc_packer *packer, const char *name)
{
    if (packer->paths == 0)
        return;
    lua_pushfstring(packer->L, "upvalue '%s'", name);
    set_step(packer);
}

static bool put_value(struct lc_packer *packer, int idx);

/* The new object at `idx` gets the next number. */
static void number_object(struct lc_packer *packer, int idx)
{
    lua_State *L = packer->L;

    packer->count++;
    lua_pushvalue(L, idx);
    lua_rawseti(L, packer->objects, packer->count);
    lua_pushvalue(L, idx);
    lua_pushinteger(L, packer->count);
    lua_rawset(L, packer->objects);
}

/* The object at `idx`, which stands for something shared: an object without contents. What several of them
 * stand for is in the parcel once. */
static void put_shared(struct lc_packer *packer, int idx, enum lc_parcel_tag tag,
                       struct lc_shared *shared)
{
    lua_State *L = packer->L;
    size_t number;

    number_object(packer, idx);
    if (lua_rawgetp(L, packer->objects, shared) != LUA_TNIL) {
        number = (size_t)lua_tointeger(L, -1);
    } else {
        number = lc_parcel_add_shared(L, packer->parcel, shared);
        lua_pushinteger(L, (lua_Integer)number);
        lua_rawsetp(L, packer->objects, shared);
    }
    lua_pop(L, 1);
    lc_put_numbered(packer, tag, number);
}

static bool put_userdata(struct lc_packer *packer, int idx)
{
    lua_State *L = packer->L;
    bool is_lock, has_default;
    struct lc_shared *shared = lc_shared_to(L, idx, &is_lock);
    struct lc_loop *loop;

    if (shared != NULL) {
        put_shared(packer, idx, is_lock ? LC_TAG_LOCK : LC_TAG_SHARED, shared);
        return true;
    }
    if (lc_is_loop(L, idx, &loop)) {
        shared = lc_loop_link_push(L, packer->host, loop);
        put_shared(packer, idx, LC_TAG_SHARED, shared);
        lua_pop(L, 1);
        return true;
    }
    if (!lc_context_var_push(L, idx, &has_default))
        return refuse(packer, idx);
    /* a default is packed on the spot, so it must not lead to another variable */
    if (lua_type(L, -1) == LUA_TUSERDATA)
        return refuse(packer, lua_gettop(L));
    /* above: name, default */
    lc_put_tag(packer, LC_TAG_VARIABLE);
    lc_crossing_push_key(L, packer->host, idx);
    lc_put_string(packer, -1);
    lc_put_string(packer, -3);
    lc_put_tag(packer, has_default ? LC_TAG_TRUE : LC_TAG_FALSE);
    lua_pop(L, 1);
    if (has_default && !put_value(packer, lua_gettop(L)))
        return false;
    lua_pop(L, 2);
    return true;
}

/* ---- objects ---- */

static int append_bytes(lua_State *L, const void *bytes, size_t size, void *packer)
{
    (void)L;
    lc_put_bytes(packer, bytes, size);
    return 0;
}

/* The bytecode of the Lua function at `idx`, made once for each function. */
static void put_bytecode(struct lc_packer *packer, int idx)
{
    lua_State *L = packer->L;

    lc_host_push_ref(L, packer->host, LC_REF_DUMPS);
    lua_pushvalue(L, idx);
    if (lua_rawget(L, -2) == LUA_TNIL) {
        size_t at = packer->parcel->size, size;

        lua_pushvalue(L, idx);
        lc_put_size(packer, 0);
        lua_dump(L, append_bytes, packer, 0);
        size = packer->parcel->size - at - sizeof size;
        memcpy(packer->parcel->data + at, &size, sizeof size);
        lua_pushlstring(L, packer->parcel->data + at + sizeof size, size);
        lua_rawset(L, -4);
        lua_pop(L, 2);
        return;
    }
    lc_put_size(packer, lua_rawlen(L, -1));
    lc_put_bytes(packer, lua_tostring(L, -1), lua_rawlen(L, -1));
    lua_pop(L, 2);
}

/* The new object at `idx`, with a tag, gets the next number. */
static bool put_object(struct lc_packer *packer, int idx, enum lc_parcel_tag tag)
{
    lua_State *L = packer->L;

    number_object(packer, idx);
    if (packer->paths != 0) {
        push_path(packer);
        lua_rawseti(L, packer->paths, packer->count);
    }
    if (tag == LC_TAG_TABLE) {
        lc_put_numbered(packer, tag, lua_rawlen(L, idx));
        return true;
    }
    lc_put_tag(packer, tag);
    if (tag == LC_TAG_FUNCTION) {
        put_bytecode(packer, idx);
    } else {
        lua_getmetatable(L, idx);
        lc_put_class(packer, lua_gettop(L));
        lua_pop(L, 1);
    }
    return true;
}

static bool put_table(struct lc_packer *packer, int idx)
{
    lua_State *L = packer->L;

    if (!lua_getmetatable(L, idx))
        return lc_put_module(packer, idx) || put_object(packer, idx, LC_TAG_TABLE);
    lua_pop(L, 1);
    if (lc_is_error(L, idx))
        return put_object(packer, idx, lc_is_exception_group(L, idx) ? LC_TAG_GROUP : LC_TAG_ERROR);
    if (lc_is_class(L, idx)) {
        lc_put_class(packer, idx);
        return true;
    }
    if (lc_crossing_is_local(L, packer->host, idx)) {
        lc_put_tag(packer, LC_TAG_LOCAL);
        lc_crossing_push_key(L, packer->host, idx);
        lc_put_string(packer, -1);
        lua_pop(L, 1);
        return true;
    }
    return lc_put_module(packer, idx) || refuse(packer, idx);
}

/* Packs the reference if the object at `idx` has a number. */
static bool put_old(struct lc_packer *packer, int idx)
{
    lua_State *L = packer->L;
    bool found;

    lua_pushvalue(L, idx);
    found = lua_rawget(L, packer->objects) != LUA_TNIL;
    if (found)
        lc_put_numbered(packer, LC_TAG_OLD, (size_t)lua_tointeger(L, -1));
    lua_pop(L, 1);
    return found;
}

/* Packs the value at `idx`, an absolute index. False: it cannot cross. */
static bool put_value(struct lc_packer *packer, int idx)
{
    lua_State *L = packer->L;

    switch (lua_type(L, idx)) {
    case LUA_TNIL:
        lc_put_tag(packer, LC_TAG_NIL);
        return true;
    case LUA_TBOOLEAN:
        lc_put_tag(packer, lua_toboolean(L, idx) ? LC_TAG_TRUE : LC_TAG_FALSE);
        return true;
    case LUA_TNUMBER:
        put_number(packer, idx);
        return true;
    case LUA_TSTRING:
        lc_put_string(packer, idx);
        return true;
    case LUA_TTABLE:
        return put_old(packer, idx) || put_table(packer, idx);
    case LUA_TFUNCTION:
        if (lua_iscfunction(L, idx))
            return lc_put_c_function(packer, idx) || refuse(packer, idx);
        return put_old(packer, idx) || put_object(packer, idx, LC_TAG_FUNCTION);
    case LUA_TUSERDATA:
        return put_old(packer, idx) || put_userdata(packer, idx);
    default:
        return refuse(packer, idx);
    }
}

/* ---- contents ---- */

/* Upvalues that several functions share stay shared. */
static bool put_upvalues(struct lc_packer *packer, int idx)
{
    lua_State *L = packer->L;
    const char *name;

    for (int n = 1; (name = lua_getupvalue(L, idx, n)) != NULL; n++) {
        void *id = lua_upvalueid(L, idx, n);
        bool good = true;

        if (lua_rawgetp(L, packer->objects, id) != LUA_TNIL) {
            lc_put_numbered(packer, LC_TAG_JOIN, (size_t)lua_tointeger(L, -1));
        } else {
            /* a function has at most 255 of them */
            lua_pushinteger(L, (lua_Integer)packer->parent * 256 + n);
            lua_rawsetp(L, packer->objects, id);
            note_upvalue(packer, name);
            if (strcmp(name, "_ENV") == 0) { /* whatever it is here, there it is the globals */
                lua_pushglobaltable(L);
                lua_replace(L, -3);
            }
            good = put_value(packer, lua_gettop(L) - 1);
        }
        if (!good)
            return false;
        lua_pop(L, 2);
    }
    lc_put_tag(packer, LC_TAG_END);
    return true;
}

/* Whether a key has been packed as an item, or is private to lucio. */
static bool is_skipped(lua_State *L, int idx, lua_Integer items)
{
    if (lua_isinteger(L, idx))
        return lua_tointeger(L, idx) >= 1 && lua_tointeger(L, idx) <= items;
    return lua_type(L, idx) == LUA_TLIGHTUSERDATA && lua_touserdata(L, idx) != NULL;
}

/* Items 1 to n, then the other fields with their keys. */
static bool put_fields(struct lc_packer *packer, int idx, bool is_error)
{
    lua_State *L = packer->L;
    lua_Integer items = (lua_Integer)lua_rawlen(L, idx);
    int key = lua_gettop(L) + 1;

    lc_put_size(packer, (size_t)items);
    for (lua_Integer i = 1; i <= items; i++) {
        if (packer->paths != 0) {
            lua_pushinteger(L, i);
            note_field(packer, key);
            lua_pop(L, 1);
        }
        lua_rawgeti(L, idx, i);
        if (!put_value(packer, key))
            return false;
        lua_pop(L, 1);
    }
    lua_pushnil(L);
    while (lua_next(L, idx)) {
        if (!is_skipped(L, key, items) || (!is_error && !lua_isinteger(L, key))) {
            note_field(packer, key);
            if (!put_value(packer, key) || !put_value(packer, key + 1))
                return false;
        }
        lua_settop(L, key);
    }
    lc_put_tag(packer, LC_TAG_END);
    return true;
}

/* Message and list of members, then the fields of an error. */
static bool put_group(struct lc_packer *packer, int idx)
{
    lua_State *L = packer->L;
    int top = lua_gettop(L);

    lc_exception_group_push_message(L, idx);
    lc_put_string(packer, top + 1);
    if (packer->paths != 0)
        strcpy(packer->step, "exceptions");
    lc_exception_group_push_members(L, idx);
    if (!put_value(packer, top + 2))
        return false;
    lua_newtable(L);
    lua_pushnil(L);
    while (lua_next(L, idx)) {
        /* the rest is made anew with the group */
        if (lua_type(L, -2) == LUA_TSTRING && strcmp(lua_tostring(L, -2), "args") != 0) {
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_rawset(L, top + 3);
        } else {
            lua_pop(L, 1);
        }
    }
    if (!put_fields(packer, top + 3, true))
        return false;
    lua_settop(L, top);
    return true;
}

static bool put_contents(struct lc_packer *packer, int idx)
{
    lua_State *L = packer->L;

    if (lua_type(L, idx) == LUA_TUSERDATA)
        return true;
    if (lua_type(L, idx) == LUA_TFUNCTION) {
        lc_put_tag(packer, LC_TAG_FUNCTION);
        return put_upvalues(packer, idx);
    }
    if (lc_is_exception_group(L, idx)) {
        lc_put_tag(packer, LC_TAG_GROUP);
        return put_group(packer, idx);
    }
    lc_put_tag(packer, LC_TAG_TABLE);
    return put_fields(packer, idx, lc_is_error(L, idx));
}

/* Packs the values; false: one cannot cross. */
static bool pack_all(struct lc_packer *packer, int first, int n)
{
    lua_State *L = packer->L;
    int top = lua_gettop(L);

    luaL_checkstack(L, 30, NULL);
    lua_newtable(L);
    packer->objects = top + 1;
    if (packer->paths != 0) {
        lua_newtable(L);
        packer->paths = top + 2;
    }
    packer->count = packer->parent = 0;
    packer->parcel->values = n;
    for (packer->root = 0; packer->root < n; packer->root++) {
        int from = packer->count;

        packer->parent = 0;
        if (!put_value(packer, first + packer->root))
            return false;
        /* an argument's own objects first, so that errors can tell which it was */
        for (packer->parent = from + 1; packer->parent <= packer->count; packer->parent++) {
            lua_rawgeti(L, packer->objects, packer->parent);
            if (!put_contents(packer, lua_gettop(L)))
                return false;
            lua_pop(L, 1);
        }
    }
    lua_settop(L, top);
    return true;
}

void lc_pack(lua_State *L, struct lc_host *host, struct lc_parcel *parcel, int first, int n,
             const struct lc_pack_names *names)
{
    struct lc_packer packer = {.L = L, .host = host, .parcel = parcel, .names = names};
    int top = lua_gettop(L);

    first = lua_absindex(L, first);
    parcel->quota = lc_quota_hold(host->quota);
    if (pack_all(&packer, first, n))
        return;
    lua_settop(L, top);
    lc_parcel_clear(parcel);
    parcel->quota = lc_quota_hold(host->quota);
    packer.paths = 1;
    pack_all(&packer, first, n);
}
