/*
 * function: C functions that Lua calls, and that may suspend the task which calls them.
 * A call is a C frame; what outlives a suspension is on the Lua stack: 1 the awaited future, 2 the frame
 * that says how to go on. No error of Lua jumps over a function of the program's: what may raise runs
 * protected, and the error is raised when that function has returned.
 * Owner: the Lua function owns the program's data and releases it when the collector takes it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "core.h"
#include "embed.h"
#include "future.h"

struct c_function {
    struct lucio *h;
    lucio_function *fn;
    void *data;
    void (*release)(void *data);
    char name[];
};

/* How a suspended call goes on. */
struct frame {
    lucio_function *next;
    void *data;
};

enum outcome { NOTHING, RETURN, RAISE, AWAIT };

struct lucio_call {
    lua_State *L;
    struct lucio *h;
    struct c_function *function;
    int first; /* stack index of the first argument */
    int n;
    int status; /* of the awaited future, whose error is at `first` when it failed */
    enum outcome outcome;
    int results;
    struct frame frame; /* of an AWAIT */
    struct lc_error_texts texts;
    size_t bad; /* argument that was not as expected, and what was */
    const char *expected;
};

/* ---- what a call sees ---- */

lucio *lucio_call_host(lucio_call *call)
{
    return call->h;
}

size_t lucio_call_count(lucio_call *call)
{
    return (size_t)call->n;
}

/* Stack index of argument number i, 0 if there is none. */
static int argument(const lucio_call *call, size_t i)
{
    return i >= 1 && i <= (size_t)call->n ? call->first + (int)i - 1 : 0;
}

struct value_args {
    lucio_call *call;
    int idx;
    struct lucio_value value;
    const struct lucio_value *values;
    const char *class_name, *text;
    lucio_future *future;
};

static int read_value(lua_State *L)
{
    struct value_args *args = lua_touserdata(L, 1);

    args->value = lc_embed_to_value(L, args->call->h, 2);
    return 0;
}

/* Calls fn(args, the value at idx) protected. [-0, +0, -] */
static bool with_value(lucio_call *call, lua_CFunction fn, struct value_args *args, int idx)
{
    lua_State *L = call->L;

    if (lc_embed_enter(call->h) != LUCIO_OK)
        return false;
    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, args);
    lua_pushvalue(L, idx);
    if (lua_pcall(L, 2, 0, 0) == LUA_OK)
        return true;
    lc_embed_fail(call->h, L);
    return false;
}

struct lucio_value lucio_call_value(lucio_call *call, size_t i)
{
    struct value_args args = {.call = call, .value = {.type = LUCIO_NIL}};
    int idx = argument(call, i);

    if (idx != 0)
        with_value(call, read_value, &args, idx);
    return args.value;
}

static bool bad(lucio_call *call, size_t i, const char *expected)
{
    call->bad = i;
    call->expected = expected;
    return false;
}

bool lucio_call_boolean(lucio_call *call, size_t i, bool *boolean)
{
    int idx = argument(call, i);

    if (idx == 0 || !lua_isboolean(call->L, idx))
        return bad(call, i, "boolean");
    *boolean = lua_toboolean(call->L, idx);
    return true;
}

bool lucio_call_integer(lucio_call *call, size_t i, long long *integer)
{
    int idx = argument(call, i), ok = 0;

    if (idx != 0 && lua_type(call->L, idx) == LUA_TNUMBER)
        *integer = lua_tointegerx(call->L, idx, &ok);
    return ok ? true : bad(call, i, "integer");
}

bool lucio_call_number(lucio_call *call, size_t i, double *number)
{
    int idx = argument(call, i);

    if (idx == 0 || lua_type(call->L, idx) != LUA_TNUMBER)
        return bad(call, i, "number");
    *number = lua_tonumber(call->L, idx);
    return true;
}

bool lucio_call_string(lucio_call *call, size_t i, const char **data, size_t *length)
{
    int idx = argument(call, i);

    if (idx == 0 || lua_type(call->L, idx) != LUA_TSTRING)
        return bad(call, i, "string");
    *data = lua_tolstring(call->L, idx, length);
    return true;
}

