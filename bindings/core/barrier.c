/*
 * barrier: a number of tasks that go on together (SEMANTICS BR), over a condition.
 * wait() in phases, each a continuation: take the condition (wait_acquired); wait until the barrier
 * neither drains nor resets (wait_unblocked); stand in it until it is full (wait_released).
 * Owner: user value 1 is the condition, 2 the table of indices in use.
 */
#include <lauxlib.h>

#include "core.h"

enum barrier_state { BARRIER_FILLING, BARRIER_DRAINING, BARRIER_RESETTING, BARRIER_BROKEN };

struct barrier {
    struct lc_object object;
    lua_Integer parties;
    lua_Integer count; /* tasks inside */
    enum barrier_state state;
};

static const struct lc_type barrier_type = {"Barrier", sizeof(struct barrier)};
static const struct lc_wait_type barrier_wait_type = {"barrier", NULL};

/* Pushes a function with the host as upvalue. */
static void push_function(lua_State *L, lua_CFunction function)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushcclosure(L, function, 1);
}

static void notify_all(lua_State *L)
{
    lua_getiuservalue(L, 1, 1);
    lc_condition_notify(L, lua_gettop(L), LUA_MAXINTEGER);
    lua_pop(L, 1);
}

static void release(lua_State *L)
{
    lua_getiuservalue(L, 1, 1);
    lc_lock_release(lc_condition_lock(L, -1));
    lua_pop(L, 1);
}

static bool must_wait(const struct barrier *barrier, bool inside)
{
    if (inside)
        return barrier->state == BARRIER_FILLING;
    return barrier->state == BARRIER_DRAINING || barrier->state == BARRIER_RESETTING;
}

/* (barrier) waits on the condition; ctx: whether the task counts as inside. */
static int wait_state_k(lua_State *L, int status, lua_KContext inside)
{
    struct barrier *barrier = lua_touserdata(L, 1);

    (void)status;
    while (must_wait(barrier, inside != 0)) {
        lua_settop(L, 1);
        push_function(L, lc_condition_wait);
        lua_getiuservalue(L, 1, 1);
        lua_callk(L, 1, 0, inside, wait_state_k);
    }
    if (barrier->state == BARRIER_BROKEN || (inside && barrier->state == BARRIER_RESETTING))
        lc_raise(L, lc_host_of(L), LC_BROKEN_BARRIER_ERROR, "%s",
                 inside ? "Abort or reset of barrier" : "Barrier aborted");
    return 0;
}

static int wait_outside(lua_State *L)
{
    return wait_state_k(L, LUA_OK, 0);
}

static int wait_inside(lua_State *L)
{
    return wait_state_k(L, LUA_OK, 1);
}

/* The smallest index that no task inside has (BR3). */
static lua_Integer take_index(lua_State *L)
{
    lua_Integer index = 0;

    lua_getiuservalue(L, 1, 2);
    while (lua_rawgeti(L, -1, index) != LUA_TNIL) {
        lua_pop(L, 1);
        index++;
    }
    lua_pop(L, 1);
    lua_pushboolean(L, 1);
    lua_rawseti(L, -2, index);
    lua_pop(L, 1);
    return index;
}

/* Leaves the barrier; the last one out opens it again. */
static void leave(lua_State *L, struct barrier *barrier, lua_Integer index)
{
    lua_getiuservalue(L, 1, 2);
    lua_pushnil(L);
    lua_rawseti(L, -2, index);
    lua_pop(L, 1);
    if (--barrier->count > 0)
        return;
    if (barrier->state == BARRIER_RESETTING || barrier->state == BARRIER_DRAINING)
        barrier->state = BARRIER_FILLING;
    notify_all(L);
}

static int wait_released_k(lua_State *L, int status, lua_KContext index)
{
    leave(L, lua_touserdata(L, 1), (lua_Integer)index);
    release(L);
    if (status != LUA_OK && status != LUA_YIELD)
        return lua_error(L);
    lua_pushinteger(L, (lua_Integer)index);
    return 1;
}

static int wait_unblocked_k(lua_State *L, int status, lua_KContext ctx)
{
    struct barrier *barrier = lua_touserdata(L, 1);
    lua_Integer index;

    (void)ctx;
    if (status != LUA_OK && status != LUA_YIELD) {
        release(L);
        return lua_error(L);
    }
    lua_settop(L, 1);
    index = take_index(L);
    if (++barrier->count == barrier->parties) {
        barrier->state = BARRIER_DRAINING;
        notify_all(L);
        return wait_released_k(L, LUA_OK, (lua_KContext)index);
    }
    push_function(L, wait_inside);
    lua_pushvalue(L, 1);
    status = lua_pcallk(L, 1, 0, 0, (lua_KContext)index, wait_released_k);
    return wait_released_k(L, status, (lua_KContext)index);
}

