/*
 * shared_bytes: lucio.shared.bytes: bytes that are read and written like a string's, from 1 on.
 */
#include "region.h"

#include <errno.h>
#include <string.h>

#include <lauxlib.h>

#include "core.h"

const struct lc_type lc_shared_bytes_type = {"shared bytes", sizeof(struct lc_shared_object)};

static struct lc_region *check_bytes(lua_State *L, const char *what)
{
    return lc_region_of(lc_shared_check(L, &lc_shared_bytes_type, what));
}

/* A position as string.sub takes them: from the end if negative, 0 and beyond cut. Absent: `absent`. */
static lua_Integer check_position(lua_State *L, int idx, const char *what, lua_Integer size,
                                  lua_Integer absent)
{
    lua_Integer i = lua_isnoneornil(L, idx) ? absent : lc_check_integer(L, idx, what, idx - 1);

    return i < 0 ? (i < -size ? 0 : size + i + 1) : i;
}

/* bytes:sub(from?, to?) -> string */
static int bytes_sub(lua_State *L)
{
    struct lc_region *region = check_bytes(L, "sub");
    lua_Integer size = (lua_Integer)region->head->count;
    lua_Integer from = check_position(L, 2, "sub", size, 1);
    lua_Integer to = check_position(L, 3, "sub", size, -1);

    if (from < 1)
        from = 1;
    if (to > size)
        to = size;
    if (from > to)
        lua_pushliteral(L, "");
    else
        lua_pushlstring(L, region->head->elements + from - 1, (size_t)(to - from + 1));
    return 1;
}

/* bytes:write(position, text) -> position behind it */
static int bytes_write(lua_State *L)
{
    struct lc_region *region = check_bytes(L, "write");
    lua_Integer size = (lua_Integer)region->head->count;
    lua_Integer at = check_position(L, 2, "write", size, 0);
    size_t length;
    const char *text;

    if (lua_type(L, 3) != LUA_TSTRING)
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, "write", 2, "string", 3);
    text = lua_tolstring(L, 3, &length);
    if (at < 1 || at > size + 1 || length > (size_t)(size - at + 1))
        lc_raise(L, lc_host_of(L), LC_LOOKUP_ERROR, "%d bytes at %d do not fit into %d",
                 (int)length, (int)at, (int)size);
    memcpy(region->head->elements + at - 1, text, length);
    lua_pushinteger(L, at + (lua_Integer)length);
    return 1;
}

/* bytes:find(text, from?) -> first and last position, or nil */
static int bytes_find(lua_State *L)
{
    struct lc_region *region = check_bytes(L, "find");
    lua_Integer size = (lua_Integer)region->head->count;
    lua_Integer from = check_position(L, 3, "find", size, 1);
    const char *bytes = region->head->elements, *found;
    size_t length;
    const char *text;

    if (lua_type(L, 2) != LUA_TSTRING)
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, "find", 1, "string", 2);
    text = lua_tolstring(L, 2, &length);
    if (from < 1)
        from = 1;
    if (from > size + 1)
        return 0;
    found = memmem(bytes + from - 1, (size_t)(size - from + 1), text, length);
    if (found == NULL)
        return 0;
    lua_pushinteger(L, found - bytes + 1);
    lua_pushinteger(L, found - bytes + (lua_Integer)length);
    return 2;
}

/* bytes:fill(byte?, from?, to?) */
static int bytes_fill(lua_State *L)
{
    struct lc_region *region = check_bytes(L, "fill");
    lua_Integer size = (lua_Integer)region->head->count;
    lua_Integer byte = lua_isnoneornil(L, 2) ? 0 : lc_check_integer(L, 2, "fill", 1);
    lua_Integer from = check_position(L, 3, "fill", size, 1);
    lua_Integer to = check_position(L, 4, "fill", size, -1);

    if (byte < 0 || byte > 255)
        lc_raise_value(L, lc_host_of(L), "fill", 1, "not in 0..255");
    if (from < 1)
        from = 1;
    if (to > size)
        to = size;
    if (from <= to)
        memset(region->head->elements + from - 1, (int)byte, (size_t)(to - from + 1));
    return 0;
}

