/*
 * value: Lua values in C's hands: plain ones as struct lucio_value, all others by references.
 * Owner: a reference holds its value by an anchor, until it is freed or the host closes.
 */
#include <limits.h>
#include <string.h>

#include <lauxlib.h>

#include "args.h"
#include "embed.h"

struct lucio_value lucio_nil(void)
{
    return (struct lucio_value){.type = LUCIO_NIL};
}

struct lucio_value lucio_boolean(bool boolean)
{
    return (struct lucio_value){.type = LUCIO_BOOLEAN, .as.boolean = boolean};
}

struct lucio_value lucio_integer(long long integer)
{
    return (struct lucio_value){.type = LUCIO_INTEGER, .as.integer = integer};
}

struct lucio_value lucio_number(double number)
{
    return (struct lucio_value){.type = LUCIO_NUMBER, .as.number = number};
}

struct lucio_value lucio_bytes(const void *data, size_t length)
{
    if (data == NULL)
        return lucio_nil();
    return (struct lucio_value){
        .type = LUCIO_STRING, .as.string.data = data, .as.string.length = length};
}

struct lucio_value lucio_string(const char *text)
{
    return lucio_bytes(text, text != NULL ? strlen(text) : 0);
}

struct lucio_value lucio_pointer(void *pointer)
{
    return (struct lucio_value){.type = LUCIO_POINTER, .as.pointer = pointer};
}

struct lucio_value lucio_object(lucio_ref *object)
{
    if (object == NULL)
        return lucio_nil();
    return (struct lucio_value){.type = LUCIO_OBJECT, .as.object = object};
}

struct lucio_value lucio_awaitable(lucio_future *future)
{
    /* a future's handle serves as a reference */
    return lucio_object((lucio_ref *)future);
}

static void push_object(lua_State *L, struct lucio *h, const lucio_ref *handle)
{
    const struct lc_slot *ref = lc_embed_find_ref(handle);

    if (ref == NULL)
        lc_raise(L, h->host, LC_VALUE_ERROR, "the reference was freed");
    if (ref->h != h)
        lc_raise(L, h->host, LC_VALUE_ERROR, "the reference belongs to another host");
    lc_embed_push_held(L, ref);
}

void lc_embed_push_value(lua_State *L, struct lucio *h, const struct lucio_value *value)
{
    switch (value->type) {
    case LUCIO_BOOLEAN:
        lua_pushboolean(L, value->as.boolean);
        return;
    case LUCIO_INTEGER:
        lua_pushinteger(L, value->as.integer);
        return;
    case LUCIO_NUMBER:
        lua_pushnumber(L, value->as.number);
        return;
    case LUCIO_STRING:
        lua_pushlstring(L, value->as.string.data, value->as.string.length);
        return;
    case LUCIO_POINTER:
        lua_pushlightuserdata(L, value->as.pointer);
        return;
    case LUCIO_OBJECT:
        push_object(L, h, value->as.object);
        return;
    default:
        lua_pushnil(L);
    }
}

void lc_embed_push_values(lua_State *L, struct lucio *h, size_t n, const struct lucio_value *values)
{
    if (n > INT_MAX / 2)
        luaL_error(L, "too many values");
    if (n > 0 && values == NULL)
        lc_raise(L, h->host, LC_VALUE_ERROR, "there are no values");
    luaL_checkstack(L, (int)n + 4, "too many values");
    for (size_t i = 0; i < n; i++)
        lc_embed_push_value(L, h, &values[i]);
}

struct lucio_value lc_embed_to_value(lua_State *L, struct lucio *h, int idx)
{
    struct lucio_value value = {.type = LUCIO_NIL};

    switch (lua_type(L, idx)) {
    case LUA_TNIL:
    case LUA_TNONE:
        break;
    case LUA_TBOOLEAN:
        return lucio_boolean(lua_toboolean(L, idx));
    case LUA_TNUMBER:
        return lua_isinteger(L, idx) ? lucio_integer(lua_tointeger(L, idx))
                                     : lucio_number(lua_tonumber(L, idx));
    case LUA_TSTRING:
        value.type = LUCIO_STRING;
        value.as.string.data = lua_tolstring(L, idx, &value.as.string.length);
        break;
    case LUA_TLIGHTUSERDATA:
        return lucio_pointer(lua_touserdata(L, idx));
    default:
        luaL_checkstack(L, 4, NULL);
        lua_pushvalue(L, idx);
        value.as.object = lc_embed_ref_new(L, h);
        value.type = LUCIO_OBJECT;
    }
    return value;
}

