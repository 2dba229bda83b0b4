#include "context.h"

#include <lauxlib.h>

#include "args.h"
#include "task.h"
#include "traceback.h"

struct context {
    struct lc_object object;
    bool entered;
};

struct context_var {
    struct lc_object object;
    bool has_default;
};

/* User values: 1 the variable, 2 the context, 3 the old value. */
struct token {
    struct lc_object object;
    bool used;
    bool had_value;
};

static const struct lc_type context_type = {"Context", sizeof(struct context)};
static const struct lc_type context_var_type = {"ContextVar", sizeof(struct context_var)};
static const struct lc_type token_type = {"Token", sizeof(struct token)};

/* Stands for nil in a map. */
static char nil_value;

static void push_stored(lua_State *L, int idx)
{
    if (lua_isnil(L, idx))
        lua_pushlightuserdata(L, &nil_value);
    else
        lua_pushvalue(L, idx);
}

static void unstore_top(lua_State *L)
{
    if (lua_touserdata(L, -1) == &nil_value) {
        lua_pop(L, 1);
        lua_pushnil(L);
    }
}

/* Pushes the context of the code that runs, or nil when there is none yet. */
static void push_current(lua_State *L, struct lc_host *host)
{
    if (host->current != NULL) {
        if (!host->current->has_context) {
            lua_pushnil(L);
            return;
        }
        lc_task_push(L, host->current);
        lc_future_push_extra(L, -1, LC_EXTRA_CONTEXT);
        lua_replace(L, -2);
    } else if (host->loop != NULL) {
        if (host->callback_context == LC_NO_ANCHOR)
            lua_pushnil(L);
        else
            lc_anchor_push(L, host, host->callback_context);
    } else if (host->base_context == LC_NO_ANCHOR) {
        lua_pushnil(L);
    } else {
        lc_anchor_push(L, host, host->base_context);
    }
}

/* Makes the context on top, or nil, the one of the code that runs. [-1, +0, m] */
static void set_current(lua_State *L, struct lc_host *host)
{
    int *slot = host->loop != NULL ? &host->callback_context : &host->base_context;

    if (host->current != NULL) {
        host->current->has_context = !lua_isnil(L, -1);
        lc_task_push(L, host->current);
        lua_insert(L, -2);
        lc_future_set_extra(L, -2, LC_EXTRA_CONTEXT);
        lua_pop(L, 1);
        return;
    }
    if (*slot == LC_NO_ANCHOR)
        *slot = lc_anchor_reserve(L, host);
    lc_anchor_set(L, host, *slot);
}

/* New context with the map on top (nil: empty). [-1, +1, m] */
static void context_new(lua_State *L, struct lc_host *host)
{
    lc_new_object(L, host, &context_type, LC_REF_CONTEXT, sizeof(struct context), 1);
    lua_insert(L, -2);
    lua_setiuservalue(L, -2, 1);
}

void lc_context_push_empty(lua_State *L, struct lc_host *host)
{
    lua_pushnil(L);
    context_new(L, host);
}

/* Pushes the current context, made if there is none yet. */
static void push_current_made(lua_State *L, struct lc_host *host)
{
    push_current(L, host);
    if (!lua_isnil(L, -1))
        return;
    context_new(L, host);
    lua_pushvalue(L, -1);
    set_current(L, host);
}

void lc_context_push_copy(lua_State *L, struct lc_host *host)
{
    luaL_checkstack(L, 6, NULL);
    push_current(L, host);
    if (lua_isnil(L, -1))
        return;
    lua_getiuservalue(L, -1, 1);
    lua_replace(L, -2);
    if (!lua_isnil(L, -1))
        context_new(L, host);
}

bool lc_context_push_for_task(lua_State *L, struct lc_host *host, int idx)
{
    if (idx == 0 && host->current != NULL && !host->current->has_context)
        return false;
    if (idx != 0)
        lua_pushvalue(L, idx);
    else
        lc_context_push_copy(L, host);
    if (!lua_isnil(L, -1))
        return true;
    lua_pop(L, 1);
    return false;
}