/* bytes:get_lock() -> lock */
static int bytes_get_lock(lua_State *L)
{
    lc_shared_push(L, lc_host_of(L), &check_bytes(L, "get_lock")->shared, true);
    return 1;
}

/* bytes[i]; methods come from upvalue 2 */
static int bytes_index(lua_State *L)
{
    struct lc_region *region = check_bytes(L, "index");
    lua_Integer i;

    lua_settop(L, 2);
    if (!lua_isinteger(L, 2)) {
        lua_rawget(L, lua_upvalueindex(2));
        return 1;
    }
    i = lua_tointeger(L, 2);
    if (i < 1 || (lua_Unsigned)i > region->head->count)
        return 0;
    lua_pushinteger(
        L, __atomic_load_n((unsigned char *)region->head->elements + i - 1, __ATOMIC_SEQ_CST));
    return 1;
}

static int bytes_newindex(lua_State *L)
{
    struct lc_region *region = check_bytes(L, "newindex");
    struct lc_host *host = lc_host_of(L);
    lua_Integer i, byte;

    lua_settop(L, 3);
    if (!lua_isinteger(L, 2))
        lc_raise(L, host, LC_TYPE_ERROR, "bytes have no field '%s' that can be set",
                 luaL_tolstring(L, 2, NULL));
    i = lua_tointeger(L, 2);
    if (i < 1 || (lua_Unsigned)i > region->head->count)
        lc_raise(L, host, LC_LOOKUP_ERROR, "index %s is not in 1..%d", luaL_tolstring(L, 2, NULL),
                 (int)region->head->count);
    byte = lc_check_integer(L, 3, "bytes", 1);
    if (byte < 0 || byte > 255)
        lc_raise_value(L, host, "bytes", 1, "not in 0..255");
    __atomic_store_n(region->head->elements + i - 1, (char)byte, __ATOMIC_SEQ_CST);
    return 0;
}

static int bytes_len(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)check_bytes(L, "len")->head->count);
    return 1;
}

static int bytes_tostring(lua_State *L)
{
    lua_pushfstring(L, "<bytes of %d>", (int)check_bytes(L, "tostring")->head->count);
    return 1;
}

/* shared.bytes(n or text) */
static int shared_bytes(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_shared_object *object;
    struct lc_region *region;
    const char *text = NULL;
    size_t size;

    if (lua_type(L, 1) == LUA_TSTRING) {
        text = lua_tolstring(L, 1, &size);
    } else {
        lua_Integer n = lc_check_integer(L, 1, "bytes", 1);

        if (n < 0 || n > LC_REGION_MAX)
            lc_raise_value(L, host, "bytes", 1, "not a length");
        size = (size_t)n;
    }
    object = lc_shared_object_new(L, host, &lc_shared_bytes_type, LC_REF_SHARED_BYTES);
    region = lc_region_new(LC_REGION_BYTES, LC_REGION_U8, size, true);
    if (region == NULL)
        lc_raise_errno(L, host, errno, NULL);
    object->shared = &region->shared;
    lc_shared_charge(L, host, &region->shared, region->size);
    if (text != NULL)
        memcpy(region->head->elements, text, size);
    return 1;
}

void lc_shared_bytes_open(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"sub", bytes_sub},           {"write", bytes_write},
                                       {"find", bytes_find},         {"fill", bytes_fill},
                                       {"get_lock", bytes_get_lock}, {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__gc", lc_shared_gc},
                                           {"__newindex", bytes_newindex},
                                           {"__len", bytes_len},
                                           {"__tostring", bytes_tostring},
                                           {NULL, NULL}};

    lc_new_type(L, host, LC_REF_SHARED_BYTES, "lucio.shared.bytes", methods, metamethods);
    lc_shared_set_index(L, host, LC_REF_SHARED_BYTES, bytes_index);
}

void lc_shared_bytes_add(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg functions[] = {{"bytes", shared_bytes}, {NULL, NULL}};

    lc_set_functions(L, host, functions);
}
