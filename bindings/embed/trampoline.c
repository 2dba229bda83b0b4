/*
 * trampoline: how Lua calls C functions of the program's, which may suspend the task that calls them.
 * A call lasts as long as a function of the program's runs; what outlives a suspension is on the Lua stack: 1 the awaited future or called
 * object, 2 the frame that says how to go on.
 * Owner: the Lua function owns the program's data and releases it when the collector takes it.
 */
#include <string.h>

#include <lauxlib.h>

#include "call.h"
#include "core.h"
#include "future.h"
#include "traceback.h"

static int await_k(lua_State *L, int status, lua_KContext ctx);
static int called_k(lua_State *L, int status, lua_KContext ctx);

/* Calls one function of the program's with the arguments from `first` on; how it wants to end. */
static struct lc_end call_once(lua_State *L, struct lc_c_function *function,
                               const struct lc_frame *frame, int first, int status)
{
    struct lucio *h = function->h;
    lua_State *outer_caller = h->caller;
    struct lc_call *call, *outer;
    struct lc_end end;

    luaL_checkstack(L, 30, NULL);
    call = lc_slot_take(h, LC_SLOT_CALL, sizeof *call);
    if (call == NULL)
        luaL_error(L, "not enough memory");
    call->L = L;
    call->function = function;
    call->first = first;
    call->n = status == LUCIO_OK ? lua_gettop(L) - first + 1 : 0;
    call->status = status;
    h->caller = L;
    outer = lc_embed_begin_call(h, call);
    frame->next(lc_slot_handle(&call->slot), frame->data);
    lc_embed_end_call(h, outer);
    h->caller = outer_caller;
    lc_embed_free_texts(h, &call->texts);
    end = call->end;
    lc_slot_give(&call->slot);
    return end;
}

/* The status of an awaited future, whose error is on top if it failed. */
static int status_of(lua_State *L, bool failed)
{
    if (!failed)
        return LUCIO_OK;
    return lc_error_kind(L, -1) == LC_KIND_CANCELLED ? LUCIO_CANCELLED : LUCIO_ERROR;
}

/* Lays the stack out for what the call goes on with: 1 what it awaits, 2 its frame, then n more values. */
static void keep_frame(lua_State *L, const struct lc_end *end, int n)
{
    struct lc_frame *kept;

    lua_rotate(L, 1, n + 1);
    lua_settop(L, n + 1);
    kept = lua_newuserdatauv(L, sizeof *kept, 0);
    *kept = end->frame;
    lua_insert(L, 2);
}

/* Awaits the future on top. True: it is done, its outcome is from 3 on. */
static bool future_is_done(lua_State *L, const struct lc_end *end, int *status)
{
    int n;

    keep_frame(L, end, 0);
    if (!lc_future_is_done(lc_to_future(L, 1)))
        return false;
    *status = status_of(L, !lc_future_push_outcome(L, 1, &n));
    return true;
}

/* Calls what is on top, in the same task, as Lua code would: its outcome is from 4 on. */
static int call_top(lua_State *L, const struct lc_end *end)
{
    int n = end->results, status;

    lua_pushnil(L);
    lua_insert(L, -n - 2);
    keep_frame(L, end, n + 1);
    lua_pushcfunction(L, lc_traceback_handler);
    lua_insert(L, 3);
    if (end->frame.next == NULL) {
        lua_callk(L, n, LUA_MULTRET, 0, called_k);
        return LUCIO_OK;
    }
    status = lua_pcallk(L, n, LUA_MULTRET, 3, 0, called_k);
    return status_of(L, status != LUA_OK);
}

/* Ends a call that goes on nowhere: with the outcome from `first` on. */
static int end_call(lua_State *L, int first, int status)
{
    return status == LUCIO_OK ? lua_gettop(L) - first + 1 : lua_error(L);
}

/* Runs the program's functions one after the other until one returns, raises or has to wait. */
static int run_call(lua_State *L, struct lc_host *host, struct lc_c_function *function,
                    struct lc_frame frame, int first, int status)
{
    while (frame.next != NULL) {
        struct lc_end end = call_once(L, function, &frame, first, status);

        frame = end.frame;
        switch (end.outcome) {
        case LC_CALL_RAISE:
            return lua_error(L);
        case LC_CALL_AWAIT:
            if (!future_is_done(L, &end, &status)) {
                struct lc_task *task = lc_wait_task(L, host, function->name);

                return lc_wait_future(L, task, lc_to_future(L, 1), 1, 0, await_k);
            }
            first = 3;
            break;
        case LC_CALL_CALL:
            status = call_top(L, &end);
            first = 4;
            break;
        default:
            return end.results;
        }
    }
    return end_call(L, first, status);
}