void lc_context_check(lua_State *L, struct lc_host *host, int idx, const char *what, int pos)
{
    if (!lua_isnoneornil(L, idx) && lc_to_object(L, idx, &context_type) == NULL)
        lc_raise_argument(L, host, LC_TYPE_ERROR, what, pos, "Context", idx);
}

void lc_context_check_option(lua_State *L, struct lc_host *host, int idx, const char *what, int pos)
{
    static const char *const names[] = {"context", NULL};

    lc_check_options(L, idx, what, pos, names);
    if (lua_isnoneornil(L, idx))
        return;
    lua_getfield(L, idx, "context");
    lc_context_check(L, host, -1, what, pos);
    lua_pop(L, 1);
}

void lc_context_push_copy_or(lua_State *L, struct lc_host *host, int options)
{
    if (options != 0 && lua_type(L, options) == LUA_TTABLE &&
        lua_getfield(L, options, "context") != LUA_TNIL)
        return;
    lc_context_push_copy(L, host);
}

void lc_context_push_runner(lua_State *L, struct lc_host *host, int idx)
{
    if (lua_getiuservalue(L, idx, 2) != LUA_TNIL)
        return;
    lua_pop(L, 1);
    lc_context_push_copy(L, host);
    if (lua_isnil(L, -1))
        context_new(L, host);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, idx, 2);
}

void lc_callback_call_begin(lua_State *L, struct lc_host *host)
{
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    host->callback_context = lc_anchor(L, host);
}

void lc_callback_call_end(lua_State *L, struct lc_host *host)
{
    if (host->callback_context != LC_NO_ANCHOR)
        lc_anchor_drop(L, host, &host->callback_context);
}

/* ---- Lua: variables ---- */

void lc_context_var_new(lua_State *L, struct lc_host *host, bool has_default)
{
    int name = lua_gettop(L) - has_default;
    struct context_var *var;

    var = lc_new_object(L, host, &context_var_type, LC_REF_CONTEXT_VAR, sizeof *var, 2);
    lua_pushvalue(L, name);
    lua_setiuservalue(L, -2, 1);
    if (has_default) {
        lua_pushvalue(L, name + 1);
        lua_setiuservalue(L, -2, 2);
    }
    var->has_default = has_default;
    lua_replace(L, name);
    lua_settop(L, name);
}

bool lc_context_var_push(lua_State *L, int idx, bool *has_default)
{
    struct context_var *var = lc_to_object(L, idx, &context_var_type);

    if (var == NULL)
        return false;
    idx = lua_absindex(L, idx);
    lua_getiuservalue(L, idx, 1);
    lua_getiuservalue(L, idx, 2);
    *has_default = var->has_default;
    return true;
}

/* lucio.ContextVar(name, default?) */
static int lucio_context_var(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    bool has_default = lua_gettop(L) >= 2;

    if (lua_type(L, 1) != LUA_TSTRING)
        lc_raise_argument(L, host, LC_TYPE_ERROR, "ContextVar", 1, "string", 1);
    lua_settop(L, 1 + has_default);
    lc_context_var_new(L, host, has_default);
    return 1;
}

/* Pushes the stored value of the variable at `var` in the context at `ctx`; nil: it has none. */
static void push_value(lua_State *L, int ctx, int var)
{
    if (lua_isnil(L, ctx) || lua_getiuservalue(L, ctx, 1) != LUA_TTABLE) {
        lua_pushnil(L);
        return;
    }
    lua_pushvalue(L, var);
    lua_rawget(L, -2);
}

/* var:get(default?) */
static int var_get(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct context_var *var = lc_check_self(L, &context_var_type, "get");
    int n = lua_gettop(L);

    push_current(L, host);
    push_value(L, lua_gettop(L), 1);
    if (!lua_isnil(L, -1)) {
        unstore_top(L);
        return 1;
    }
    if (n >= 2) {
        lua_pushvalue(L, 2);
        return 1;
    }
    if (!var->has_default) {
        lua_getiuservalue(L, 1, 1);
        lc_raise(L, host, LC_LOOKUP_ERROR, "context variable '%s' has no value",
                 lua_tostring(L, -1));
    }
    lua_getiuservalue(L, 1, 2);
    return 1;
}

