/*
 * require: the top level of a module, and a searcher, may wait. While a task loads a module, others that
 * require it wait for that; when the load fails, the first of them tries again.
 * Invariant: a load that is under way is in the table of LC_REF_LOADING under its module's name.
 * Owner:     the frame of the require that loads holds the load as a to-be-closed value; the table is
 *            weak, so that the collector ends the load of a coroutine that nobody resumes any more.
 */
#include <lauxlib.h>

#include "error.h"
#include "standard.h"
#include "task.h"
#include "waiter.h"

/* Lua's require has the package table as its only upvalue, and finds it here too. */
enum { UP_PACKAGE = 1, UP_HOST, UP_ORIGINAL };

/* The stack of a call. */
enum slot { NAME = 1, LOADED, LOAD, SEARCHERS, MESSAGE };

/* The longest chain of tasks that is searched for a circle. */
#define CHAIN_MAX 1000

struct load {
    struct lc_object object;
    struct lc_link waiters; /* of tasks that require the module too */
    struct lc_task *task;   /* that loads it: user value 2; user value 1 is the name */
};

static const struct lc_type load_type = {"Load", sizeof(struct load)};

static const struct lc_wait_type require_wait = {"require", NULL};

static struct lc_host *host_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(UP_HOST));
}

/* Pushes the load of the module whose name is at `idx`, or nil. [-0, +1, -] */
static struct load *push_load(lua_State *L, struct lc_host *host, int idx)
{
    idx = lua_absindex(L, idx);
    lc_host_push_ref(L, host, LC_REF_LOADING);
    lua_pushvalue(L, idx);
    lua_rawget(L, -2);
    lua_replace(L, -2);
    return lc_to_object(L, -1, &load_type);
}

/* __close and __gc of a load: it has ended, well or not. */
static int load_end(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct load *load = lc_to_object(L, 1, &load_type);

    if (load == NULL || host->closed)
        return 0;
    while (!lc_list_empty(&load->waiters))
        lc_waiter_wake(lc_waiter_of(lc_list_pop(&load->waiters)));
    lua_settop(L, 1);
    lua_getiuservalue(L, 1, 1);
    if (push_load(L, host, 2) == load) {
        lc_host_push_ref(L, host, LC_REF_LOADING);
        lua_pushvalue(L, 2);
        lua_pushnil(L);
        lua_rawset(L, -3);
    }
    return 0;
}

/* Begins a load by the running task in the slot on top. */
static void load_begin(lua_State *L, struct lc_host *host)
{
    struct load *load = lc_new_object(L, host, &load_type, LC_REF_LOAD, sizeof *load, 2);

    lc_list_init(&load->waiters);
    load->task = host->current;
    lc_task_push(L, host->current);
    lua_setiuservalue(L, LOAD, 2);
    lua_pushvalue(L, NAME);
    lua_setiuservalue(L, LOAD, 1);
    lc_host_push_ref(L, host, LC_REF_LOADING);
    lua_pushvalue(L, NAME);
    lua_pushvalue(L, LOAD);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    lua_toclose(L, LOAD);
}

/* Whether `task`, which loads a module, waits in the end for the running task. */
static bool is_circle(lua_State *L, struct lc_host *host, struct lc_task *task)
{
    for (int n = 0; n < CHAIN_MAX && task != NULL; n++) {
        struct lc_task *next = NULL;

        if (task == host->current)
            return true;
        if (!lc_waiter_is_pending(&task->waiter))
            return false;
        if (task->waiter.type == &require_wait) {
            struct load *load;

            lc_waiter_push_object(L, &task->waiter);
            load = push_load(L, host, -1);
            next = load != NULL ? load->task : NULL;
            lua_pop(L, 2);
        } else if (task->waiter.type == &lc_wait_future_type) {
            struct lc_future *future = lc_waiter_object(&task->waiter);

            if (future->object.type == &lc_task_type && !lc_future_is_done(future))
                next = (struct lc_task *)future;
        }
        task = next;
    }
    return false;
}

/* ---- searching and loading ---- */

static int loaded_k(lua_State *L, int status, lua_KContext ctx)
{
    const char *name = lua_tostring(L, NAME);

    (void)status;
    (void)ctx;
    /* the stack ends with: the searcher's second result, the loader's result */
    if (!lua_isnil(L, -1))
        lua_setfield(L, LOADED, name);
    else
        lua_pop(L, 1);
    if (lua_getfield(L, LOADED, name) == LUA_TNIL) {
        lua_pushboolean(L, 1);
        lua_copy(L, -1, -2);
        lua_setfield(L, LOADED, name);
    }
    lua_rotate(L, -2, 1);
    return 2;
}

