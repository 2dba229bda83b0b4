/*
 * shared_value: lucio.shared.Value and Array.
 */
#include "region.h"

#include <errno.h>
#include <string.h>

#include <lauxlib.h>

#include "core.h"

const struct lc_type lc_shared_value_type = {"shared memory", sizeof(struct lc_shared_object)};

static bool is_array(const struct lc_region *region)
{
    return region->head->shape == LC_REGION_ARRAY;
}

static struct lc_region *check_self(lua_State *L, const char *what)
{
    return lc_region_of(lc_shared_check(L, &lc_shared_value_type, what));
}

/* ---- elements ---- */

static void push_element(lua_State *L, const struct lc_region *region, size_t i)
{
    const char *elements = region->head->elements;
    int64_t bits;
    double number;

    switch (region->head->kind) {
    case LC_REGION_I64:
        lua_pushinteger(L, __atomic_load_n((const int64_t *)elements + i, __ATOMIC_SEQ_CST));
        break;
    case LC_REGION_F64:
        bits = __atomic_load_n((const int64_t *)elements + i, __ATOMIC_SEQ_CST);
        memcpy(&number, &bits, sizeof number);
        lua_pushnumber(L, number);
        break;
    case LC_REGION_BOOL:
        lua_pushboolean(L, __atomic_load_n(elements + i, __ATOMIC_SEQ_CST));
        break;
    case LC_REGION_U8:
        lua_pushinteger(L, __atomic_load_n((const unsigned char *)elements + i, __ATOMIC_SEQ_CST));
        break;
    case LC_REGION_NONE:
        lua_pushnil(L);
        break;
    }
}

/* The bits of the value at `idx` as an element. Raises TypeError, ValueError. [-0, +0, v] */
static int64_t check_element(lua_State *L, enum lc_region_kind kind, int idx, const char *what,
                             int pos)
{
    lua_Integer integer;
    double number;
    int64_t bits;

    switch (kind) {
    case LC_REGION_F64:
        if (lua_type(L, idx) != LUA_TNUMBER)
            lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, what, pos, "number", idx);
        number = lua_tonumber(L, idx);
        memcpy(&bits, &number, sizeof bits);
        return bits;
    case LC_REGION_BOOL:
        if (lua_type(L, idx) != LUA_TBOOLEAN)
            lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, what, pos, "boolean", idx);
        return lua_toboolean(L, idx);
    case LC_REGION_U8:
        integer = lc_check_integer(L, idx, what, pos);
        if (integer < 0 || integer > 255)
            lc_raise_value(L, lc_host_of(L), what, pos, "not in 0..255");
        return integer;
    default:
        return lc_check_integer(L, idx, what, pos);
    }
}

static void set_element(struct lc_region *region, size_t i, int64_t bits)
{
    char *elements = region->head->elements;

    if (lc_region_element_size(region->head->kind) == 8)
        __atomic_store_n((int64_t *)elements + i, bits, __ATOMIC_SEQ_CST);
    else
        __atomic_store_n(elements + i, (char)bits, __ATOMIC_SEQ_CST);
}

/* ---- methods ---- */

/* The element that a method is for: a Value's; of an Array the one whose index is the first argument,
 * which is taken out. */
static size_t check_place(lua_State *L, struct lc_region *region, const char *what)
{
    lua_Integer i;

    if (!is_array(region))
        return 0;
    i = lc_check_integer(L, 2, what, 1);
    if (i < 1 || (lua_Unsigned)i > region->head->count)
        lc_raise(L, lc_host_of(L), LC_LOOKUP_ERROR, "index %d is not in 1..%d", (int)i,
                 (int)region->head->count);
    lua_remove(L, 2);
    return (size_t)i - 1;
}

static lua_Number add_float(int64_t *element, lua_Number n)
{
    int64_t before = __atomic_load_n(element, __ATOMIC_SEQ_CST), after;
    double sum;

    do {
        memcpy(&sum, &before, sizeof sum);
        sum += n;
        memcpy(&after, &sum, sizeof after);
    } while (!__atomic_compare_exchange_n(element, &before, after, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_SEQ_CST));
    return sum;
}