/* Replaces the context's map by a copy in which the variable has the stored value on top (nil: it
 * has none). [-1, +0, m] */
static void context_put(lua_State *L, int ctx, int var)
{
    int value = lua_gettop(L), map;

    lua_newtable(L);
    map = lua_gettop(L);
    if (lua_getiuservalue(L, ctx, 1) == LUA_TTABLE) {
        lua_pushnil(L);
        while (lua_next(L, map + 1) != 0) {
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_rawset(L, map);
        }
    }
    lua_settop(L, map);
    lua_pushvalue(L, var);
    lua_pushvalue(L, value);
    lua_rawset(L, map);
    lua_setiuservalue(L, ctx, 1);
    lua_settop(L, value - 1);
}

void lc_context_var_set(lua_State *L, struct lc_host *host)
{
    int var = lua_gettop(L) - 1;

    push_current_made(L, host);
    push_stored(L, var + 1);
    context_put(L, var + 2, var);
    lua_settop(L, var - 1);
}

void lc_context_push_map(lua_State *L, struct lc_host *host)
{
    push_current(L, host);
    if (lua_isnil(L, -1))
        return;
    lua_getiuservalue(L, -1, 1);
    lua_replace(L, -2);
}

void lc_context_unstore(lua_State *L)
{
    unstore_top(L);
}

void lc_context_clear(lua_State *L, struct lc_host *host)
{
    if (host->base_context != LC_NO_ANCHOR)
        lc_anchor_drop(L, host, &host->base_context);
}

/* var:set(value) -> token */
static int var_set(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct token *token;

    lc_check_self(L, &context_var_type, "set");
    lua_settop(L, 2);
    push_current_made(L, host);                                                  /* 3 */
    token = lc_new_object(L, host, &token_type, LC_REF_TOKEN, sizeof *token, 3); /* 4 */
    push_value(L, 3, 1);
    token->had_value = !lua_isnil(L, -1);
    lua_setiuservalue(L, 4, 3);
    lua_settop(L, 4);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, 4, 1);
    lua_pushvalue(L, 3);
    lua_setiuservalue(L, 4, 2);
    push_stored(L, 2);
    context_put(L, 3, 1);
    lua_settop(L, 4);
    return 1;
}

/* var:reset(token) */
static int var_reset(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct token *token;

    lc_check_self(L, &context_var_type, "reset");
    lua_settop(L, 2);
    token = lc_to_object(L, 2, &token_type);
    if (token == NULL)
        lc_raise_argument(L, host, LC_TYPE_ERROR, "reset", 1, "Token", 2);
    if (token->used)
        lc_raise(L, host, LC_RUNTIME_ERROR, "Token has already been used once");
    lua_getiuservalue(L, 2, 1);
    if (!lua_rawequal(L, -1, 1))
        lc_raise(L, host, LC_VALUE_ERROR, "Token was created by a different ContextVar");
    lua_settop(L, 2);
    push_current(L, host); /* 3 */
    lua_getiuservalue(L, 2, 2);
    if (!lua_rawequal(L, -1, 3))
        lc_raise(L, host, LC_VALUE_ERROR, "Token was created in a different Context");
    lua_settop(L, 3);
    lua_getiuservalue(L, 2, 3);
    context_put(L, 3, 1);
    token->used = true;
    return 0;
}

static int var_tostring(lua_State *L)
{
    lc_check_self(L, &context_var_type, "tostring");
    lua_getiuservalue(L, 1, 1);
    lua_pushfstring(L, "<ContextVar name='%s'>", lua_tostring(L, -1));
    return 1;
}

static int var_index(lua_State *L)
{
    lc_check_self(L, &context_var_type, "name");
    lua_settop(L, 2);
    if (lua_type(L, 2) == LUA_TSTRING && lua_rawequal(L, 2, lua_upvalueindex(3)))
        lua_getiuservalue(L, 1, 1);
    else {
        lua_pushvalue(L, 2);
        lua_rawget(L, lua_upvalueindex(2));
    }
    return 1;
}

/* ---- Lua: contexts ---- */