bool lucio_call_object(lucio_call *call, size_t i, lucio_ref **object)
{
    struct lucio_value value = lucio_call_value(call, i);

    *object = value.type == LUCIO_OBJECT ? value.as.object : NULL;
    return *object != NULL ? true : bad(call, i, "table, function or object");
}

bool lucio_call_awaitable(lucio_call *call, size_t i, lucio_future **future)
{
    struct lucio_value value = {.type = LUCIO_NIL};
    int idx = argument(call, i);
    int status;

    *future = NULL;
    if (idx == 0 || !lc_is_awaitable(call->L, idx))
        return bad(call, i, "awaitable");
    value = lucio_call_value(call, i);
    if (value.type != LUCIO_OBJECT)
        return bad(call, i, "awaitable");
    status = lucio_future_of(value.as.object, future);
    lucio_ref_free(value.as.object);
    return status == LUCIO_OK ? true : bad(call, i, "awaitable");
}

int lucio_call_status(lucio_call *call)
{
    return call->status;
}

static int read_error(lua_State *L)
{
    struct value_args *args = lua_touserdata(L, 1);

    lc_embed_read_error(L, args->call->h, 2, &args->call->texts);
    return 0;
}

const struct lucio_error *lucio_call_error(lucio_call *call)
{
    struct value_args args = {.call = call};

    if (call->status == LUCIO_OK)
        return NULL;
    if (call->texts.error.message == NULL)
        with_value(call, read_error, &args, call->first);
    return call->texts.error.message != NULL ? &call->texts.error : NULL;
}

/* ---- how a call ends ---- */

/* A failure of lucio's own is raised in place of what the function wanted. */
static int raise_top(lucio_call *call)
{
    call->outcome = RAISE;
    return LUCIO_ERROR;
}

/* Calls fn(args) protected: its results stay on the stack, or the error is what will be raised. */
static bool make(lucio_call *call, lua_CFunction fn, struct value_args *args, int results)
{
    lua_State *L = call->L;

    if (call->h->host == NULL || !lua_checkstack(L, 20)) {
        lua_pushnil(L);
        raise_top(call);
        return false;
    }
    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, args);
    if (lua_pcall(L, 1, results, 0) == LUA_OK)
        return true;
    raise_top(call);
    return false;
}

static int push_values(lua_State *L)
{
    struct value_args *args = lua_touserdata(L, 1);

    lc_embed_push_values(L, args->call->h, (size_t)args->idx, args->values);
    return args->idx;
}

int lucio_return(lucio_call *call, size_t n, const struct lucio_value *results)
{
    struct value_args args = {.call = call, .idx = (int)n, .values = results};

    if (!make(call, push_values, &args, LUA_MULTRET))
        return LUCIO_ERROR;
    call->outcome = RETURN;
    call->results = (int)n;
    return LUCIO_OK;
}

static int push_error(lua_State *L)
{
    struct value_args *args = lua_touserdata(L, 1);

    lc_embed_push_error(L, args->call->h, args->class_name, args->text);
    return 1;
}

int lucio_raise(lucio_call *call, const char *class_name, const char *format, ...)
{
    struct value_args args = {.call = call, .class_name = class_name};
    char *text = NULL;
    va_list list;

    va_start(list, format);
    if (vasprintf(&text, format, list) < 0)
        text = NULL;
    va_end(list);
    args.text = text != NULL ? text : "not enough memory";
    if (make(call, push_error, &args, 1))
        raise_top(call);
    free(text);
    return LUCIO_ERROR;
}

static int push_bad_argument(lua_State *L)
{
    struct value_args *args = lua_touserdata(L, 1);
    lucio_call *call = args->call;

    lc_error_push(L, call->h->host, LC_TYPE_ERROR, "bad argument #%d to '%s' (%s expected, got %s)",
                  (int)call->bad, call->function->name, call->expected, args->text);
    return 1;
}

int lucio_bad_argument(lucio_call *call)
{
    struct value_args args = {.call = call};
    int idx = argument(call, call->bad);

    if (call->expected == NULL)
        return lucio_raise(call, "TypeError", "bad argument to '%s'", call->function->name);
    args.text = idx != 0 ? lc_type_name(call->L, idx) : "no value";
    if (make(call, push_bad_argument, &args, 1))
        raise_top(call);
    return LUCIO_ERROR;
}

