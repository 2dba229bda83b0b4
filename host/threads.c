#include "threads.h"

#include <string.h>

#include <lauxlib.h>

#include "host.h"

/* As many idle threads are kept for good (about 4.5 MB); of more, this part goes each time. */
#define IDLE_KEPT   4096
#define TRIM_DIVIDE 8

/* Kilobytes of Lua's heap that a thread takes. The collector is told not to count them: threads are
 * pooled, no garbage, and would make it run for nothing. */
#define THREAD_KB 1

void lc_threads_open(lua_State *L, struct lc_host *host)
{
    lua_newtable(L);
    host->threads.table = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_newtable(L);
    host->threads.tasks = luaL_ref(L, LUA_REGISTRYINDEX);
}

void lc_threads_close(struct lc_host *host)
{
    struct lc_threads *t = &host->threads;

    if (t->capacity > 0) {
        lc_realloc(host, t->slot, (t->capacity + 1) * sizeof *t->slot, 0);
        lc_realloc(host, t->free, t->capacity * sizeof *t->free, 0);
    }
    memset(t, 0, sizeof *t);
}

static void set_slot(lua_State *L, int table, int slot)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, table);
    lua_insert(L, -2);
    lua_rawseti(L, -2, slot);
    lua_pop(L, 1);
}

/* Fills the new slots of both tables: setting one later then allocates nothing. */
static void fill_tables(lua_State *L, struct lc_threads *t, size_t capacity)
{
    luaL_checkstack(L, 3, NULL);
    lua_rawgeti(L, LUA_REGISTRYINDEX, t->table);
    lua_rawgeti(L, LUA_REGISTRYINDEX, t->tasks);
    for (size_t i = t->capacity + 1; i <= capacity; i++) {
        lua_pushboolean(L, 0);
        lua_rawseti(L, -3, (lua_Integer)i);
        lua_pushboolean(L, 0);
        lua_rawseti(L, -2, (lua_Integer)i);
    }
    lua_pop(L, 2);
}

/* Doubles the number of slots; all are in use. */
static void threads_grow(lua_State *L, struct lc_host *host)
{
    struct lc_threads *t = &host->threads;
    size_t old = t->capacity, capacity = old ? old * 2 : 16;
    lua_State **slot;
    int *stack;

    fill_tables(L, t, capacity);
    stack = lc_realloc(host, NULL, 0, capacity * sizeof *stack);
    if (stack == NULL)
        luaL_error(L, "not enough memory");
    slot = lc_realloc(host, t->slot, old ? (old + 1) * sizeof *slot : 0,
                      (capacity + 1) * sizeof *slot);
    if (slot == NULL) {
        lc_realloc(host, stack, capacity * sizeof *stack, 0);
        luaL_error(L, "not enough memory");
    }
    lc_realloc(host, t->free, old * sizeof *t->free, 0);
    t->free = stack;
    t->slot = slot;
    t->capacity = capacity;
    for (size_t i = capacity; i > old; i--) {
        slot[i] = NULL;
        stack[capacity - ++t->empty] = (int)i;
    }
}

lua_State *lc_thread_take(lua_State *L, struct lc_host *host, int task_idx, int *slot)
{
    struct lc_threads *t = &host->threads;

    if (t->idle > 0) {
        *slot = t->free[--t->idle];
    } else {
        lua_State *thread;

        if (t->empty == 0)
            threads_grow(L, host);
        *slot = t->free[t->capacity - t->empty];
        thread = lua_newthread(L);
        set_slot(L, t->table, *slot);
        t->slot[*slot] = thread;
        t->empty--;
        lua_gc(L, LUA_GCSTEP, -THREAD_KB);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, t->tasks);
    lua_pushvalue(L, task_idx);
    lua_rawseti(L, -2, *slot);
    lua_pop(L, 1);
    return t->slot[*slot];
}

void lc_thread_push_task(lua_State *L, struct lc_host *host, int slot)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, host->threads.tasks);
    lua_rawgeti(L, -1, slot);
    lua_replace(L, -2);
}

/* Leaves the slot's thread to the collector. */
static void drop_thread(lua_State *L, struct lc_threads *t, int slot)
{
    lua_pushboolean(L, 0);
    set_slot(L, t->table, slot);
    t->slot[slot] = NULL;
    t->free[t->capacity - ++t->empty] = slot;
}

void lc_thread_give(lua_State *L, struct lc_host *host, int slot, lua_State *thread)
{
    struct lc_threads *t = &host->threads;

    lua_rawgeti(L, LUA_REGISTRYINDEX, t->tasks);
    lua_pushboolean(L, 0);
    lua_rawseti(L, -2, slot);
    lua_pop(L, 1);
    if (lua_status(thread) == LUA_OK) {
        lua_settop(thread, 0);
        t->free[t->idle++] = slot;
    } else {
        drop_thread(L, t, slot);
    }
}

void lc_threads_trim(lua_State *L, struct lc_host *host)
{
    struct lc_threads *t = &host->threads;
    size_t surplus = t->idle > IDLE_KEPT ? t->idle - IDLE_KEPT : 0;

    surplus = surplus / TRIM_DIVIDE;
    while (surplus-- > 0)
        drop_thread(L, t, t->free[--t->idle]);
}