/* lucio.copy_context() -> Context */
static int lucio_copy_context(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    lc_context_push_copy(L, host);
    if (lua_isnil(L, -1))
        context_new(L, host);
    return 1;
}

void lc_context_check_enterable(lua_State *L, struct lc_host *host, int idx)
{
    const struct context *context = lua_touserdata(L, idx);

    push_current(L, host);
    if (context->entered || lua_rawequal(L, -1, idx))
        lc_raise(L, host, LC_RUNTIME_ERROR, "cannot enter context: it is already entered");
    lua_pop(L, 1);
}

/* The context, unless it is NULL or entered already. */
static void *hold(struct context *context)
{
    if (context == NULL || context->entered)
        return NULL;
    context->entered = true;
    return context;
}

void *lc_context_hold(lua_State *L, struct lc_host *host)
{
    void *context;

    push_current(L, host);
    context = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return hold(context);
}

void lc_context_let_go(void *held)
{
    struct context *context = held;

    if (context != NULL)
        context->entered = false;
}

/* After context:run's function: restores the caller's context, which was held. Stack: 1 the context, 2 the
 * outer one, then the handler and the results or the error. */
static int context_run_k(lua_State *L, int status, lua_KContext held)
{
    struct lc_host *host = lc_host_of(L);
    struct context *context = lua_touserdata(L, 1);

    lc_context_let_go((void *)held);
    context->entered = false;
    lua_pushvalue(L, 2);
    set_current(L, host);
    if (status != LUA_OK && status != LUA_YIELD)
        return lua_error(L);
    return lua_gettop(L) - 3;
}

/* context:run(fn, ...) -> ... May suspend. */
static int context_run(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct context *context = lc_check_self(L, &context_type, "run");
    lua_KContext held;
    int status;

    lc_check_callable(L, 2, "run", 1);
    lc_context_check_enterable(L, host, 1);
    push_current(L, host);
    lua_insert(L, 2);
    lua_pushcfunction(L, lc_traceback_handler);
    lua_insert(L, 3);
    lua_pushvalue(L, 1);
    set_current(L, host);
    context->entered = true;
    held = (lua_KContext)hold(lua_touserdata(L, 2));
    status = lua_pcallk(L, lua_gettop(L) - 4, LUA_MULTRET, 3, held, context_run_k);
    return context_run_k(L, status, held);
}

/* context:get(var, default?) */
static int context_get(lua_State *L)
{
    lc_check_self(L, &context_type, "get");
    lua_settop(L, 3);
    if (lc_to_object(L, 2, &context_var_type) == NULL)
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, "get", 1, "ContextVar", 2);
    push_value(L, 1, 2);
    if (lua_isnil(L, -1))
        lua_pushvalue(L, 3);
    else
        unstore_top(L);
    return 1;
}

/* context:copy() -> Context */
static int context_copy(lua_State *L)
{
    lc_check_self(L, &context_type, "copy");
    lua_getiuservalue(L, 1, 1);
    context_new(L, lc_host_of(L));
    return 1;
}

void lc_context_open(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg var_methods[] = {
        {"get", var_get}, {"set", var_set}, {"reset", var_reset}, {NULL, NULL}};
    static const luaL_Reg var_meta[] = {{"__tostring", var_tostring}, {NULL, NULL}};
    static const luaL_Reg methods[] = {
        {"run", context_run}, {"get", context_get}, {"copy", context_copy}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"ContextVar", lucio_context_var}, {"copy_context", lucio_copy_context}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_CONTEXT_VAR, "lucio.ContextVar", var_methods, var_meta);
    lc_host_push_ref(L, host, LC_REF_CONTEXT_VAR);
    lua_pushlightuserdata(L, host);
    lua_getfield(L, -2, "__index");
    lua_pushliteral(L, "name");
    lua_pushcclosure(L, var_index, 3);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lc_new_type(L, host, LC_REF_CONTEXT, "lucio.Context", methods, NULL);
    lc_new_type(L, host, LC_REF_TOKEN, "lucio.Token", NULL, NULL);
    lc_set_functions(L, host, functions);
}