/* value:add(n?), array:add(i, n?) -> what it is then */
static int shared_add(lua_State *L)
{
    struct lc_region *region = check_self(L, "add");
    size_t place = check_place(L, region, "add");
    int64_t *element = (int64_t *)(void *)region->head->elements + place;
    int pos = is_array(region) ? 2 : 1;

    if (region->head->kind == LC_REGION_F64) {
        double n = lua_isnoneornil(L, 2) ? 1 : lc_check_seconds(L, 2, "add", pos);

        lua_pushnumber(L, add_float(element, n));
    } else if (region->head->kind == LC_REGION_BOOL) {
        lc_raise(L, lc_host_of(L), LC_TYPE_ERROR, "'add' is for numbers");
    } else {
        lua_Integer n = lua_isnoneornil(L, 2) ? 1 : lc_check_integer(L, 2, "add", pos);

        if (region->head->kind == LC_REGION_U8)
            n = __atomic_add_fetch((unsigned char *)region->head->elements + place,
                                   (unsigned char)n, __ATOMIC_SEQ_CST);
        else
            n = (lua_Integer)((uint64_t)n +
                              (uint64_t)__atomic_fetch_add(element, n, __ATOMIC_SEQ_CST));
        lua_pushinteger(L, n);
    }
    return 1;
}

/* value:compare_exchange(expected, new), array:compare_exchange(i, expected, new) -> whether it was the
 * expected one */
static int shared_compare_exchange(lua_State *L)
{
    static const char what[] = "compare_exchange";
    struct lc_region *region = check_self(L, what);
    size_t place = check_place(L, region, what);
    int pos = is_array(region) ? 2 : 1;
    int64_t expected = check_element(L, region->head->kind, 2, what, pos);
    int64_t bits = check_element(L, region->head->kind, 3, what, pos + 1);
    char *elements = region->head->elements, small = (char)expected;
    bool done;

    if (lc_region_element_size(region->head->kind) == 8)
        done = __atomic_compare_exchange_n((int64_t *)(void *)elements + place, &expected, bits,
                                           false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    else
        done = __atomic_compare_exchange_n(elements + place, &small, (char)bits, false,
                                           __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    lua_pushboolean(L, done);
    return 1;
}

/* shared:get_lock() -> lock */
static int shared_get_lock(lua_State *L)
{
    lc_shared_push(L, lc_host_of(L), &check_self(L, "get_lock")->shared, true);
    return 1;
}

/* value.value; array[i]; methods come from upvalue 2 */
static int shared_index(lua_State *L)
{
    struct lc_region *region = check_self(L, "index");
    lua_Integer i;

    lua_settop(L, 2);
    if (is_array(region) && lua_isinteger(L, 2)) {
        i = lua_tointeger(L, 2);
        if (i < 1 || (lua_Unsigned)i > region->head->count)
            return 0;
        push_element(L, region, (size_t)i - 1);
    } else if (!is_array(region) && lua_type(L, 2) == LUA_TSTRING &&
               strcmp(lua_tostring(L, 2), "value") == 0) {
        push_element(L, region, 0);
    } else {
        lua_rawget(L, lua_upvalueindex(2));
    }
    return 1;
}

static int shared_newindex(lua_State *L)
{
    struct lc_region *region = check_self(L, "newindex");
    size_t i = 0;

    lua_settop(L, 3);
    if (is_array(region) && lua_isinteger(L, 2)) {
        if (lua_tointeger(L, 2) < 1 || (lua_Unsigned)lua_tointeger(L, 2) > region->head->count)
            lc_raise(L, lc_host_of(L), LC_LOOKUP_ERROR, "index %s is not in 1..%d",
                     luaL_tolstring(L, 2, NULL), (int)region->head->count);
        i = (size_t)lua_tointeger(L, 2) - 1;
    } else if (is_array(region) || lua_type(L, 2) != LUA_TSTRING ||
               strcmp(lua_tostring(L, 2), "value") != 0) {
        lc_raise(L, lc_host_of(L), LC_TYPE_ERROR, "%s has no field '%s' that can be set",
                 is_array(region) ? "Array" : "Value", luaL_tolstring(L, 2, NULL));
    }
    set_element(region, i,
                check_element(L, region->head->kind, 3, is_array(region) ? "Array" : "value", 1));
    return 0;
}

static int shared_len(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)check_self(L, "len")->head->count);
    return 1;
}