static int await_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_c_function *function = lua_touserdata(L, lua_upvalueindex(2));
    struct lc_frame frame = *(struct lc_frame *)lua_touserdata(L, 2);
    bool failed = lc_wait_end(L, host->current);
    int n;

    (void)status;
    (void)ctx;
    if (!failed)
        failed = !lc_future_push_outcome(L, 1, &n);
    return run_call(L, host, function, frame, 3, status_of(L, failed));
}

static int called_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_c_function *function = lua_touserdata(L, lua_upvalueindex(2));
    struct lc_frame frame = *(struct lc_frame *)lua_touserdata(L, 2);

    (void)ctx;
    return run_call(L, host, function, frame, 4,
                    status_of(L, status != LUA_OK && status != LUA_YIELD));
}

static int function_call(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_c_function *function = lua_touserdata(L, lua_upvalueindex(2));
    struct lc_frame frame = {function->fn, function->data};

    return run_call(L, host, function, frame, 1, LUCIO_OK);
}

static int function_gc(lua_State *L)
{
    struct lc_c_function *function = lua_touserdata(L, 1);

    if (function->h == NULL)
        return 0;
    if (function->release != NULL)
        function->release(function->data);
    lucio_release(function->h);
    function->h = NULL;
    return 0;
}

void lc_embed_push_function(lua_State *L, const struct lc_function_args *args)
{
    size_t length = strlen(args->name);
    struct lc_c_function *function;

    luaL_checkstack(L, 8, NULL);
    lua_pushlightuserdata(L, args->h->host);
    function = lua_newuserdatauv(L, sizeof *function + length + 1, 0);
    memset(function, 0, sizeof *function);
    function->fn = args->fn;
    function->data = args->data;
    memcpy(function->name, args->name, length + 1);
    lc_host_push_ref(L, args->h->host, LC_REF_C_FUNCTION);
    lua_setmetatable(L, -2);
    lua_pushcclosure(L, function_call, 2);
    /* from here on the data is the function's to release */
    lua_getupvalue(L, -1, 2);
    lua_pop(L, 1);
    function->h = lucio_retain(args->h);
    function->release = args->release;
}

static int function_new(lua_State *L)
{
    struct lc_function_args *args = lua_touserdata(L, 1);

    lc_embed_push_function(L, args);
    *args->made = lc_embed_ref_new(L, args->h);
    return 0;
}

int lucio_function_new(lucio *h, const char *name, lucio_function *fn, void *data,
                       void (*release)(void *data), lucio_ref **function)
{
    struct lc_function_args args = {.h = h,
                                    .name = name != NULL ? name : "?",
                                    .fn = fn,
                                    .data = data,
                                    .release = release,
                                    .made = function};
    int status = lc_embed_enter_out(h, function);

    if (status == LUCIO_OK && fn == NULL)
        status = lc_embed_refuse(h, LUCIO_INVALID, "lucio_function_new: no function");
    return status != LUCIO_OK ? status : lc_embed_protect(h, function_new, &args);
}

int lucio_spawn_function(lucio *h, const char *name, lucio_function *fn, void *data,
                         void (*release)(void *data), lucio_future **task)
{
    lucio_ref *function;
    int status = lucio_function_new(h, name, fn, data, release, &function);

    if (task != NULL)
        *task = NULL;
    if (status != LUCIO_OK)
        return status;
    status = lucio_spawn(h, function, name, 0, NULL, task);
    lucio_ref_free(function);
    return status;
}

void lc_embed_open_functions(lua_State *L, struct lucio *h)
{
    static const luaL_Reg metamethods[] = {{"__gc", function_gc}, {NULL, NULL}};
    struct lc_host *host = lc_host_open(L);

    (void)h;
    if (host->refs[LC_REF_C_FUNCTION] == 0)
        lc_new_type(L, host, LC_REF_C_FUNCTION, "lucio.c_function", NULL, metamethods);
}