int lucio_reraise(lucio_call *call)
{
    if (call->status == LUCIO_OK)
        return lucio_raise(call, "RuntimeError", "there is no error to raise again");
    lua_pushvalue(call->L, call->first);
    return raise_top(call);
}

static int push_future(lua_State *L)
{
    struct value_args *args = lua_touserdata(L, 1);
    struct lucio_ref *ref = (struct lucio_ref *)args->future;

    if (ref == NULL || ref->h != args->call->h)
        lc_raise(L, args->call->h->host, LC_VALUE_ERROR, "no future of this host");
    lc_anchor_push(L, ref->h->host, ref->anchor);
    return 1;
}

int lucio_await(lucio_call *call, lucio_future *future, lucio_function *next, void *data)
{
    struct value_args args = {.call = call, .future = future};

    if (!make(call, push_future, &args, 1))
        return LUCIO_ERROR;
    call->outcome = AWAIT;
    call->frame.next = next;
    call->frame.data = data;
    return LUCIO_OK;
}

/* ---- the trampoline ---- */

static int await_k(lua_State *L, int status, lua_KContext ctx);

/* Calls one function of the program's with the arguments from `first` on. */
static void call_once(lua_State *L, lucio_call *call, const struct frame *frame, int first,
                      int status)
{
    struct lucio *h = call->function->h;
    lua_State *outer = h->caller;

    luaL_checkstack(L, 30, NULL);
    call->L = L;
    call->h = h;
    call->first = first;
    call->n = status == LUCIO_OK ? lua_gettop(L) - first + 1 : 0;
    call->status = status;
    h->caller = L;
    lc_embed_begin_call(h);
    frame->next(call, frame->data);
    lc_embed_end_call(h);
    h->caller = outer;
    lc_embed_free_texts(h, &call->texts);
}

/* The status of an awaited future, whose error is on top if it failed. */
static int status_of(lua_State *L, bool failed)
{
    if (!failed)
        return LUCIO_OK;
    return lc_error_kind(L, -1) == LC_KIND_CANCELLED ? LUCIO_CANCELLED : LUCIO_ERROR;
}

/* Runs the program's functions one after the other until one returns, raises or has to wait. */
static int run_call(lua_State *L, struct lc_host *host, struct c_function *function,
                    struct frame frame, int first, int status)
{
    for (;;) {
        lucio_call call = {.function = function};
        struct lc_future *future;
        struct frame *kept;
        int n;

        call_once(L, &call, &frame, first, status);
        if (call.outcome == RAISE)
            return lua_error(L);
        if (call.outcome != AWAIT)
            return call.results;
        lua_insert(L, 1);
        lua_settop(L, 1);
        frame = call.frame;
        kept = lua_newuserdatauv(L, sizeof *kept, 0);
        *kept = frame;
        future = lc_to_future(L, 1);
        if (!lc_future_is_done(future)) {
            struct lc_task *task = lc_wait_task(L, host, function->name);

            return lc_wait_future(L, task, future, 1, 0, await_k);
        }
        status = status_of(L, !lc_future_push_outcome(L, 1, &n));
        if (frame.next == NULL)
            return status == LUCIO_OK ? n : lua_error(L);
        first = 3;
    }
}

static int await_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_host *host = lc_host_of(L);
    struct c_function *function = lua_touserdata(L, lua_upvalueindex(2));
    struct frame frame = *(struct frame *)lua_touserdata(L, 2);
    bool failed = lc_wait_end(L, host->current);
    int n;

    (void)status;
    (void)ctx;
    if (!failed)
        failed = !lc_future_push_outcome(L, 1, &n);
    if (frame.next == NULL)
        return failed ? lua_error(L) : n;
    return run_call(L, host, function, frame, 3, status_of(L, failed));
}

static int function_call(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct c_function *function = lua_touserdata(L, lua_upvalueindex(2));
    struct frame frame = {function->fn, function->data};

    return run_call(L, host, function, frame, 1, LUCIO_OK);
}