static int shared_tostring(lua_State *L)
{
    static const char *const names[] = {"i64", "f64", "bool", "u8"};
    struct lc_region *region = check_self(L, "tostring");

    if (is_array(region)) {
        lua_pushfstring(L, "<Array %s of %d>", names[region->head->kind], (int)region->head->count);
        return 1;
    }
    push_element(L, region, 0);
    lua_pushfstring(L, "<Value %s %s>", names[region->head->kind], luaL_tolstring(L, -1, NULL));
    return 1;
}

/* ---- making them ---- */

static enum lc_region_kind check_kind(lua_State *L, const char *what)
{
    static const struct {
        const char *name;
        enum lc_region_kind kind;
    } kinds[] = {{"i64", LC_REGION_I64}, {"i", LC_REGION_I64}, {"f64", LC_REGION_F64},
                 {"d", LC_REGION_F64},   {"u8", LC_REGION_U8}, {"bool", LC_REGION_BOOL}};
    const char *name = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : "";

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return kinds[i].kind;
    }
    lc_raise_value(L, lc_host_of(L), what, 1, "'i64', 'f64', 'bool' or 'u8' expected");
}

/* Pushes an object with new memory, all zero. [-0, +1, v] */
static struct lc_region *push_new(lua_State *L, enum lc_region_shape shape,
                                  enum lc_region_kind kind, size_t count)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_shared_object *object =
        lc_shared_object_new(L, host, &lc_shared_value_type, LC_REF_SHARED);
    struct lc_region *region = lc_region_new(shape, kind, count, true);

    if (region == NULL)
        lc_raise_errno(L, host, errno, NULL);
    object->shared = &region->shared;
    lc_shared_charge(L, host, &region->shared, region->size);
    return region;
}

/* shared.Value(type, init?) */
static int shared_value(lua_State *L)
{
    enum lc_region_kind kind = check_kind(L, "Value");
    int64_t bits = 0;

    lua_settop(L, 2);
    if (!lua_isnil(L, 2))
        bits = check_element(L, kind, 2, "Value", 2);
    set_element(push_new(L, LC_REGION_VALUE, kind, 1), 0, bits);
    return 1;
}

/* shared.Array(type, n or list) */
static int shared_array(lua_State *L)
{
    enum lc_region_kind kind = check_kind(L, "Array");
    struct lc_region *region;
    lua_Integer n;

    lua_settop(L, 2);
    if (lua_istable(L, 2))
        n = lc_check_list(L, 2, "Array", 2);
    else
        n = lc_check_integer(L, 2, "Array", 2);
    if (n < 0 || n > LC_REGION_MAX)
        lc_raise_value(L, lc_host_of(L), "Array", 2, "not a length");
    region = push_new(L, LC_REGION_ARRAY, kind, (size_t)n);
    for (lua_Integer i = 1; lua_istable(L, 2) && i <= n; i++) {
        lua_rawgeti(L, 2, i);
        set_element(region, (size_t)i - 1, check_element(L, kind, -1, "Array", 2));
        lua_pop(L, 1);
    }
    return 1;
}

void lc_shared_value_open(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"add", shared_add},
                                       {"compare_exchange", shared_compare_exchange},
                                       {"get_lock", shared_get_lock},
                                       {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__gc", lc_shared_gc},
                                           {"__newindex", shared_newindex},
                                           {"__len", shared_len},
                                           {"__tostring", shared_tostring},
                                           {NULL, NULL}};

    lc_new_type(L, host, LC_REF_SHARED, "lucio.shared", methods, metamethods);
    lc_shared_set_index(L, host, LC_REF_SHARED, shared_index);
}

void lc_shared_value_add(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg functions[] = {
        {"Value", shared_value}, {"Array", shared_array}, {NULL, NULL}};

    lc_set_functions(L, host, functions);
}
