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
        lc_realloc(host, t->idle, t->capacity * sizeof *t->idle, 0);
        lc_realloc(host, t->empty, t->capacity * sizeof *t->empty, 0);
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

/* Doubles the number of slots. The stacks are as large as they can ever get: giving a slot back
 * allocates nothing, and what is never written to takes no memory. */
static void threads_grow(lua_State *L, struct lc_host *host)
{
    struct lc_threads *t = &host->threads;
    size_t old = t->capacity, capacity = old ? old * 2 : 16;
    struct lc_idle *idle;
    int *empty;

    fill_tables(L, t, capacity);
    empty = lc_realloc(host, NULL, 0, capacity * sizeof *empty);
    if (empty == NULL)
        luaL_error(L, "not enough memory");
    idle = lc_realloc(host, t->idle, old * sizeof *idle, capacity * sizeof *idle);
    if (idle == NULL) {
        lc_realloc(host, empty, capacity * sizeof *empty, 0);
        luaL_error(L, "not enough memory");
    }
    /* slots are added when none is empty: there is nothing to copy */
    lc_realloc(host, t->empty, old * sizeof *empty, 0);
    t->empty = empty;
    t->idle = idle;
    t->capacity = capacity;
}

/* Takes a slot without a thread and makes one for it. */
static lua_State *new_thread(lua_State *L, struct lc_host *host, int *slot)
{
    struct lc_threads *t = &host->threads;
    lua_State *thread;

    if (t->empty_count == 0 && t->used == t->capacity)
        threads_grow(L, host);
    thread = lua_newthread(L);
    *slot = t->empty_count > 0 ? t->empty[--t->empty_count] : (int)++t->used;
    set_slot(L, t->table, *slot);
    lua_gc(L, LUA_GCSTEP, -THREAD_KB);
    return thread;
}

lua_State *lc_thread_take(lua_State *L, struct lc_host *host, int *slot)
{
    struct lc_threads *t = &host->threads;
    lua_State *thread;

    if (t->idle_count > 0) {
        t->idle_count--;
        thread = t->idle[t->idle_count].thread;
        *slot = t->idle[t->idle_count].slot;
    } else {
        thread = new_thread(L, host, slot);
    }
    return thread;
}

lua_State *lc_thread_at(lua_State *L, struct lc_host *host, size_t slot)
{
    lua_State *thread;

    lua_rawgeti(L, LUA_REGISTRYINDEX, host->threads.table);
    lua_rawgeti(L, -1, (lua_Integer)slot);
    thread = lua_tothread(L, -1);
    lua_pop(L, 2);
    return thread;
}

void lc_thread_set_task(lua_State *L, struct lc_host *host, int slot)
{
    set_slot(L, host->threads.tasks, slot);
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
    t->empty[t->empty_count++] = slot;
}

void lc_thread_give(lua_State *L, struct lc_host *host, int slot, lua_State *thread, bool set)
{
    struct lc_threads *t = &host->threads;

    if (set) {
        lua_pushboolean(L, 0);
        set_slot(L, t->tasks, slot);
    }
    if (lua_status(thread) == LUA_OK) {
        lua_settop(thread, 0);
        t->idle[t->idle_count++] = (struct lc_idle){thread, slot};
    } else {
        drop_thread(L, t, slot);
    }
}

void lc_threads_trim(lua_State *L, struct lc_host *host)
{
    struct lc_threads *t = &host->threads;
    size_t surplus = t->idle_count > IDLE_KEPT ? t->idle_count - IDLE_KEPT : 0;

    surplus = surplus / TRIM_DIVIDE;
    while (surplus-- > 0)
        drop_thread(L, t, t->idle[--t->idle_count].slot);
}
