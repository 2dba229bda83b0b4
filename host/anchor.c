#include "anchor.h"

#include <string.h>

#include <lauxlib.h>

#include "host.h"

void lc_anchors_open(lua_State *L, struct lc_host *host)
{
    lua_newtable(L);
    host->anchors.table = luaL_ref(L, LUA_REGISTRYINDEX);
}

void lc_anchors_close(struct lc_host *host)
{
    struct lc_anchors *a = &host->anchors;

    lc_realloc(host, a->free, a->capacity * sizeof *a->free, 0);
    memset(a, 0, sizeof *a);
}

/* Doubles the number of slots; each new slot is filled, in the weak table by the same number too, so
 * that setting it allocates nothing. */
static void anchors_grow(lua_State *L, struct lc_host *host)
{
    struct lc_anchors *a = &host->anchors;
    size_t capacity = a->capacity ? a->capacity * 2 : 16;
    int *grown;

    luaL_checkstack(L, 3, NULL);
    lua_rawgeti(L, LUA_REGISTRYINDEX, a->table);
    lc_host_push_ref(L, host, LC_REF_WEAK);
    for (size_t i = a->capacity + 1; i <= capacity; i++) {
        lua_pushboolean(L, 0);
        lua_rawseti(L, -3, (lua_Integer)i);
        lua_pushboolean(L, 0);
        lua_rawseti(L, -2, (lua_Integer)i);
    }
    lua_pop(L, 2);
    grown = lc_realloc(host, a->free, a->capacity * sizeof *a->free, capacity * sizeof *a->free);
    if (grown == NULL)
        luaL_error(L, "not enough memory");
    for (size_t i = capacity; i > a->capacity; i--)
        grown[a->free_count++] = (int)i;
    a->free = grown;
    a->capacity = capacity;
}

int lc_anchor_reserve(lua_State *L, struct lc_host *host)
{
    struct lc_anchors *a = &host->anchors;

    if (a->free_count == 0)
        anchors_grow(L, host);
    a->held++;
    return a->free[--a->free_count];
}

void lc_anchor_set(lua_State *L, struct lc_host *host, int slot)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, host->anchors.table);
    lua_insert(L, -2);
    lua_rawseti(L, -2, slot);
    lua_pop(L, 1);
}

int lc_anchor(lua_State *L, struct lc_host *host)
{
    int slot = lc_anchor_reserve(L, host);

    lc_anchor_set(L, host, slot);
    return slot;
}

void lc_anchor_push(lua_State *L, struct lc_host *host, int slot)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, host->anchors.table);
    lua_rawgeti(L, -1, slot);
    lua_replace(L, -2);
}

void lc_anchor_drop(lua_State *L, struct lc_host *host, int *slot)
{
    struct lc_anchors *a = &host->anchors;

    if (*slot == LC_NO_ANCHOR || host->closed) {
        *slot = LC_NO_ANCHOR;
        return;
    }
    lua_pushboolean(L, 0);
    lc_anchor_set(L, host, *slot);
    a->free[a->free_count++] = *slot;
    a->held--;
    *slot = LC_NO_ANCHOR;
}