static int function_gc(lua_State *L)
{
    struct c_function *function = lua_touserdata(L, 1);

    if (function->h == NULL)
        return 0;
    if (function->release != NULL)
        function->release(function->data);
    lucio_release(function->h);
    function->h = NULL;
    return 0;
}

struct function_args {
    struct lucio *h;
    const char *name;
    lucio_function *fn;
    void *data;
    void (*release)(void *data);
    lucio_ref **made;
    lucio_future **task;
    const struct lucio_entry *entries;
};

/* Pushes the Lua function of a C function. [-0, +1, m] */
static void push_function(lua_State *L, const struct function_args *args)
{
    size_t length = strlen(args->name);
    struct c_function *function;

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
    struct function_args *args = lua_touserdata(L, 1);

    push_function(L, args);
    *args->made = lc_embed_ref_new(L, args->h, sizeof **args->made);
    return 0;
}

int lucio_function_new(lucio *h, const char *name, lucio_function *fn, void *data,
                       void (*release)(void *data), lucio_ref **function)
{
    struct function_args args = {.h = h,
                                 .name = name != NULL ? name : "?",
                                 .fn = fn,
                                 .data = data,
                                 .release = release,
                                 .made = function};
    int status = lc_embed_enter(h);

    *function = NULL;
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

/* ---- modules ---- */

/* The module of the arguments: a table of functions under its name in package.loaded. */
static int add_module(lua_State *L)
{
    struct function_args *args = lua_touserdata(L, 1);
    const char *module = args->name;

    lua_newtable(L);
    for (const struct lucio_entry *entry = args->entries; entry->name != NULL; entry++) {
        args->name = entry->name;
        args->fn = entry->fn;
        push_function(L, args);
        lua_setfield(L, -2, entry->name);
    }
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_insert(L, -2);
    lua_setfield(L, -2, module);
    return 0;
}

int lucio_add_module(lucio *h, const char *name, const struct lucio_entry *entries, void *data)
{
    struct function_args args = {.h = h, .name = name, .data = data, .entries = entries};
    int status = lc_embed_enter(h);

    if (status == LUCIO_OK && (name == NULL || entries == NULL))
        status = lc_embed_refuse(h, LUCIO_INVALID, "lucio_add_module: no name or no functions");
    return status != LUCIO_OK ? status : lc_embed_protect(h, add_module, &args);
}

struct source_args {
    const char *name, *code;
    size_t length;
    lua_CFunction open;
};

static int add_source(lua_State *L)
{
    struct source_args *args = lua_touserdata(L, 1);

    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    if (args->open != NULL) {
        lua_pushcfunction(L, args->open);
    } else {
        lua_pushfstring(L, "=%s", args->name);
        if (luaL_loadbufferx(L, args->code, args->length, lua_tostring(L, -1), "t") != LUA_OK)
            return lua_error(L);
        lua_remove(L, -2);
    }
    lua_setfield(L, -2, args->name);
    return 0;
}

int lucio_add_lua_module(lucio *h, const char *name, const char *code, size_t length)
{
    struct source_args args = {.name = name, .code = code, .length = length};
    int status = lc_embed_enter(h);

    if (status == LUCIO_OK && (name == NULL || code == NULL))
        status = lc_embed_refuse(h, LUCIO_INVALID, "lucio_add_lua_module: no name or no code");
    return status != LUCIO_OK ? status : lc_embed_protect(h, add_source, &args);
}

int lucio_add_c_module(lucio *h, const char *name, int (*open)(struct lua_State *L))
{
    struct source_args args = {.name = name, .open = open};
    int status = lc_embed_enter(h);

    if (status == LUCIO_OK && (name == NULL || open == NULL))
        status = lc_embed_refuse(h, LUCIO_INVALID, "lucio_add_c_module: no name or no function");
    return status != LUCIO_OK ? status : lc_embed_protect(h, add_source, &args);
}

void lc_embed_open_functions(lua_State *L, struct lucio *h)
{
    static const luaL_Reg metamethods[] = {{"__gc", function_gc}, {NULL, NULL}};
    struct lc_host *host = lc_host_open(L);

    (void)h;
    if (host->refs[LC_REF_C_FUNCTION] == 0)
        lc_new_type(L, host, LC_REF_C_FUNCTION, "lucio.c_function", NULL, metamethods);
}
