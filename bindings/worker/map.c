#include "map.h"

#include <lauxlib.h>

#include "core.h"
#include "job.h"

struct map {
    struct lc_object object;
    struct lc_loop *loop;
    uint32_t generation;
    bool has_deadline;
    bool waiting; /* a task waits for the chunk at hand */
    double deadline;
    lua_Integer chunks; /* how many */
    lua_Integer chunk;  /* the one at hand; 0: none yet */
    lua_Integer items;  /* in it */
    lua_Integer item;   /* given out of it */
    lua_Integer count;  /* given out in all */
};

static const struct lc_type map_type = {"map", sizeof(struct map)};

/* Nobody wants what is left. [-0, +0, m] */
static void cancel_rest(lua_State *L, struct map *map, int self)
{
    int top = lua_gettop(L);

    self = lua_absindex(L, self);
    if (map->generation != map->loop->generation || map->loop->state == LC_LOOP_CLOSED)
        return;
    lua_getiuservalue(L, self, 1);
    for (; map->chunk < map->chunks; map->chunk++) {
        lua_rawgeti(L, top + 1, map->chunk + 1);
        if (lc_to_future(L, -1) != NULL)
            lc_future_cancel(L, top + 2, 0);
        lua_settop(L, top + 1);
    }
    map->item = map->items = 0;
    lua_settop(L, top);
}

/* ---- making it ---- */

/* Submits the items from..to as one job; adds its future to the list at `futures`. */
static void submit_chunk(lua_State *L, struct lc_loop *loop, struct lc_pool *pool, lua_Integer from,
                         lua_Integer to, int futures)
{
    struct lc_pack_names names = {.what = "map", .first = 1, .item = from};
    int top = lua_gettop(L);

    luaL_checkstack(L, (int)(to - from) + 10, "chunksize is too large");
    lua_pushvalue(L, 2);
    for (lua_Integer i = from; i <= to; i++)
        lua_rawgeti(L, 3, i);
    lc_job_submit(L, loop, pool, top + 1, &names, LC_JOB_EACH);
    lua_rawseti(L, futures, (lua_Integer)lua_rawlen(L, futures) + 1);
    lua_settop(L, top);
}

/* Reads the options at 4. */
static lua_Integer read_options(lua_State *L, struct lc_host *host, struct map *map)
{
    static const char *const names[] = {"chunksize", "timeout", NULL};
    lua_Integer chunksize = 1;

    lc_check_options(L, 4, "map", 3, names);
    if (lua_isnil(L, 4))
        return chunksize;
    if (lua_getfield(L, 4, "chunksize") != LUA_TNIL)
        chunksize = lc_check_integer(L, -1, "map", 3);
    if (chunksize < 1 || chunksize > 100000)
        lc_raise_value(L, host, "map", 3, "chunksize must be in 1..100000");
    if (lua_getfield(L, 4, "timeout") != LUA_TNIL) {
        map->has_deadline = true;
        map->deadline = lc_loop_time(map->loop) + lc_check_seconds(L, -1, "map", 3);
    }
    lua_pop(L, 2);
    return chunksize;
}

/* (nil, function, list, pool, map, futures, n, chunksize): submits all. */
static int submit_all(lua_State *L)
{
    struct lc_pool *pool = lua_touserdata(L, 4);
    struct map *map = lua_touserdata(L, 5);
    lua_Integer n = lua_tointeger(L, 7), chunksize = lua_tointeger(L, 8);

    for (lua_Integer from = 1; from <= n; from += chunksize) {
        lua_Integer to = n - from < chunksize ? n : from + chunksize - 1;

        submit_chunk(L, map->loop, pool, from, to, 6);
        map->chunks++;
    }
    return 0;
}

int lc_map_new(lua_State *L, struct lc_loop *loop, struct lc_pool *pool)
{
    struct lc_host *host = loop->host;
    lua_Integer n, chunksize;
    struct map *map;
    int self = 5;

    if (!lua_istable(L, 3))
        lc_raise_argument(L, host, LC_TYPE_ERROR, "map", 2, "list", 3);
    n = lc_check_list(L, 3, "map", 2);
    map = lc_new_object(L, host, &map_type, LC_REF_MAP, sizeof *map, 2);
    map->loop = loop;
    map->generation = loop->generation;
    chunksize = read_options(L, host, map);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, self, 1);
    lua_pushcfunction(L, submit_all);
    lua_pushnil(L);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 3);
    lua_pushlightuserdata(L, pool);
    lua_pushvalue(L, self);
    lua_pushvalue(L, self + 1);
    lua_pushinteger(L, n);
    lua_pushinteger(L, chunksize);
    if (lua_pcall(L, 8, 0, 0) != LUA_OK) {
        cancel_rest(L, map, self);
        return lua_error(L);
    }
    lua_settop(L, self);
    lua_pushnil(L);
    lua_pushnil(L);
    lua_pushvalue(L, self);
    return 4;
}