static int wait_acquired_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)ctx;
    lua_settop(L, 1);
    push_function(L, wait_outside);
    lua_pushvalue(L, 1);
    status = lua_pcallk(L, 1, 0, 0, 0, wait_unblocked_k);
    return wait_unblocked_k(L, status, 0);
}

/* barrier:wait() -> index. May suspend. */
static int barrier_wait(lua_State *L)
{
    lc_check_self(L, &barrier_type, "wait");
    lc_wait_task(L, lc_host_of(L), "Barrier:wait");
    lua_settop(L, 1);
    push_function(L, lc_condition_acquire);
    lua_getiuservalue(L, 1, 1);
    lua_callk(L, 1, 0, 0, wait_acquired_k);
    return wait_acquired_k(L, LUA_OK, 0);
}

/* reset (ctx 0) or abort (ctx 1), the condition being held */
static int change_k(lua_State *L, int status, lua_KContext abort)
{
    struct barrier *barrier = lua_touserdata(L, 1);

    (void)status;
    lua_settop(L, 1);
    if (abort)
        barrier->state = BARRIER_BROKEN;
    else if (barrier->count > 0)
        barrier->state = BARRIER_RESETTING;
    else
        barrier->state = BARRIER_FILLING;
    notify_all(L);
    release(L);
    return 0;
}

static int change(lua_State *L, const char *what, lua_KContext abort)
{
    lc_check_self(L, &barrier_type, what);
    lua_settop(L, 1);
    push_function(L, lc_condition_acquire);
    lua_getiuservalue(L, 1, 1);
    lua_callk(L, 1, 0, abort, change_k);
    return change_k(L, LUA_OK, abort);
}

/* barrier:reset(). May suspend. */
static int barrier_reset(lua_State *L)
{
    return change(L, "reset", 0);
}

/* barrier:abort(). May suspend. */
static int barrier_abort(lua_State *L)
{
    return change(L, "abort", 1);
}

/* Fields: parties, n_waiting, broken; methods from the table in upvalue 2. */
static int barrier_index(lua_State *L)
{
    struct barrier *barrier = lc_check_self(L, &barrier_type, "index");
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";

    if (key[0] == 'p' && lua_compare(L, 2, lua_upvalueindex(3), LUA_OPEQ)) {
        lua_pushinteger(L, barrier->parties);
    } else if (key[0] == 'n' && lua_compare(L, 2, lua_upvalueindex(4), LUA_OPEQ)) {
        lua_pushinteger(L, barrier->state == BARRIER_FILLING ? barrier->count : 0);
    } else if (key[0] == 'b' && lua_compare(L, 2, lua_upvalueindex(5), LUA_OPEQ)) {
        lua_pushboolean(L, barrier->state == BARRIER_BROKEN);
    } else {
        lua_settop(L, 2);
        lua_rawget(L, lua_upvalueindex(2));
    }
    return 1;
}

static int barrier_tostring(lua_State *L)
{
    static const char *const names[] = {"filling", "draining", "resetting", "broken"};
    struct barrier *barrier = lc_check_self(L, &barrier_type, "tostring");

    lua_pushfstring(L, "<Barrier [%s, waiters:%d/%d]>", names[barrier->state],
                    (int)(barrier->state == BARRIER_FILLING ? barrier->count : 0),
                    (int)barrier->parties);
    return 1;
}

/* lucio.Barrier(parties) */
static int lucio_barrier(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    lua_Integer parties = lc_check_integer(L, 1, "Barrier", 1);
    struct barrier *barrier;

    if (parties < 1)
        lc_raise_value(L, host, "Barrier", 1, "parties must be >= 1");
    barrier = lc_new_object(L, host, &barrier_type, LC_REF_BARRIER, sizeof *barrier, 2);
    barrier->parties = parties;
    push_function(L, lc_condition_new);
    lua_call(L, 0, 1);
    lc_condition_set_wait_type(L, -1, &barrier_wait_type);
    lua_setiuservalue(L, -2, 1);
    lua_newtable(L);
    lua_setiuservalue(L, -2, 2);
    return 1;
}

void lc_open_barrier(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {
        {"wait", barrier_wait}, {"reset", barrier_reset}, {"abort", barrier_abort}, {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__tostring", barrier_tostring}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"Barrier", lucio_barrier}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_BARRIER, "lucio.Barrier", methods, metamethods);
    lc_host_push_ref(L, host, LC_REF_BARRIER);
    lua_pushlightuserdata(L, host);
    lua_getfield(L, -2, "__index");
    lua_pushliteral(L, "parties");
    lua_pushliteral(L, "n_waiting");
    lua_pushliteral(L, "broken");
    lua_pushcclosure(L, barrier_index, 5);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lc_set_functions(L, host, functions);
}