/* ---- references ---- */

void *lc_embed_hold(lua_State *L, struct lucio *h, enum lc_slot_kind kind, size_t size)
{
    int anchor = lc_anchor_reserve(L, h->host);
    struct lc_slot *slot = lc_slot_take(h, kind, size);

    if (slot == NULL) {
        lc_anchor_drop(L, h->host, &anchor);
        luaL_error(L, "not enough memory");
    }
    lucio_retain(h);
    slot->anchor = anchor;
    lc_anchor_set(L, h->host, anchor);
    lc_list_append(&h->refs, &slot->link);
    return slot;
}

lucio_ref *lc_embed_ref_new(lua_State *L, struct lucio *h)
{
    return lc_slot_handle(lc_embed_hold(L, h, LC_SLOT_REF, sizeof(struct lc_slot)));
}

void lc_embed_let_go(struct lc_slot *slot)
{
    struct lucio *h = slot->h;

    if (h->host != NULL) {
        lua_State *L = lc_embed_state(h);

        if (lua_checkstack(L, 4))
            lc_anchor_drop(L, h->host, &slot->anchor);
    }
    lc_slot_give(slot);
    lucio_release(h);
}

void lc_embed_push_held(lua_State *L, const struct lc_slot *slot)
{
    lc_anchor_push(L, slot->h->host, slot->anchor);
}

struct lc_slot *lc_embed_find_ref(const void *handle)
{
    struct lc_slot *slot = lc_slot_find(handle, LC_SLOT_REF);

    return slot != NULL ? slot : lc_slot_find(handle, LC_SLOT_FUTURE);
}

int lc_embed_enter_ref(lucio_ref *handle, struct lc_slot **ref)
{
    *ref = lc_embed_find_ref(handle);
    return *ref != NULL ? lc_embed_enter((*ref)->h) : lc_slot_refuse(handle, NULL);
}

void lucio_ref_free(lucio_ref *handle)
{
    struct lc_slot *ref;

    if (handle == NULL)
        return;
    ref = lc_embed_find_ref(handle);
    if (ref == NULL)
        lc_slot_refuse(handle, __func__);
    else if (ref->kind == LC_SLOT_FUTURE)
        lucio_future_free((lucio_future *)handle);
    else
        lc_embed_let_go(ref);
}

void lc_embed_abandon_refs(struct lucio *h)
{
    while (!lc_list_empty(&h->refs)) {
        struct lc_slot *slot = lc_container_of(lc_list_pop(&h->refs), struct lc_slot, link);

        if (slot->kind == LC_SLOT_FUTURE)
            lc_embed_abandon_future(slot);
        if (lua_checkstack(h->L, 4))
            lc_anchor_drop(h->L, h->host, &slot->anchor);
        slot->anchor = LC_NO_ANCHOR;
    }
}

struct ref_args {
    struct lucio *h;
    struct lc_slot *ref;
    struct lucio_value key, *in, *out;
    const char *name;
    lucio_ref **made;
    size_t length;
};

static int ref_copy(lua_State *L)
{
    struct ref_args *args = lua_touserdata(L, 1);

    lc_embed_push_held(L, args->ref);
    *args->made = lc_embed_ref_new(L, args->h);
    return 0;
}

lucio_ref *lucio_ref_copy(lucio_ref *handle)
{
    lucio_ref *copy = NULL;
    struct ref_args args = {.made = &copy};

    if (lc_embed_enter_ref(handle, &args.ref) != LUCIO_OK)
        return NULL;
    args.h = args.ref->h;
    lc_embed_protect(args.h, ref_copy, &args);
    return copy;
}

const char *lucio_ref_type(lucio_ref *handle)
{
    struct lc_slot *ref;
    const char *name;
    lua_State *L;

    if (lc_embed_enter_ref(handle, &ref) != LUCIO_OK)
        return "closed";
    L = lc_embed_state(ref->h);
    lc_embed_push_held(L, ref);
    name = lc_type_name(L, -1);
    lua_pop(L, 1);
    return name;
}

/* ---- globals and tables ---- */