/* ---- going through it ---- */

static int next_result(lua_State *L);

/* Gives out the next result of the chunk at hand. */
static int give(lua_State *L, struct map *map)
{
    lua_pushinteger(L, ++map->count);
    lua_getiuservalue(L, 1, 2);
    lua_rawgeti(L, -1, ++map->item);
    lua_replace(L, -2);
    return 2;
}

/* The results of a chunk are above its future, at `at`: n of them. */
static void take_chunk(lua_State *L, struct map *map, int n)
{
    int first = lua_gettop(L) - n + 1;

    lua_createtable(L, n, 0);
    for (int i = 1; i <= n; i++) {
        lua_pushvalue(L, first + i - 1);
        lua_rawseti(L, -2, i);
    }
    lua_setiuservalue(L, 1, 2);
    map->chunk++;
    map->items = n;
    map->item = 0;
    lua_getiuservalue(L, 1, 1);
    lua_pushnil(L);
    lua_rawseti(L, -2, map->chunk);
}

/* The future at 2 is done. */
static int chunk_done(lua_State *L)
{
    struct map *map = lua_touserdata(L, 1);
    int n;

    lua_settop(L, 2);
    if (!lc_future_push_outcome(L, 2, &n)) {
        map->chunk++;
        cancel_rest(L, map, 1);
        return lua_error(L);
    }
    take_chunk(L, map, n);
    lua_settop(L, 1);
    return next_result(L);
}

static int waited_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    ((struct map *)lua_touserdata(L, 1))->waiting = false;
    if (lc_wait_end(L, lc_host_of(L)->current)) {
        cancel_rest(L, lua_touserdata(L, 1), 1);
        return lua_error(L);
    }
    return chunk_done(L);
}

/* After wait_for, under a protected call: its error ends the rest. */
static int limited_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)ctx;
    ((struct map *)lua_touserdata(L, 1))->waiting = false;
    if (status != LUA_YIELD && status != LUA_OK) {
        cancel_rest(L, lua_touserdata(L, 1), 1);
        return lua_error(L);
    }
    return chunk_done(L);
}

/* Waits for the future at 2 until the deadline. */
static int wait_limited(lua_State *L, struct lc_host *host, struct map *map)
{
    double left = map->deadline - lc_loop_time(map->loop);

    lc_host_push_ref(L, host, LC_REF_MODULE);
    lua_getfield(L, -1, "wait_for");
    lua_replace(L, -2);
    lua_pushvalue(L, 2);
    lua_pushnumber(L, left > 0 ? left : 0);
    map->waiting = true;
    return limited_k(L, lua_pcallk(L, 2, 0, 0, 0, limited_k), 0);
}

/* map() -> index, result; nil at the end. May suspend. */
static int next_result(lua_State *L)
{
    struct map *map = lc_check_self(L, &map_type, "map");
    struct lc_host *host = lc_host_of(L);
    struct lc_future *future;
    struct lc_task *task;

    lua_settop(L, 1);
    if (map->item < map->items)
        return give(L, map);
    if (map->chunk >= map->chunks)
        return 0;
    if (host->loop != map->loop || map->generation != map->loop->generation)
        lc_raise(L, host, LC_RUNTIME_ERROR, "map: its event loop is not running");
    if (map->waiting)
        lc_raise(L, host, LC_RUNTIME_ERROR, "map: another task waits for the next result");
    lua_getiuservalue(L, 1, 1);
    lua_rawgeti(L, -1, map->chunk + 1);
    lua_replace(L, 2);
    future = lc_to_future(L, 2);
    if (lc_future_is_done(future))
        return chunk_done(L);
    if (map->has_deadline)
        return wait_limited(L, host, map);
    task = lc_wait_task(L, host, "map");
    map->waiting = true;
    return lc_wait_future(L, task, future, 2, 0, waited_k);
}

static int map_close(lua_State *L)
{
    struct map *map = lc_check_self(L, &map_type, "__close");

    cancel_rest(L, map, 1);
    return 0;
}

void lc_open_map(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg metamethods[] = {
        {"__call", next_result}, {"__close", map_close}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_MAP, "lucio.map", NULL, metamethods);
}
