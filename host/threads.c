#include "threads.h"

#include <string.h>

#include <lauxlib.h>

#include "host.h"

/* More idle threads than this are left to the collector (about 18 MB kept). */
#define IDLE_MAX 16384

void lc_threads_open(lua_State *L, struct lc_host *host)
{
    lua_newtable(L);
    host->threads.threads = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_newtable(L);
    host->threads.tasks = luaL_ref(L, LUA_REGISTRYINDEX);
}

void lc_threads_close(struct lc_host *host)
{
    struct lc_threads *t = &host->threads;

    lc_realloc(host, t->idle, t->capacity * sizeof *t->idle, 0);
    lc_realloc(host, t->empty, t->capacity * sizeof *t->empty, 0);
    memset(t, 0, sizeof *t);
}

static void set_slot(lua_State *L, int table, int slot)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, table);
    lua_insert(L, -2);
    lua_rawseti(L, -2, slot);
    lua_pop(L, 1);
}

static void *grow_stack(struct lc_host *host, void *stack, size_t size, size_t capacity,
                        size_t grown)
{
    return lc_realloc(host, stack, capacity * size, grown * size);
}

/* Doubles the number of slots. Both tables get their array part filled first: giving a slot back
 * then allocates nothing. */
static void threads_grow(lua_State *L, struct lc_host *host)
{
    struct lc_threads *t = &host->threads;
    size_t capacity = t->capacity ? t->capacity * 2 : 16;
    struct lc_idle *idle;
    int *empty;

    luaL_checkstack(L, 3, NULL);
    lua_rawgeti(L, LUA_REGISTRYINDEX, t->threads);
    lua_rawgeti(L, LUA_REGISTRYINDEX, t->tasks);
    for (size_t i = t->capacity + 1; i <= capacity; i++) {
        lua_pushboolean(L, 0);
        lua_rawseti(L, -3, (lua_Integer)i);
        lua_pushboolean(L, 0);
        lua_rawseti(L, -2, (lua_Integer)i);
    }
    lua_pop(L, 2);
    idle = grow_stack(host, t->idle, sizeof *idle, t->capacity, capacity);
    if (idle != NULL)
        t->idle = idle;
    empty = grow_stack(host, t->empty, sizeof *empty, t->capacity, capacity);
    if (empty != NULL)
        t->empty = empty;
    if (idle == NULL || empty == NULL) {
        /* a stack that did grow keeps its surplus; shrink it back, which cannot fail */
        if (idle != NULL)
            t->idle = grow_stack(host, idle, sizeof *idle, capacity, t->capacity);
        if (empty != NULL)
            t->empty = grow_stack(host, empty, sizeof *empty, capacity, t->capacity);
        luaL_error(L, "not enough memory");
    }
    for (size_t i = capacity; i > t->capacity; i--)
        t->empty[t->empty_count++] = (int)i;
    t->capacity = capacity;
}

lua_State *lc_thread_take(lua_State *L, struct lc_host *host, int task_idx, int *slot)
{
    struct lc_threads *t = &host->threads;
    lua_State *thread;

    task_idx = lua_absindex(L, task_idx);
    if (t->idle_count > 0) {
        t->idle_count--;
        *slot = t->idle[t->idle_count].slot;
        thread = t->idle[t->idle_count].thread;
    } else {
        if (t->empty_count == 0)
            threads_grow(L, host);
        *slot = t->empty[t->empty_count - 1];
        thread = lua_newthread(L);
        set_slot(L, t->threads, *slot);
        t->empty_count--;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, t->tasks);
    lua_pushvalue(L, task_idx);
    lua_rawseti(L, -2, *slot);
    lua_pop(L, 1);
    return thread;
}

void lc_thread_push_task(lua_State *L, struct lc_host *host, int slot)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, host->threads.tasks);
    lua_rawgeti(L, -1, slot);
    lua_replace(L, -2);
}

void lc_thread_give(lua_State *L, struct lc_host *host, int slot, lua_State *thread)
{
    struct lc_threads *t = &host->threads;

    lua_rawgeti(L, LUA_REGISTRYINDEX, t->tasks);
    lua_pushboolean(L, 0);
    lua_rawseti(L, -2, slot);
    lua_pop(L, 1);
    if (lua_status(thread) == LUA_OK && t->idle_count < IDLE_MAX) {
        lua_settop(thread, 0);
        t->idle[t->idle_count++] = (struct lc_idle){thread, slot};
    } else {
        lua_pushboolean(L, 0);
        set_slot(L, t->threads, slot);
        t->empty[t->empty_count++] = slot;
    }
}