void lc_embed_give_out(lua_State *L, struct lucio *h, struct lucio_value *value)
{
    *value = lc_embed_to_value(L, h, -1);
    lc_anchor_set(L, h->host, h->scratch);
}

static int get_global(lua_State *L)
{
    struct ref_args *args = lua_touserdata(L, 1);

    lua_pushglobaltable(L);
    lua_pushstring(L, args->name);
    lua_rawget(L, -2);
    lc_embed_give_out(L, args->h, args->out);
    return 0;
}

int lucio_get_global(lucio *h, const char *name, struct lucio_value *value)
{
    struct ref_args args = {.h = h, .name = name, .out = value};
    int status = lc_embed_enter_value(h, lc_embed_enter(h), value);

    return status != LUCIO_OK ? status : lc_embed_protect(h, get_global, &args);
}

static int set_global(lua_State *L)
{
    struct ref_args *args = lua_touserdata(L, 1);

    lua_pushglobaltable(L);
    lua_pushstring(L, args->name);
    lc_embed_push_value(L, args->h, args->in);
    lua_rawset(L, -3);
    return 0;
}

int lucio_set_global(lucio *h, const char *name, struct lucio_value value)
{
    struct ref_args args = {.h = h, .name = name, .in = &value};
    int status = lc_embed_enter(h);

    return status != LUCIO_OK ? status : lc_embed_invalid(lc_embed_protect(h, set_global, &args));
}

static int table_new(lua_State *L)
{
    struct ref_args *args = lua_touserdata(L, 1);

    lua_newtable(L);
    *args->made = lc_embed_ref_new(L, args->h);
    return 0;
}

int lucio_table_new(lucio *h, lucio_ref **table)
{
    struct ref_args args = {.h = h, .made = table};
    int status = lc_embed_enter_out(h, table);

    return status != LUCIO_OK ? status : lc_embed_protect(h, table_new, &args);
}

/* Pushes the table of the arguments. */
static void push_table(lua_State *L, struct ref_args *args)
{
    lc_embed_push_held(L, args->ref);
    if (!lua_istable(L, -1))
        lc_raise(L, args->h->host, LC_TYPE_ERROR, "table expected, got %s", lc_type_name(L, -1));
}

static int get_field(lua_State *L)
{
    struct ref_args *args = lua_touserdata(L, 1);

    push_table(L, args);
    lc_embed_push_value(L, args->h, &args->key);
    lua_rawget(L, -2);
    lc_embed_give_out(L, args->h, args->out);
    return 0;
}

int lucio_get_field(lucio_ref *table, struct lucio_value key, struct lucio_value *value)
{
    struct ref_args args = {.key = key, .out = value};
    int status = lc_embed_enter_ref(table, &args.ref);

    if (status == LUCIO_OK)
        args.h = args.ref->h;
    status = lc_embed_enter_value(args.h, status, value);
    return status != LUCIO_OK ? status
                              : lc_embed_invalid(lc_embed_protect(args.h, get_field, &args));
}

static int set_field(lua_State *L)
{
    struct ref_args *args = lua_touserdata(L, 1);

    push_table(L, args);
    lc_embed_push_value(L, args->h, &args->key);
    if (lua_isnil(L, -1) || (lua_isnumber(L, -1) && lua_tonumber(L, -1) != lua_tonumber(L, -1)))
        lc_raise(L, args->h->host, LC_VALUE_ERROR, "nil and NaN are no keys of a table");
    lc_embed_push_value(L, args->h, args->in);
    lua_rawset(L, -3);
    return 0;
}

int lucio_set_field(lucio_ref *table, struct lucio_value key, struct lucio_value value)
{
    struct ref_args args = {.key = key, .in = &value};
    int status = lc_embed_enter_ref(table, &args.ref);

    if (status == LUCIO_OK)
        args.h = args.ref->h;
    return status != LUCIO_OK ? status
                              : lc_embed_invalid(lc_embed_protect(args.h, set_field, &args));
}

size_t lucio_length(lucio_ref *table)
{
    struct lc_slot *ref;
    size_t length;
    lua_State *L;

    if (lc_embed_enter_ref(table, &ref) != LUCIO_OK)
        return 0;
    L = lc_embed_state(ref->h);
    lc_embed_push_held(L, ref);
    length = (size_t)lua_rawlen(L, -1);
    lua_pop(L, 1);
    return length;
}