/* The stack ends with a loader and what its searcher says besides. */
static int run_loader(lua_State *L)
{
    lua_rotate(L, -2, 1);
    lua_pushvalue(L, NAME);
    lua_pushvalue(L, -3);
    lua_callk(L, 2, 1, 0, loaded_k);
    return loaded_k(L, LUA_OK, 0);
}

/* What a searcher returned is on top: true if it has found a loader. */
static bool has_found(lua_State *L)
{
    if (lua_isfunction(L, -2))
        return true;
    if (lua_isstring(L, -2)) {
        lua_pop(L, 1);
        lua_pushvalue(L, MESSAGE);
        lua_pushliteral(L, "\n\t");
        lua_rotate(L, -3, 2);
        lua_concat(L, 3);
        lua_replace(L, MESSAGE);
    }
    lua_settop(L, MESSAGE);
    return false;
}

static int searched_k(lua_State *L, int status, lua_KContext i);

/* Asks the searchers from the i-th on. */
static int search_from(lua_State *L, lua_Integer i)
{
    const char *name = lua_tostring(L, NAME);

    for (;; i++) {
        if (lua_rawgeti(L, SEARCHERS, i) == LUA_TNIL)
            luaL_error(L, "module '%s' not found:%s", name, lua_tostring(L, MESSAGE));
        lua_pushstring(L, name);
        lua_callk(L, 1, 2, (lua_KContext)i, searched_k);
        if (has_found(L))
            return run_loader(L);
    }
}

static int searched_k(lua_State *L, int status, lua_KContext i)
{
    (void)status;
    return has_found(L) ? run_loader(L) : search_from(L, (lua_Integer)i + 1);
}

/* ---- require ---- */

static int waited_k(lua_State *L, int status, lua_KContext ctx);

/* The module is not loaded. Stack: its name, the table of loaded ones. */
static int require_on(lua_State *L, struct lc_host *host)
{
    struct load *load = push_load(L, host, NAME);
    struct lc_task *task = host->current;

    lua_pop(L, 1);
    if (load != NULL && load->task != task && !lc_future_is_done(&load->task->future)) {
        lc_wait_task(L, host, "require");
        if (is_circle(L, host, load->task))
            lc_raise(L, host, LC_RUNTIME_ERROR,
                     "require: the task that loads module '%s' waits for this one",
                     lua_tostring(L, NAME));
        lc_wait_begin(L, task, &require_wait, NAME);
        lc_list_append(&load->waiters, &task->waiter.link);
        return lc_wait_yield(L, task, 0, waited_k);
    }
    if (load == NULL)
        load_begin(L, host);
    else
        lua_pushnil(L); /* a circle within the task: what happens then is Lua's */
    if (lua_getfield(L, lua_upvalueindex(UP_PACKAGE), "searchers") != LUA_TTABLE)
        luaL_error(L, "'package.searchers' must be a table");
    lua_pushliteral(L, "");
    return search_from(L, 1);
}

/* Another task's load has ended. */
static int waited_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_host *host = host_of(L);
    struct lc_task *task = host->current;
    bool failed = lc_wait_end(L, task);

    (void)status;
    (void)ctx;
    lc_list_unlink(&task->waiter.link);
    if (failed)
        return lua_error(L);
    lua_getfield(L, LOADED, lua_tostring(L, NAME));
    if (lua_toboolean(L, -1))
        return 1;
    lua_pop(L, 1);
    return require_on(L, host);
}

/* require(name) -> value, what the searcher says */
static int standard_require(lua_State *L)
{
    struct lc_host *host = host_of(L);

    if (!lc_standard_may_wait(L, host) || !lua_isstring(L, NAME))
        return lua_tocfunction(L, lua_upvalueindex(UP_ORIGINAL))(L);
    lua_settop(L, NAME);
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, LOADED, lua_tostring(L, NAME));
    if (lua_toboolean(L, -1))
        return 1;
    lua_pop(L, 1);
    return require_on(L, host);
}

void lc_open_require(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg metamethods[] = {{"__close", load_end}, {"__gc", load_end}, {NULL, NULL}};
    int top = lua_gettop(L);

    if (lua_getfield(L, -1, "require") != LUA_TFUNCTION || !lua_iscfunction(L, -1) ||
        lua_getupvalue(L, -1, 2) != NULL || lua_getupvalue(L, -1, 1) == NULL) {
        lua_settop(L, top);
        return;
    }
    lc_new_type(L, host, LC_REF_LOAD, "lucio.Load", NULL, metamethods);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lc_host_set_ref(L, host, LC_REF_LOADING);
    lua_pushlightuserdata(L, host);
    lua_pushvalue(L, -3);
    lua_pushcclosure(L, standard_require, 3);
    lc_wait_mark_passable(L, host);
    lua_setfield(L, -3, "require");
    lua_pop(L, 1);
}
